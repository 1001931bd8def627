// Package search carries out a campaign: it takes turns between scenarios and strategies, records each run in
// the journal before it counts it, groups failures, and stops when there is nothing left to run.
//
// Package search never makes a run itself and never reads a command line: the caller does.
package search

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/cmd/cli/internal/journal"
	"github.com/holdfast-sim/holdfast/cmd/cli/internal/progress"
	"github.com/holdfast-sim/holdfast/cmd/cli/internal/turns"
	"github.com/holdfast-sim/holdfast/cmd/cli/internal/workers"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/reports/campaign"
)

// Result is one run.
type Result struct {
	campaign.Outcome
	// Behaviour is what the run did, see package explore.
	Behaviour []uint32
}

// Unit is one scenario with one strategy, and the seeds that it runs with.
type Unit struct {
	Scenario    string
	Strategy    string // "" for a scenario as it is written
	First, Last uint64
	// Drawn means that each seed draws another scenario.
	Drawn bool
	// Step is the distance from one seed to the next; 0 stands for 1.
	Step uint64
	// Run makes the run of a seed in a worker process. It returns when the run has ended.
	Run func(ctx context.Context, seed uint64) Result
	// Repeat makes it again in a process with other settings of the Go runtime, and returns its digest.
	// Nil: runs are not repeated.
	Repeat func(ctx context.Context, seed uint64) (digest string, err error)
}

// Campaign is a campaign. Its exported fields must be set before the first call.
type Campaign struct {
	Units   []Unit
	Summary *campaign.Summary
	Journal *journal.Journal
	Workers int
	// Budget is the time after which no run is begun; 0 means no limit.
	Budget time.Duration
	// OpenEnded campaigns prefer what still shows new behaviour, and have no number of runs to reach.
	OpenEnded   bool
	StopAtFirst bool
	// Shrink makes a run small in which the check found the first violation of its group; nil: nothing does.
	// Meanwhile no run is begun.
	Shrink func(ctx context.Context, o *campaign.Outcome, checker string) (*campaign.Small, error)
	// Counted, if not nil, is called after each run that was counted.
	Counted  func() error
	Progress *progress.Line
	Stderr   io.Writer

	// Outcomes are the runs of this and earlier parts of the campaign. Of those that did not fail the probes
	// and checks are left out.
	Outcomes []campaign.Outcome
	// Restored is how many of them earlier parts have made, Repeated how many were made again.
	Restored, Repeated int

	begin      time.Time
	done       []map[uint64]bool // by unit
	chooser    *turns.Chooser
	behaviours map[uint32]bool
	groups     map[campaign.GroupKey]bool
	stop       context.CancelFunc
}

// Runs returns how many runs the campaign has in all.
func (c *Campaign) Runs() (count int) {
	for i := range c.Units {
		u := &c.Units[i]
		count += int((u.Last-u.First)/max(u.Step, 1)) + 1
	}
	return count
}

// Restore counts the runs of earlier parts of the campaign, each once.
func (c *Campaign) Restore(completed []campaign.Outcome) {
	type name struct{ scenario, strategy string }
	byName := map[name]int{}
	c.done, c.groups = make([]map[uint64]bool, len(c.Units)), map[campaign.GroupKey]bool{}
	c.behaviours = map[uint32]bool{}
	for i := range c.Units {
		byName[name{c.Units[i].Scenario, c.Units[i].Strategy}] = i
		c.done[i] = map[uint64]bool{}
	}
	for i := range completed {
		o := &completed[i]
		if o.Small != nil {
			c.Summary.Add(*o)
			continue
		}
		index, known := byName[name{o.Scenario, o.Strategy}]
		if !known || !c.Units[index].has(o.Seed) || c.done[index][o.Seed] {
			continue
		}
		c.done[index][o.Seed] = true
		c.Restored++
		for _, number := range o.NewBehaviour {
			c.behaviours[number] = true
		}
		c.count(o)
		if o.Failed() {
			c.groups[o.Group()] = true
		}
	}
}

// has reports whether a seed is one of the unit's.
func (u *Unit) has(seed uint64) bool {
	return seed >= u.First && seed <= u.Last && (seed-u.First)%max(u.Step, 1) == 0
}

func (c *Campaign) count(o *campaign.Outcome) {
	c.Summary.Add(*o)
	kept := *o
	if !kept.Failed() {
		kept.Probes = nil // of a million runs only the failed ones are kept whole
	}
	kept.NewBehaviour = nil
	c.Outcomes = append(c.Outcomes, kept)
}

// Run makes the missing runs. Each outcome goes into the journal first: what was counted or shown is
// never run again.
func (c *Campaign) Run(ctx context.Context) error {
	var units []turns.Unit
	for i := range c.Units {
		u := &c.Units[i]
		units = append(units, turns.Unit{First: u.First, Last: u.Last, Step: u.Step, Has: c.done[i],
			Drawn: u.Drawn})
	}
	c.chooser, c.begin = turns.New(units, c.OpenEnded), time.Now()
	ctx, c.stop = context.WithCancel(ctx)
	defer c.stop()
	err := workers.RunTasks(ctx, c.Workers, func() (workers.Task, bool) {
		if c.Budget > 0 && time.Since(c.begin) >= c.Budget {
			return nil, false
		}
		index, seed, ok := c.chooser.Next()
		return func() func() error {
			r := c.make(ctx, &c.Units[index], seed)
			return func() error { return c.take(ctx, index, &r) }
		}, ok
	})
	c.Progress.Clear()
	return errors.Join(err, c.Journal.Close())
}

