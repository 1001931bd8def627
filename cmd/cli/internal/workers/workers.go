// Package workers has a pool of worker processes: this program again, which answers one line of JSON for
// each line that it reads. A process makes one simulated run at a time, so several need several processes.
//
// Package workers never interprets a request or an answer.
package workers

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// maxLineBytes bounds a request and an answer.
const maxLineBytes = 16 << 20

// interruptTime is how long an interrupted worker has to end what it does.
const interruptTime = 2 * time.Second

// maxStderrBytes bounds what is kept of the standard error of a worker.
const maxStderrBytes = 64 << 10

// Serve is a worker: it answers each request that it reads, until the input ends.
func Serve[Q, A any](in io.Reader, out io.Writer, answer func(Q) A) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLineBytes)
	encoder := json.NewEncoder(out)
	for lines.Scan() {
		var request Q
		if err := json.Unmarshal(lines.Bytes(), &request); err != nil {
			return fmt.Errorf("reading a request: %w", err)
		}
		if err := encoder.Encode(answer(request)); err != nil {
			return fmt.Errorf("writing an answer: %w", err)
		}
	}
	return lines.Err()
}

// Pool is a number of worker processes.
type Pool[Q, A any] struct {
	// Env is added to the environment of the workers. It must be set before the first request.
	Env  []string
	args []string
	idle chan *worker
}

// New returns a pool of so many workers, each this program with the arguments. A worker starts with its first
// request. Close ends them.
func New[Q, A any](count int, args ...string) *Pool[Q, A] {
	p := &Pool[Q, A]{args: args, idle: make(chan *worker, count)}
	for range count {
		p.idle <- nil
	}
	return p
}

// Size returns the number of workers.
func (p *Pool[Q, A]) Size() int { return cap(p.idle) }

// Close ends all workers, none of which may be busy.
func (p *Pool[Q, A]) Close() {
	for range cap(p.idle) {
		if w := <-p.idle; w != nil {
			w.end()
		}
	}
}

// DiedError means that a worker has ended without an answer.
type DiedError struct {
	// Stderr is the end of what it wrote to standard error.
	Stderr string
	Err    error
}

// Error returns the reason with the standard error.
func (e *DiedError) Error() string { return fmt.Sprintf("worker process: %v\n%s", e.Err, e.Stderr) }

// Unwrap returns the error of the process.
func (e *DiedError) Unwrap() error { return e.Err }

// Ask waits for an idle worker, gives it a request and returns its answer. A worker that dies is replaced at
// the next request, and the error is a *DiedError. When the context ends, the worker is
// interrupted and then killed.
func (p *Pool[Q, A]) Ask(ctx context.Context, request Q) (answer A, err error) {
	line, err := json.Marshal(request)
	if err != nil {
		return answer, fmt.Errorf("writing a request: %w", err)
	}
	w := <-p.idle
	defer func() { p.idle <- w }()
	if w == nil {
		if w, err = start(p.args, p.Env); err != nil {
			return answer, err
		}
	}
	text, err := w.ask(ctx, append(line, '\n'))
	if err != nil {
		w = nil
		return answer, err
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return answer, fmt.Errorf("reading an answer: %w", err)
	}
	return answer, nil
}

// worker is one process.
type worker struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	answers *bufio.Scanner
	stderr  tail
}

// tail keeps the end of what is written to it.
type tail struct{ bytes.Buffer }

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	n, err := t.Buffer.Write(p)
	if over := t.Len() - maxStderrBytes; over > 0 {
		t.Next(over)
	}
	return n, err
}

func start(args, env []string) (*worker, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("starting a worker process: %w", err)
	}
	w := &worker{cmd: exec.Command(program, args...)}
	w.cmd.Args[0] = os.Args[0]
	w.cmd.Env = append(os.Environ(), env...)
	w.cmd.Stderr = &w.stderr
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

// ask passes on a request; after an error the process has ended.
func (w *worker) ask(ctx context.Context, line []byte) ([]byte, error) {
	answered := make(chan bool, 1)
	go func() {
		if _, err := w.in.Write(line); err != nil {
			answered <- false
			return
		}
		answered <- w.answers.Scan()
	}()
	select {
	case <-ctx.Done():
		_ = w.cmd.Process.Signal(os.Interrupt)
		select {
		case <-answered:
		case <-time.After(interruptTime):
			_ = w.cmd.Process.Kill()
			<-answered
		}
		w.end()
		return nil, context.Cause(ctx)
	case ok := <-answered:
		if ok {
			return w.answers.Bytes(), nil
		}
	}
	err := w.end()
	if err == nil {
		err = errors.Join(errors.New("it ended without an answer"), w.answers.Err())
	}
	return nil, &DiedError{Stderr: w.stderr.String(), Err: err}
}

// end ends the process, if it has not ended by itself, and returns how it ended.
func (w *worker) end() error {
	w.in.Close()
	_ = w.cmd.Process.Kill()
	return w.cmd.Wait()
}
