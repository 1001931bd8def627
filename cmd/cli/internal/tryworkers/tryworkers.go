// Package tryworkers makes the attempts of package shrink in worker processes, because one process makes one
// simulated run at a time.
//
// Package tryworkers never decides which scenarios are tried.
package tryworkers

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/shrink"
)

// maxLineBytes bounds a request and an answer.
const maxLineBytes = 16 << 20

// request is a line that a worker reads.
type request struct {
	File     string   `json:"file"` // against which a subject resolves paths
	Scenario string   `json:"scenario"`
	Seeds    []uint64 `json:"seeds"`
	Property string   `json:"property"`
}

// answer is a line that a worker writes.
type answer struct {
	shrink.Result
	Error string `json:"error,omitempty"`
}

// Serve is a worker: it makes an attempt for each line that it reads, until the input ends.
func Serve(ctx context.Context, in io.Reader, out io.Writer, t shrink.Trier) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLineBytes)
	encoder := json.NewEncoder(out)
	for lines.Scan() {
		var r request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return fmt.Errorf("reading an attempt: %w", err)
		}
		var a answer
		if s, err := scenarios.ParseScenario(r.File, []byte(r.Scenario)); err == nil {
			attempt := shrink.Attempt{Scenario: s, Seeds: r.Seeds, Property: r.Property}
			if a.Result, err = t.Try(ctx, attempt); err != nil {
				a.Error = err.Error()
			}
		}
		if err := encoder.Encode(a); err != nil {
			return fmt.Errorf("answering an attempt: %w", err)
		}
	}
	return lines.Err()
}

// Pool is a number of worker processes. It implements shrink.Trier.
type Pool struct {
	args []string
	idle chan *worker
}

// worker is one process; nil in the pool stands for one that must be started.
type worker struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	answers *bufio.Scanner
}

// New returns a pool of so many workers, each this program with the arguments. Close ends them.
func New(workers int, args ...string) *Pool {
	p := &Pool{args: args, idle: make(chan *worker, workers)}
	for range workers {
		p.idle <- nil
	}
	return p
}

// Close ends all workers, none of which may be busy.
func (p *Pool) Close() {
	for range cap(p.idle) {
		if w := <-p.idle; w != nil {
			w.end()
		}
	}
}

func (w *worker) end() {
	w.in.Close()
	_ = w.cmd.Process.Kill()
	_ = w.cmd.Wait()
}

func (p *Pool) start() (*worker, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("starting a worker process: %w", err)
	}
	w := &worker{cmd: exec.Command(program, p.args...)}
	out, err := w.cmd.StdoutPipe()
	if err == nil {
		w.in, err = w.cmd.StdinPipe()
	}
	if err == nil {
		err = w.cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("starting a worker process: %w", err)
	}
	w.answers = bufio.NewScanner(out)
	w.answers.Buffer(nil, maxLineBytes)
	return w, nil
}

// Try implements shrink.Trier. A worker that dies in an attempt is replaced, and the attempt does not fail:
// what ends a process cannot be compared with a check's violation.
func (p *Pool) Try(ctx context.Context, a shrink.Attempt) (shrink.Result, error) {
	text, err := scenarios.Marshal(a.Scenario)
	if err != nil {
		return shrink.Result{}, nil
	}
	line, err := json.Marshal(request{File: a.Scenario.Subject.File(), Scenario: string(text), Seeds: a.Seeds,
		Property: a.Property})
	if err != nil {
		return shrink.Result{}, fmt.Errorf("writing an attempt: %w", err)
	}
	w := <-p.idle
	defer func() { p.idle <- w }()
	if w == nil {
		if w, err = p.start(); err != nil {
			return shrink.Result{}, err
		}
	}
	result, alive, err := w.ask(ctx, append(line, '\n'))
	if !alive {
		w.end()
		w = nil
	}
	return result, err
}

// ask gives an attempt to a worker; alive is false if it cannot be used any longer.
func (w *worker) ask(ctx context.Context, line []byte) (result shrink.Result, alive bool, err error) {
	if _, err := w.in.Write(line); err != nil {
		return shrink.Result{}, false, nil
	}
	answered := make(chan bool, 1)
	go func() { answered <- w.answers.Scan() }()
	select {
	case <-ctx.Done():
		_ = w.cmd.Process.Kill()
		<-answered
		return shrink.Result{}, false, context.Cause(ctx)
	case ok := <-answered:
		if !ok {
			return shrink.Result{}, false, nil
		}
	}
	var a answer
	if err := json.Unmarshal(w.answers.Bytes(), &a); err != nil {
		return shrink.Result{}, false, fmt.Errorf("reading a worker's answer: %w", err)
	}
	if a.Error != "" {
		return shrink.Result{}, true, errors.New(a.Error)
	}
	return a.Result, true, nil
}