// Took returns how long the runs of this part took in real time.
func (c *Campaign) Took() time.Duration { return time.Since(c.begin) }

// repeatOneIn is how few runs are made again with other settings of the Go runtime.
const repeatOneIn = 25

// OtherSettings are the settings of the Go runtime with which Repeat makes a run: they must not change it.
var OtherSettings = []string{"GOMAXPROCS=1", "GOGC=20", "GODEBUG=asyncpreemptoff=1"}

// make makes a run, and repeats some.
func (c *Campaign) make(ctx context.Context, u *Unit, seed uint64) Result {
	r := u.Run(ctx, seed)
	if u.Repeat == nil || seed%repeatOneIn != repeatOneIn-1 || r.Digest == "" || ctx.Err() != nil {
		return r
	}
	digest, err := u.Repeat(ctx, seed)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		r.Problem = fmt.Sprintf("repeating the run with other settings of the Go runtime: %v", err)
	case digest != r.Digest:
		r.Problem = fmt.Sprintf("the same seed gave another run with other settings of the Go runtime: "+
			"digests %q and %q; to find where they differ, add --twice to the command", r.Digest, digest)
	default:
		r.Repeated = true
	}
	return r
}

// take records, counts and shows a run.
func (c *Campaign) take(ctx context.Context, index int, r *Result) error {
	for _, number := range r.Behaviour {
		if !c.behaviours[number] {
			c.behaviours[number] = true
			r.NewBehaviour = append(r.NewBehaviour, number)
		}
	}
	c.chooser.CountRun(index, r.Cost(), len(r.NewBehaviour))
	if err := c.Journal.Append(r.Outcome); err != nil {
		return err
	}
	c.count(&r.Outcome)
	if r.Repeated {
		c.Repeated++
	}
	if r.Failed() {
		if err := c.takeFailure(ctx, &r.Outcome); err != nil {
			return err
		}
	}
	c.show()
	if c.Counted == nil {
		return nil
	}
	return c.Counted()
}

// Limits of what a campaign prints and does about failures while it runs.
const (
	// maxPrinted is how many failed runs of a group are printed.
	maxPrinted = 3
	// maxShrunk is how many groups are made small.
	maxShrunk = 20
)

// takeFailure prints a failed run, and makes the first violation of each group small.
func (c *Campaign) takeFailure(ctx context.Context, o *campaign.Outcome) error {
	key := o.Group()
	first := !c.groups[key]
	c.groups[key] = true
	if c.Summary.Group(key).Runs <= maxPrinted {
		c.Progress.Clear()
		why, _, _ := strings.Cut(o.Why(), "\n")
		if _, err := fmt.Fprintf(c.Stderr, "%s: %s\n  %s\n", title(o), why, o.Reproduce); err != nil {
			return err
		}
	}
	if first && c.Shrink != nil && len(c.groups) <= maxShrunk && o.Folder != "" && o.Problem == "" &&
		o.Verdict == linearizability.Invalid {
		c.Progress.Clear()
		if err := c.makeSmall(ctx, o, key.Checker); err != nil {
			return err
		}
	}
	if c.StopAtFirst {
		c.stop()
	}
	return nil
}

// makeSmall makes a failed run small, and records the result. That it cannot be made small is printed.
func (c *Campaign) makeSmall(ctx context.Context, o *campaign.Outcome, checker string) error {
	small, err := c.Shrink(ctx, o, checker)
	if err != nil {
		fmt.Fprintf(c.Stderr, "making it smaller: %v\n", err)
		return nil
	}
	note := *o
	note.Small, note.NewBehaviour, note.Probes = small, nil, nil
	c.Summary.Add(note)
	return c.Journal.Append(note)
}

// title names a run.
func title(o *campaign.Outcome) string {
	if o.Strategy != "" {
		return fmt.Sprintf("%s, strategy %s, seed %d", o.Scenario, o.Strategy, o.Seed)
	}
	return fmt.Sprintf("%s, seed %d", o.Scenario, o.Seed)
}

// show shows how far the campaign is.
func (c *Campaign) show() {
	s := c.Summary
	if c.OpenEnded {
		c.Progress.Show(fmt.Sprintf("%d runs, %d failed in %d ways, %d kinds of behaviour", s.Runs, s.Failed,
			len(s.Groups), len(c.behaviours)))
		return
	}
	left := ""
	if made := s.Runs - c.Restored; made > 0 {
		rest := time.Since(c.begin) / time.Duration(made) * time.Duration(c.Runs()-s.Runs)
		if c.Budget > 0 {
			rest = min(rest, c.Budget-time.Since(c.begin))
		}
		left = fmt.Sprintf(", about %s left", max(rest, 0).Round(time.Second))
	}
	c.Progress.Show(fmt.Sprintf("%d of %d runs, %d failed%s", s.Runs, c.Runs(), s.Failed, left))
}

// AnyInvalid reports whether a run ended otherwise than expected, and not just without a verdict.
func (c *Campaign) AnyInvalid() bool { return campaign.AnyInvalid(c.Outcomes) }
