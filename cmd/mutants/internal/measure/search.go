package measure

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/reports/campaign"
)

const (
	// lookEvery is the time between two looks at a campaign's journal and processor time.
	lookEvery = 250 * time.Millisecond
	// endTime is how long an interrupted program has to end.
	endTime = 20 * time.Second
	// mostSeeds is how many seeds a campaign accepts as a range.
	mostSeeds = 1_000_000
)

// search is the search for one bug: one campaign.
type search struct {
	Options
	program   string
	unchanged string // the program without the bug; "" if there is no bug
	start     uint64
}

// run searches until a run shows a violation or the limit is reached.
func (s *search) run(ctx context.Context) (*Record, error) {
	folder, err := os.MkdirTemp(s.Scratch, "runs-")
	if err != nil {
		return nil, fmt.Errorf("creating a folder for runs: %w", err)
	}
	defer os.RemoveAll(folder)
	args := []string{"campaign", "--quiet", "--shrink", "0", "--workers", strconv.Itoa(s.Processes),
		"--for", (busyFactor * s.Limit).String(), "--runs", folder}
	if s.start > 1 {
		args = append(args, "--seeds", fmt.Sprintf("%d-%d", s.start, s.start+mostSeeds-1))
	}
	cmd := exec.Command(s.program, args...)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting a campaign: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	watch := &watch{path: filepath.Join(folder, "campaign.jsonl")}
	err = s.await(ctx, cmd.Process, ended, watch)
	r := &Record{Runs: watch.runs, Shared: watch.shared, CPUSeconds: watch.cpu.Seconds(),
		WallSeconds: time.Since(begin).Round(10 * time.Millisecond).Seconds()}
	if watch.violation == nil || watch.cpu == 0 {
		r.CPUSeconds = max(cpuSeconds(cmd.ProcessState), r.CPUSeconds)
	}
	if err == nil && watch.runs == 0 {
		err = errors.New("the campaign made no run")
	}
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, problems.Bytes())
	}
	if watch.violation != nil {
		r.add(watch.violation)
		r.Small, err = s.shrink(ctx, watch.violation)
	}
	return r, err
}

// await returns when the campaign has ended: by itself, or because it was interrupted.
func (s *search) await(ctx context.Context, p *os.Process, ended <-chan error, w *watch) error {
	ticks := time.NewTicker(lookEvery)
	defer ticks.Stop()
	for {
		select {
		case err := <-ended:
			var exited *exec.ExitError
			if err != nil && !errors.As(err, &exited) {
				return err
			}
			return s.lookForViolation(ctx, w) // runs that ended since the last look
		case <-ctx.Done():
			interrupt(p, ended)
			return context.Cause(ctx)
		case <-ticks.C:
			w.cpu = cpuOf(p.Pid)
			err := s.lookForViolation(ctx, w)
			// The first run may end after the limit: a search without a run would tell nothing.
			if err != nil || w.violation != nil || w.runs > 0 && w.cpu >= s.Limit {
				interrupt(p, ended)
				return err
			}
		}
	}
}

// lookForViolation reads the new lines of the journal up to a violation that the unchanged program does
// not show.
func (s *search) lookForViolation(ctx context.Context, w *watch) error {
	for {
		if err := w.readNewLines(); err != nil || w.violation == nil {
			return err
		}
		isShared, err := s.isShared(ctx, w.violation)
		if err != nil || !isShared {
			return err
		}
		w.violation = nil
		w.shared++
	}
}

