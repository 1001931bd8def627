// Package measure measures what a campaign without arguments finds of planted bugs: it searches for each with
// the program that has it, until the first violation or until the processor time is used up, makes the
// failing run small, and records the result in a journal.
//
// Package measure never builds a program and never looks at a bug: the caller does.
package measure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// Target is a bug to search for.
type Target struct {
	Name    string
	HeldOut bool
	// Package is the folder of the source file that the bug changes.
	Package string
	// Build makes the program that has the bug; the program is removed after use.
	Build func(ctx context.Context) (program string, remove func(), err error)
}

// Options are the settings of a measurement.
type Options struct {
	// Limit is the processor time of each search, CanaryLimit that of the search in the unchanged program. A
	// search ends at its limit, but not before its first run has, and also after busyFactor times as long.
	Limit, CanaryLimit time.Duration
	// Starts are the first seeds; each bug is searched for once from each.
	Starts []uint64
	// Shrink is how long a failing run is made small; 0: it is not.
	Shrink time.Duration
	// Workers is how many bugs are searched for at a time, Processes how many processes each campaign has.
	Workers, Processes int
	// Journal is the file of the records, Restart discards those in it.
	Journal string
	Restart bool
	// Scratch is a folder for the folders of runs, which are removed after use.
	Scratch string
	// Progress gets a line at the begin of each search.
	Progress io.Writer
	// Found gets each record of this measurement, one at a time.
	Found func(*Record)
}

// busyFactor is how many times its processor time a search may take: on a busy machine, or where processor
// time is not known.
const busyFactor = 4

// ErrUnclean means that the campaign finds a violation without a planted bug.
var ErrUnclean = errors.New("the campaign finds a violation in the unchanged program")

// job is one search.
type job struct {
	target Target
	start  uint64
}

// Run makes the missing searches, first the one in the unchanged program. A run that is wrong in that program
// as well does not count for a bug. It returns the records of all searches, also those that an earlier
// measurement has left in the journal. It fails with [ErrUnclean], after all searches, and with
// [ErrOtherBuild] if the journal belongs to other programs.
func Run(ctx context.Context, o Options, unchanged Target, targets []Target) ([]Record, error) {
	program, remove, err := unchanged.Build(ctx)
	if err != nil {
		return nil, err
	}
	defer remove()
	j, err := openJournal(o.Journal, program, o.Restart)
	if err != nil {
		return nil, err
	}
	defer j.close()
	m := &measurement{Options: o, unchanged: program, journal: j}
	unclean := m.searchUnchanged(ctx, unchanged)
	if unclean != nil && !errors.Is(unclean, ErrUnclean) {
		return j.records, unclean
	}
	err = m.searchAll(ctx, targets)
	return j.records, errors.Join(unclean, err)
}

// measurement is one call of Run.
type measurement struct {
	Options
	unchanged string // the program without a bug
	mu        sync.Mutex
	journal   *journal
}

// searchUnchanged searches in the unchanged program. It fails with ErrUnclean at a violation.
func (m *measurement) searchUnchanged(ctx context.Context, unchanged Target) error {
	for _, start := range m.Starts {
		r := m.journal.find(unchanged.Name, start, m.CanaryLimit)
		if r == nil {
			m.announce(unchanged.Name, start)
			s := &search{Options: m.Options, program: m.unchanged, start: start}
			s.Limit, s.Shrink = m.CanaryLimit, 0
			found, err := s.run(ctx)
			if err != nil {
				return err
			}
			found.name(unchanged, start, m.CanaryLimit)
			if err := m.take(found); err != nil {
				return err
			}
			r = found
		}
		if r.Found {
			return fmt.Errorf("%w: %s: %s", ErrUnclean, r.Why, r.Reproduce)
		}
	}
	return nil
}

// searchAll makes the missing searches, several at a time.
func (m *measurement) searchAll(outer context.Context, targets []Target) error {
	var missing []job
	for _, start := range m.Starts {
		for _, t := range targets {
			if m.journal.find(t.Name, start, m.Limit) == nil {
				missing = append(missing, job{t, start})
			}
		}
	}
	ctx, cancel := context.WithCancel(outer) // the first error ends the other searches
	defer cancel()
	jobs, errs := make(chan job), make(chan error, m.Workers)
	for range m.Workers {
		go func() {
			var failed error
			for j := range jobs {
				if failed == nil {
					failed = m.searchOne(ctx, j)
				}
				if failed != nil {
					cancel()
				}
			}
			errs <- failed
		}()
	}
	for i, j := range missing {
		if ctx.Err() != nil {
			break
		}
		fmt.Fprintf(m.Progress, "%d of %d: ", i+1, len(missing))
		m.announce(j.target.Name, j.start)
		jobs <- j
	}
	close(jobs)
	failed := []error{context.Cause(outer)}
	for range m.Workers {
		if err := <-errs; !errors.Is(err, context.Canceled) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

func (m *measurement) searchOne(ctx context.Context, j job) error {
	program, remove, err := j.target.Build(ctx)
	if err != nil {
		return err
	}
	defer remove()
	s := &search{Options: m.Options, program: program, unchanged: m.unchanged, start: j.start}
	r, err := s.run(ctx)
	if err != nil {
		return fmt.Errorf("searching for %s: %w", j.target.Name, err)
	}
	r.name(j.target, j.start, m.Limit)
	return m.take(r)
}

func (m *measurement) announce(name string, start uint64) {
	fmt.Fprintf(m.Progress, "searching for %s from seed %d\n", name, start)
}

// take records a result and shows it.
func (m *measurement) take(r *Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.journal.add(r); err != nil {
		return err
	}
	m.Found(r)
	return nil
}
