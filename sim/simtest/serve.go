package simtest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"testing"

	"github.com/holdfast-sim/holdfast/scenarios/testrun"
	"github.com/holdfast-sim/holdfast/sim"
)

// ownTask is what this process is a worker for; nil if it is none.
var ownTask = readTask()

// readTask takes the task out of the environment, so that programs which a test starts are no workers.
func readTask() *workerTask {
	text, ok := os.LookupEnv(workerVariable)
	if !ok {
		return nil
	}
	os.Unsetenv(workerVariable)
	var task workerTask
	if err := json.Unmarshal([]byte(text), &task); err != nil {
		panic("simtest: only worker processes have the variable " + workerVariable + ": " + err.Error())
	}
	return &task
}

// serve runs the seeds that come through a pipe, if the worker was started for this batch, and ends the test.
// Other batches are left out.
func (t *workerTask) serve(b *batch) {
	mine := workerTask{Test: b.t.Name(), Call: b.call, Scenario: digestOf(b.scenario)}
	parent, isTest := b.t.(*testing.T)
	if mine != *t || !isTest {
		return
	}
	sim.TuneCollector() // this process does nothing else
	questions, answers := workerPipes()
	encoder := json.NewEncoder(answers)
	err := encoder.Encode(t)
	lines := make(chan []byte)
	busy := make(chan struct{}, 1)
	go readQuestions(questions, lines, busy)
	for line := range lines {
		var q question
		if err = json.Unmarshal(line, &q); err != nil {
			break
		}
		a := b.answer(parent, q.Seed)
		<-busy
		if err = encoder.Encode(a); err != nil {
			break
		}
	}
	if err != nil {
		parent.Fatalf("serving seeds as a worker process: %v", err)
	}
	if !parent.Failed() {
		discardOutput()
	}
	parent.SkipNow()
}

// readQuestions reads lines. At the end of them the process ends if a seed is being run: no process waits for
// it. The channel busy holds a token while a seed is run.
func readQuestions(from io.Reader, lines chan<- []byte, busy chan struct{}) {
	scanner := bufio.NewScanner(from)
	for scanner.Scan() {
		busy <- struct{}{}
		lines <- append([]byte(nil), scanner.Bytes()...)
	}
	select {
	case busy <- struct{}{}:
		close(lines)
	default:
		os.Exit(0)
	}
}

// discardOutput drops what go test prints at the end of a worker: it belongs to no test of the user.
func discardOutput() {
	if null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
		os.Stdout = null
	}
}

// answer runs a seed and returns what it would have printed.
func (b *batch) answer(parent *testing.T, seed uint64) answer {
	r := &recorder{TB: parent, name: parent.Name() + "/" + seedName(seed)}
	done := make(chan struct{})
	go func() { // Fatalf ends its goroutine
		defer close(done)
		trial := newTrial(r, b.scenario, b.subject, seed, b.opts)
		trial.judge()
		r.answer.Counts.Add(trial.run)
	}()
	<-done
	return r.answer
}

// recorder is the test of one seed in a worker.
type recorder struct {
	testing.TB
	name   string
	answer answer
}

// Helper implements TB: the process that prints the messages knows the lines.
func (r *recorder) Helper() {}

// Name implements TB.
func (r *recorder) Name() string { return r.name }

// Attr implements testing.TB.
func (r *recorder) Attr(key, value string) {
	r.answer.Attrs = append(r.answer.Attrs, [2]string{key, value})
}

func (r *recorder) add(kind, format string, args []any) {
	r.answer.Messages = append(r.answer.Messages, message{kind, fmt.Sprintf(format, args...)})
}

// Logf implements TB.
func (r *recorder) Logf(format string, args ...any) { r.add("log", format, args) }

// Errorf implements TB.
func (r *recorder) Errorf(format string, args ...any) { r.add("error", format, args) }

// Fatalf implements TB.
func (r *recorder) Fatalf(format string, args ...any) {
	r.add("fatal", format, args)
	runtime.Goexit()
}

func seedName(seed uint64) string { return testrun.SeedName(fmt.Sprint(seed)) }