// isShared reports whether a run is wrong in the unchanged program as well.
func (s *search) isShared(ctx context.Context, o *campaign.Outcome) (bool, error) {
	if s.unchanged == "" || o.Problem != "" {
		return false, nil
	}
	folder, err := os.MkdirTemp(s.Scratch, "runs-")
	if err != nil {
		return false, fmt.Errorf("creating a folder for runs: %w", err)
	}
	defer os.RemoveAll(folder)
	args := []string{"run", o.Scenario, "--seed", strconv.FormatUint(o.Seed, 10), "--json", "--runs", folder}
	if o.Strategy != "" {
		args = append(args, "--strategy", o.Strategy)
	}
	cmd := exec.CommandContext(ctx, s.unchanged, args...)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	var exited *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exited) {
		return false, fmt.Errorf("running %s with the unchanged program: %w", o.Scenario, err)
	}
	var again campaign.Outcome
	if err := json.Unmarshal(out.Bytes(), &again); err != nil {
		return false, fmt.Errorf("running %s with the unchanged program: %w\n%s", o.Scenario, err,
			problems.Bytes())
	}
	return shows(&again), nil
}

// interrupt ends a program in order, or after a time not in order, and waits for that.
func interrupt(p *os.Process, ended <-chan error) {
	if p.Signal(os.Interrupt) != nil {
		_ = p.Kill()
	}
	select {
	case <-ended:
	case <-time.After(endTime):
		_ = p.Kill()
		<-ended
	}
}

// watch reads the journal of a campaign while it grows.
type watch struct {
	path      string
	offset    int64
	runs      int
	shared    int               // violations that the unchanged program shows as well
	violation *campaign.Outcome // the first other one
	cpu       time.Duration     // of the campaign, as it was seen last; 0 where it is not known
}

// readNewLines reads the lines that are new and whole, up to the first violation.
func (w *watch) readNewLines() error {
	file, err := os.Open(w.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the campaign's journal: %w", err)
	}
	defer file.Close()
	if _, err := file.Seek(w.offset, io.SeekStart); err != nil {
		return fmt.Errorf("reading the campaign's journal: %w", err)
	}
	for lines := bufio.NewReader(file); w.violation == nil; {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		var o campaign.Outcome
		if err == nil {
			err = json.Unmarshal(line, &o)
		}
		if err != nil {
			return fmt.Errorf("reading the campaign's journal: %w", err)
		}
		w.offset += int64(len(line))
		w.runs++
		if shows(&o) {
			w.violation = &o
		}
	}
	return nil
}

// shows reports whether a run shows that something is wrong: not one that could merely not be decided.
func shows(o *campaign.Outcome) bool {
	return o.Failed() && (o.Problem != "" || o.Verdict != linearizability.Unknown)
}

// add notes the run that shows the bug.
func (r *Record) add(o *campaign.Outcome) {
	r.Found, r.Scenario, r.Strategy, r.Seed = true, o.Scenario, o.Strategy, o.Seed
	r.Why, r.Reproduce = firstLine(o.Why()), o.Reproduce
	for _, c := range o.Checks {
		if c.Verdict == linearizability.Invalid {
			r.Checks = append(r.Checks, c.Checker)
		}
	}
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// shrink makes a failing run small. A run without a violation cannot be made small.
func (s *search) shrink(ctx context.Context, o *campaign.Outcome) (*Small, error) {
	if s.Shrink == 0 || o.Problem != "" || o.Verdict != linearizability.Invalid || o.Folder == "" {
		return nil, nil
	}
	cmd := exec.CommandContext(ctx, s.program, "shrink", o.Folder, "--for", s.Shrink.String(), "--json",
		"--quiet", "--workers", strconv.Itoa(s.Processes), "--out", filepath.Join(o.Folder, "small.yaml"))
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = endTime
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("making a run small: %w\n%s", err, problems.Bytes())
	}
	small := &Small{}
	if err := json.Unmarshal(out.Bytes(), small); err != nil {
		return nil, fmt.Errorf("reading the size of a run: %w", err)
	}
	small.CPUSeconds = cpuSeconds(cmd.ProcessState)
	return small, nil
}

// cpuSeconds is the processor time of a program that has ended, and of the processes for which it waited.
func cpuSeconds(p *os.ProcessState) float64 {
	return (p.UserTime() + p.SystemTime()).Round(10 * time.Millisecond).Seconds()
}
