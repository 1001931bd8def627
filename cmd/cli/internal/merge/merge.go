// Package merge makes one result of the journals that the shards of a campaign wrote.
//
// Package merge never makes a run, and never counts one twice: journals that cannot belong together are an
// error.
package merge

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/cmd/cli/internal/journal"
	"github.com/holdfast-sim/holdfast/cmd/cli/internal/shard"
	"github.com/holdfast-sim/holdfast/reports/campaign"
)

// ErrApart means that journals do not belong to one campaign; its text names the file and what to do.
var ErrApart = errors.New("these journals are not of one campaign")

// Result is what all journals hold together.
type Result struct {
	Summary  *campaign.Summary
	Outcomes []campaign.Outcome
	// Missing are the shards, such as 3/4, of which there is no run.
	Missing []string
}

// merger takes the runs of one journal after the other.
type merger struct {
	Result
	program string
	count   uint64            // of shards, 0 for a campaign without
	from    string            // the file that program and count were read from
	texts   map[string]string // scenario -> digest of its text
	files   map[run]string    // run -> its file
	shards  map[uint64]bool   // of which there are runs
}

// run names a run in a campaign.
type run struct {
	scenario, strategy string
	seed               uint64
}

// Files reads the journals and adds them up. The result does not depend on the order of the files.
func Files(paths []string) (*Result, error) {
	m := &merger{Result: Result{Summary: campaign.New()}, texts: map[string]string{}, files: map[run]string{},
		shards: map[uint64]bool{}}
	var records []timedRecord
	for _, path := range paths {
		of, err := journal.Records(path)
		if err != nil {
			return nil, err
		}
		var now time.Duration
		for i := range of {
			r := &of[i]
			if err := m.check(path, r); err != nil {
				return nil, err
			}
			if r.Small == nil {
				now += r.Cost()
			}
			rebase(path, r)
			records = append(records, timedRecord{r, now})
		}
	}
	if len(records) == 0 {
		return nil, fmt.Errorf("%w: they hold no run; name the journals that campaign --shard wrote",
			ErrApart)
	}
	slices.SortFunc(records, func(a, b timedRecord) int {
		return cmp.Or(cmp.Compare(a.at, b.at), compare(a.Record, b.Record))
	})
	for _, r := range records {
		m.Summary.Expect(r.Scenario, r.ExpectedProbes)
		m.Summary.Add(r.Outcome)
	}
	slices.SortFunc(records, func(a, b timedRecord) int { return compare(a.Record, b.Record) })
	for _, r := range records {
		if r.Small == nil {
			m.Outcomes = append(m.Outcomes, r.Outcome)
		}
	}
	for number := uint64(1); number <= m.count; number++ {
		if !m.shards[number] {
			m.Missing = append(m.Missing, shard.Shard{Number: number, Count: m.count}.String())
		}
	}
	return &m.Result, nil
}

// check returns an error if a run cannot be of the same campaign as those before it.
func (m *merger) check(path string, r *journal.Record) error {
	s, err := shard.Parse(r.Shard)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrApart, path, err)
	}
	if m.from == "" {
		m.program, m.count, m.from = r.Program, s.Count, path
	}
	switch {
	case r.Program != m.program:
		return fmt.Errorf("%w: %s and %s hold runs of different builds; "+
			"build the program once for all shards", ErrApart, m.from, path)
	case s.Count != m.count:
		return fmt.Errorf("%w: %s is of %d shards and %s of %d; merge the shards of one campaign", ErrApart,
			m.from, m.count, path, s.Count)
	}
	text, known := m.texts[r.Scenario]
	if known && text != r.Text {
		return fmt.Errorf("%w: %s holds runs of another text of scenario %s; "+
			"run all shards from the same files", ErrApart, path, r.Scenario)
	}
	m.texts[r.Scenario] = r.Text
	if r.Small != nil {
		return nil // a note about a run that the journal holds as well
	}
	id := run{r.Scenario, r.Strategy, r.Seed}
	if other, twice := m.files[id]; twice {
		return fmt.Errorf("%w: seed %d of %s is in %s and in %s; name each journal once, "+
			"and give each shard a number of its own", ErrApart, r.Seed, r.Scenario, other, path)
	}
	m.files[id], m.shards[s.Number] = path, true
	return nil
}

// timedRecord is a record with the processor time of its shard when it was written: shards run at the
// same time.
type timedRecord struct {
	*journal.Record
	at time.Duration
}

// rebase makes a run's folder one beside the journal if it is there: a journal and its folders may come from
// another machine.
func rebase(path string, r *journal.Record) {
	if r.Folder == "" {
		return
	}
	here := filepath.Join(filepath.Dir(path), filepath.Base(filepath.Dir(r.Folder)), filepath.Base(r.Folder))
	if _, err := os.Stat(here); err != nil {
		return
	}
	if r.Small != nil {
		r.Small.File = filepath.Join(here, filepath.Base(r.Small.File))
	}
	r.Folder = here
}

// compare orders runs by scenario, strategy and seed.
func compare(a, b *journal.Record) int {
	return cmp.Or(cmp.Compare(a.Scenario, b.Scenario), cmp.Compare(a.Strategy, b.Strategy),
		cmp.Compare(a.Seed, b.Seed))
}

// AnyInvalid reports whether a run ended otherwise than expected, and not just without a verdict.
func (r *Result) AnyInvalid() bool { return campaign.AnyInvalid(r.Outcomes) }
