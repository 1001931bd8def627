package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// Runs of one process are sequential, because the simulator owns the process-wide randomness.
// Therefore many seeds are divided among worker processes: this program again, each with a block.

// maxLineBytes is the longest line that a worker prints.
const maxLineBytes = 16 << 20

// runInWorkers makes the runs of blocks in worker processes, as many at a time as the plan says, and
// passes each outcome on. A run that cannot be made is an outcome, too, and the block continues behind
// it. No block is started when the context has ended or begin reports false; the first error of emit
// stops all workers.
func (p *plan) runInWorkers(ctx context.Context, blocks []block, begin func() bool,
	emit func(*outcome) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	queue, results := make(chan block), make(chan *outcome)
	var workers sync.WaitGroup
	for range p.workers {
		workers.Go(func() {
			for b := range queue {
				p.runBlock(ctx, b, results)
			}
		})
	}
	go func() {
		defer close(queue)
		for _, b := range blocks {
			if !begin() {
				return
			}
			select {
			case queue <- b:
			case <-ctx.Done():
				return
			}
		}
	}()
	go func() { workers.Wait(); close(results) }()
	var failed error
	for o := range results {
		if failed != nil {
			continue
		}
		if failed = emit(o); failed != nil {
			cancel()
		}
	}
	return failed
}

// runBlock makes the runs of a block. After a run that cannot be made another worker continues with
// the next seed.
func (p *plan) runBlock(ctx context.Context, b block, results chan<- *outcome) {
	for next := b.first; next <= b.last && ctx.Err() == nil; next++ {
		lines, ended := make(chan []byte), make(chan error, 1)
		go func() {
			defer close(lines)
			ended <- p.work(ctx, block{b.job, next, b.last}, lines)
		}()
		var unreadable error
		begin := time.Now()
		for text := range lines {
			o := &outcome{job: b.job}
			if err := json.Unmarshal(text, &o.line); err != nil {
				unreadable = errors.Join(unreadable, fmt.Errorf("reading a worker's line: %w", err))
				continue
			}
			o.took = time.Since(begin)
			begin = time.Now()
			results <- o
			next = o.line.Seed + 1
		}
		err := errors.Join(<-ended, unreadable)
		if ctx.Err() != nil || next > b.last {
			return
		}
		if err == nil {
			err = errors.New("the worker process ended without a result")
		}
		o := p.failedOutcome(b.job, next, err)
		o.took = time.Since(begin)
		results <- o
	}
}

// work starts a worker process for a block and passes on the lines that it prints.
func (p *plan) work(ctx context.Context, b block, lines chan<- []byte) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, p.workerArgs(b)...)
	cmd.Args[0] = os.Args[0]
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting a worker process: %w", err)
	}
	scanner := bufio.NewScanner(out)
	scanner.Buffer(nil, maxLineBytes)
	for scanner.Scan() {
		lines <- bytes.Clone(scanner.Bytes())
	}
	err = errors.Join(scanner.Err(), cmd.Wait())
	var exited *exec.ExitError
	if errors.As(err, &exited) && (exited.ExitCode() == ExitInvalid || exited.ExitCode() == ExitUnknown) {
		return nil // its lines report that
	}
	if err != nil && ctx.Err() == nil {
		return &workerError{b, strings.TrimPrefix(problems.String(), p.app.Name+": "), err}
	}
	return nil
}

// workerError is the end of a worker process that has not made all of its runs.
type workerError struct {
	block block
	// stderr is what the process wrote to standard error, without the program's name.
	stderr string
	err    error
}

// Error returns the text of the error with the standard error of the process.
func (e *workerError) Error() string {
	return fmt.Sprintf("worker process for seeds %d to %d: %v\n%s",
		e.block.first, e.block.last, e.err, e.stderr)
}

// Unwrap returns the error of the process.
func (e *workerError) Unwrap() error { return e.err }

// maxProblemBytes bounds what a campaign keeps of the reason why a run could not be made.
const maxProblemBytes = 2000

// problemText is the reason why a run could not be made, without the commands to reproduce it, which
// the caller gives itself.
func problemText(err error) string {
	var w *workerError
	if errors.As(err, &w) && w.stderr != "" {
		text, _, _ := strings.Cut(w.stderr, "\n"+reproduceTitle)
		return text
	}
	return err.Error()
}
