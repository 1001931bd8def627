package simtest

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/testrun"
)

// workerVariable is the environment variable that makes a test binary a worker: a [workerTask] as JSON.
const workerVariable = "SIM_WORKER_TASK"

// workerTask names the call of Run that a worker serves: the n-th one in a test, from 1.
type workerTask struct {
	Test string `json:"test"`
	Call int    `json:"call"`
	// Scenario is the digest of the scenario's file, so that only a test that does the same is taken for
	// one.
	Scenario string `json:"scenario"`
}

// question asks a worker to run a seed.
type question struct {
	Seed uint64 `json:"seed"`
}

// answer is what a run printed, and its counts.
type answer struct {
	Messages []message      `json:"messages"`
	Attrs    [][2]string    `json:"attrs"`
	Counts   testrun.Counts `json:"counts"`
	// Died is why there is no other answer.
	Died string `json:"died,omitempty"`
}

// message is one call of Logf, Errorf or Fatalf.
type message struct {
	Kind string `json:"kind"` // log, error or fatal
	Text string `json:"text"`
}

// worthwhile is how long the seeds that are left must take, by those that were run, before workers are
// started.
const worthwhile = time.Second

// startTime is how long a worker may take until it reaches its call of Run.
const startTime = time.Minute

// maxAnswerBytes is the longest line that a worker answers with.
const maxAnswerBytes = 64 << 20

// startDir is the folder in which the test binary was started; a test may change to another one.
var startDir, startDirErr = os.Getwd()

// maxWorkers is the most processes that a user can ask for.
const maxWorkers = 1024

// workersOfFlag returns how many worker processes the flag asks for. It is not asked if the flag leaves the
// number open: then it is that of the processors.
func workersOfFlag() (count int, asked bool, err error) {
	if *flagWorkers == "" {
		return runtime.GOMAXPROCS(0), false, nil
	}
	n, err := strconv.Atoi(*flagWorkers)
	if err != nil || n < 1 || n > maxWorkers {
		return 1, true, fmt.Errorf("-sim.workers %q: write a number of processes from 1 to %d", *flagWorkers,
			maxWorkers)
	}
	return n, true, nil
}

// workers returns how many worker processes the next seeds are worth; 1 means that they run in this process.
func (b *batch) workers(ran int, took time.Duration, left uint64) int {
	var c config
	for _, o := range b.opts {
		o(&c)
	}
	_, isTest := b.t.(*testing.T)
	count, asked, err := workersOfFlag()
	switch {
	case !isTest || c.oneProcess || !workersPossible || left < 2 || err != nil || startDirErr != nil,
		testrun.ChoosesSeeds():
		return 1
	case asked:
		return count
	case raceEnabled || testing.CoverMode() != "" || profiled():
		return 1 // what these flags collect belongs to one process
	case ran == 0 || took/time.Duration(ran) < worthwhile/time.Duration(min(left, uint64(worthwhile))):
		return 1
	}
	return count
}

// profiled reports whether go test writes a profile or trace of this process.
func profiled() bool {
	return slices.ContainsFunc([]string{"cpuprofile", "memprofile", "blockprofile", "mutexprofile", "trace"},
		func(name string) bool {
			f := flag.Lookup("test." + name)
			return f != nil && f.Value.String() != ""
		})
}

// argsOfWorker returns the arguments of a worker: this process's own, with the flags of go test replaced.
func argsOfWorker(args []string, test string) []string {
	out := []string{"-test.run=" + testrun.Pattern(test), "-test.timeout=0"}
	if testing.Short() {
		out = append(out, "-test.short")
	}
	for i := 0; i < len(args); i++ {
		name, isFlag := strings.CutPrefix(args[i], "-")
		name, _, hasValue := strings.Cut(strings.TrimPrefix(name, "-"), "=")
		if !isFlag || name == "" {
			return append(out, args[i:]...) // what is no flag any longer
		}
		takesNext := !hasValue && !isBool(name)
		if !strings.HasPrefix(name, "test.") {
			out = append(out, args[i])
			if takesNext && i+1 < len(args) {
				out = append(out, args[i+1])
			}
		}
		if takesNext {
			i++
		}
	}
	return out
}

func isBool(name string) bool {
	f := flag.Lookup(name)
	if f == nil {
		return true
	}
	b, ok := f.Value.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}

// digestOf returns a digest of a scenario's file.
func digestOf(s *scenarios.Scenario) string {
	file, err := scenarios.Marshal(s)
	if err != nil {
		return err.Error()
	}
	sum := sha256.Sum256(file)
	return hex.EncodeToString(sum[:8])
}

// workerProcess is a worker as the process sees it that started it.
type workerProcess struct {
	cmd     *exec.Cmd
	in      io.WriteCloser // questions
	out     io.Closer
	answers *bufio.Scanner
}

// startWorker starts a worker and waits until it has reached the batch's call of Run.
func startWorker(b *batch) (*workerProcess, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding the test binary: %w", err)
	}
	task := workerTask{Test: b.t.Name(), Call: b.call, Scenario: digestOf(b.scenario)}
	environment, err := json.Marshal(task)
	if err != nil {
		return nil, fmt.Errorf("encoding what a worker is for: %w", err)
	}
	cmd := exec.Command(program, argsOfWorker(os.Args[1:], task.Test)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = startDir, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), workerVariable+"="+string(environment))
	questions, in, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("making a pipe: %w", err)
	}
	out, answers, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("making a pipe: %w", err), questions.Close(), in.Close())
	}
	cmd.ExtraFiles = []*os.File{questions, answers}
	err = cmd.Start()
	questions.Close() // the worker alone has these ends, so that its end is noticed
	answers.Close()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting a worker process: %w", err), in.Close(), out.Close())
	}
	w := &workerProcess{cmd: cmd, in: in, out: out, answers: bufio.NewScanner(out)}
	w.answers.Buffer(nil, maxAnswerBytes)
	late := time.AfterFunc(startTime, func() { _ = cmd.Process.Kill() })
	reached := w.answers.Scan() && bytes.Equal(w.answers.Bytes(), environment)
	late.Stop()
	if !reached {
		return nil, errors.Join(errors.New("a worker process did not come to the same call of simtest.Run"),
			w.end())
	}
	return w, nil
}

// ask has the worker run a seed. An error means that it died.
func (w *workerProcess) ask(seed uint64) (a answer, err error) {
	line, err := json.Marshal(question{seed})
	if err != nil {
		return a, err
	}
	if _, err := w.in.Write(append(line, '\n')); err == nil && w.answers.Scan() {
		if err := json.Unmarshal(w.answers.Bytes(), &a); err != nil {
			return a, errors.Join(fmt.Errorf("the worker process answered with something else: %w", err),
				w.end())
		}
		return a, nil
	}
	return a, errors.Join(errors.New("the worker process that ran this seed died; what it printed is above"),
		w.answers.Err(), w.end())
}

// end ends the worker; an idle one ends its test in order.
func (w *workerProcess) end() error {
	w.in.Close()
	err := w.cmd.Wait()
	w.out.Close()
	if err != nil {
		return fmt.Errorf("worker process: %w", err)
	}
	return nil
}

// replayAnswer replays on a test what a worker's run printed.
func (a *answer) replayAnswer(t *testing.T) {
	t.Helper()
	for _, attr := range a.Attrs {
		t.Attr(attr[0], attr[1])
	}
	for _, m := range a.Messages {
		switch m.Kind {
		case "log":
			t.Logf("%s", m.Text)
		case "error":
			t.Errorf("%s", m.Text)
		default:
			t.Fatalf("%s", m.Text)
		}
	}
}
