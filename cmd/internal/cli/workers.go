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
	"sync"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/reports"
)

// Runs of one process are sequential, because the simulator owns the process-wide randomness. So
// many seeds are shared out to worker processes: this program again, each with a part of them.

// minSeedsPerWorker is below which another process is not worth its start.
const minSeedsPerWorker = 8

// maxLineBytes is the longest line that a worker prints.
const maxLineBytes = 16 << 20

// shares divides the seeds of a job among workers; one share means that no worker is needed.
func (s *session) shares(j *job) [][2]uint64 {
	count := j.last - j.first + 1
	workers := min(uint64(max(s.flags.workers, 1)), max(count/minSeedsPerWorker, 1))
	if !s.many || s.flags.on != s.app.defaultBackend() {
		workers = 1
	}
	shares := make([][2]uint64, 0, workers)
	for i := range workers {
		shares = append(shares, [2]uint64{j.first + count*i/workers, j.first + count*(i+1)/workers - 1})
	}
	return shares
}

// workerLine is what a worker prints for each run.
type workerLine struct {
	reports.Summary
	Outcome linearizability.Validity `json:"outcome"`
	Dir     string                   `json:"dir"`
	Page    string                   `json:"page"`
}

// shared runs the seeds of a job in worker processes.
func (s *session) shared(ctx context.Context, j *job, shares [][2]uint64, t *tally) (linearizability.Validity, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lines := make(chan []byte)
	errs := make([]error, len(shares))
	var workers sync.WaitGroup
	for i, share := range shares {
		workers.Go(func() { errs[i] = s.worker(ctx, j, share, lines) })
	}
	go func() { workers.Wait(); close(lines) }()
	worst := linearizability.Valid
	var failed error
	for text := range lines {
		var line workerLine
		if err := json.Unmarshal(text, &line); err != nil {
			failed = fmt.Errorf("reading a worker's line: %w", err)
			cancel()
			continue
		}
		s.progress.run(fmt.Sprintf("%s, seed %d", j.scenario.Name, line.Seed))
		t.count(line.Outcome, line.Reproduce)
		t.reached(line.Probes)
		worst = worse(worst, line.Outcome)
		s.showLine(text, &line)
	}
	return worst, errors.Join(append(errs, failed)...)
}

// worker runs one share and hands on what it prints.
func (s *session) worker(ctx context.Context, j *job, share [2]uint64, lines chan<- []byte) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, s.workerArgs(j, share)...)
	cmd.Args[0] = os.Args[0]
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting a worker: %w", err)
	}
	scanner := bufio.NewScanner(out)
	scanner.Buffer(nil, maxLineBytes)
	for scanner.Scan() {
		lines <- bytes.Clone(scanner.Bytes())
	}
	err = errors.Join(scanner.Err(), cmd.Wait())
	var exited *exec.ExitError
	if errors.As(err, &exited) && (exited.ExitCode() == ExitInvalid || exited.ExitCode() == ExitUnknown) {
		return nil // the lines say so
	}
	if err != nil && ctx.Err() == nil {
		return &workerError{share, problems.String(), err}
	}
	return nil
}

// workerError is the end of a worker that has not made all of its runs.
type workerError struct {
	share [2]uint64
	said  string
	err   error
}

func (e *workerError) Error() string {
	return fmt.Sprintf("worker for seeds %d to %d: %v\n%s", e.share[0], e.share[1], e.err, e.said)
}

func (e *workerError) Unwrap() error { return e.err }

func (s *session) workerArgs(j *job, share [2]uint64) []string {
	args := []string{"run", j.source.word, "--json", "--workers", "1", "--runs", s.flags.runs,
		"--seeds", fmt.Sprintf("%d-%d", share[0], share[1])}
	if s.flags.twice {
		args = append(args, "--twice")
	}
	if s.flags.keep {
		args = append(args, "--keep")
	}
	if s.flags.topology != "" {
		args = append(args, "--topology", s.flags.topology)
	}
	return args
}

// showLine prints a worker's run if it is to be shown.
func (s *session) showLine(text []byte, line *workerLine) {
	s.progress.clear()
	if s.flags.json {
		fmt.Fprintf(s.app.Stdout, "%s\n", text)
		return
	}
	if line.Outcome == linearizability.Valid {
		return
	}
	fmt.Fprintf(s.app.Stdout, "%s  %s, seed %d\n", line.Verdict, line.Scenario, line.Seed)
	for _, c := range line.Checks {
		if c.Verdict != linearizability.Valid {
			fmt.Fprintf(s.app.Stdout, "  %s: %s: %s\n", c.Checker, c.Verdict, c.Summary)
		}
	}
	fmt.Fprintf(s.app.Stdout, "  page: %s\n  reproduce: %s\n", line.Page, line.Reproduce)
}
