package shrink

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
)

// Attempt asks whether a scenario fails with one of some seeds.
type Attempt struct {
	Scenario *scenarios.Scenario
	// Seeds are tried in this order, until one fails.
	Seeds []uint64
	// Property is the name of the check that must find a violation.
	Property string
	// Overrides replace draws of each run.
	Overrides []draw.Override
}

// Result is what came of an attempt.
type Result struct {
	// Failed reports whether the check found a violation; the rest describes that run.
	Failed     bool   `json:"failed"`
	Seed       uint64 `json:"seed"`
	Operations int    `json:"operations"` // that clients called, without the reads after quiescence
	Faults     int    `json:"faults"`     // that were injected
	Summary    string `json:"summary"`    // of the check
}

// Trier runs scenarios. Its methods may be called by several goroutines at a time.
type Trier interface {
	// Try makes the runs of an attempt. A scenario that is no valid one does not fail. An error ends the
	// search.
	Try(ctx context.Context, a Attempt) (Result, error)
}

// Options of a search.
type Options struct {
	// Seed is that of the run which failed.
	Seed uint64
	// Property is the name of the check that found a violation.
	Property string
	// Overrides replace draws of the run which failed. Those of a nemesis become the faults that they give,
	// and of the others as many as possible are left out.
	Overrides []draw.Override
	// Judge is the subject's, which decides which faults a nemesis may draw; nil: those that leave a
	// majority.
	Judge scenarios.Judge
	// Functions are the operations that the workload mixes unless the scenario has a mix; nil leaves the mix
	// as it is.
	Functions []string
	// Seeds is how many other seeds each smaller scenario is tried with; 0 stands for [DefaultSeeds].
	Seeds int
	// Parallel is how many attempts are under way at a time; 0 stands for 1.
	Parallel int
	// Progress, if not nil, is called after each smaller scenario that fails, and from time to time.
	Progress func(Small)
}

// OptionsFor returns the options for a failing run of a subject.
func OptionsFor(subject scenarios.Subject, seed uint64, property string) Options {
	o := Options{Seed: seed, Property: property, Judge: subject.Judge()}
	if client := subject.Client(); client != nil {
		for _, w := range client.Functions() {
			if w.Weight > 0 {
				o.Functions = append(o.Functions, w.F)
			}
		}
	}
	return o
}

// DefaultSeeds is how many other seeds a smaller scenario is tried with.
const DefaultSeeds = 6

// Small is the smallest failing scenario so far.
type Small struct {
	Scenario *scenarios.Scenario
	Result
	// Overrides replace draws of the scenario's run: without them it may not fail.
	Overrides []draw.Override
	// Attempts is how many smaller scenarios were tried, Accepted how many of them failed.
	Attempts, Accepted int
	// Finished reports whether the search ended because nothing more can be left out.
	Finished bool
}

// ErrNoFailure means that the scenario does not fail as the options say.
var ErrNoFailure = errors.New("the run does not fail")

// maxRounds bounds how often all parts are tried again after something was left out.
const maxRounds = 20

// Shrink searches until nothing more can be left out or the context ends, and returns the smallest failing
// scenario that it found. It fails with ErrNoFailure if the given one does not fail with the seed.
func Shrink(ctx context.Context, t Trier, s *scenarios.Scenario, o Options) (*Small, error) {
	if o.Seeds == 0 {
		o.Seeds = DefaultSeeds
	}
	o.Parallel = max(o.Parallel, 1)
	plain, err := asFile(s)
	if err != nil {
		return nil, err
	}
	first, err := t.Try(ctx, Attempt{plain, []uint64{o.Seed}, o.Property, o.Overrides})
	if err != nil {
		return nil, err
	}
	if !first.Failed {
		return nil, fmt.Errorf("%w: check %s finds no violation in %s with seed %d", ErrNoFailure, o.Property,
			s.Name, o.Seed)
	}
	search := &search{ctx: ctx, trier: t, options: o, best: Small{Scenario: plain, Result: first,
		Overrides: o.Overrides}}
	for range maxRounds {
		before := search.best.Accepted
		for _, pass := range passes {
			pass(search)
		}
		if search.err != nil || ctx.Err() != nil {
			break
		}
		if search.best.Accepted == before {
			search.best.Finished = true
			break
		}
	}
	return &search.best, search.err
}

// asFile returns a scenario as it would be read from its file, so that the subject's part is a tree of which
// parts can be left out.
func asFile(s *scenarios.Scenario) (*scenarios.Scenario, error) {
	data, err := scenarios.Marshal(s)
	if err != nil {
		return nil, err
	}
	return scenarios.ParseScenario(s.Subject.File(), data)
}

// search is one search under way.
type search struct {
	ctx     context.Context
	trier   Trier
	options Options
	best    Small
	err     error
}

// passes are the parts of a scenario that can be made smaller, in the order in which they are tried: what
// removes most comes first.
var passes = []func(*search){(*search).shrinkNemesis, (*search).shrinkOverrides, (*search).shrinkFaults,
	(*search).advanceFaults,
	(*search).shrinkDuration, (*search).shrinkMachines, (*search).shrinkSubject, (*search).shrinkWorkload,
	(*search).simplifyFaults}

// seeds are those with which a smaller scenario is tried: the one of the best so far comes first.
func (s *search) seeds() []uint64 {
	all := []uint64{s.best.Seed}
	for seed := uint64(1); len(all) <= s.options.Seeds; seed++ {
		if seed != s.best.Seed {
			all = append(all, seed)
		}
	}
	return all
}

// accept tries scenarios and takes the first of them that fails as the best. It returns its index, -1 if
// none fails.
func (s *search) accept(smaller ...*scenarios.Scenario) int {
	for from := 0; from < len(smaller); from += s.options.Parallel {
		batch := smaller[from:min(from+s.options.Parallel, len(smaller))]
		if at := s.acceptBatch(batch); at >= 0 {
			return from + at
		}
		if s.err != nil {
			return -1
		}
	}
	return -1
}

// acceptBatch tries scenarios at the same time. The first in their order wins, as if one had been tried after
// the other.
func (s *search) acceptBatch(batch []*scenarios.Scenario) int {
	if s.err != nil || s.ctx.Err() != nil {
		return -1
	}
	results, errs := make([]Result, len(batch)), make([]error, len(batch))
	seeds := s.seeds()
	var attempts sync.WaitGroup
	for i, smaller := range batch {
		attempts.Go(func() {
			results[i], errs[i] = s.trier.Try(s.ctx, Attempt{smaller, seeds, s.options.Property,
				s.best.Overrides})
		})
	}
	attempts.Wait()
	if s.ctx.Err() != nil {
		return -1
	}
	if s.err = errors.Join(errs...); s.err != nil {
		return -1
	}
	for i, r := range results {
		s.best.Attempts++
		if r.Failed {
			s.best.Scenario, s.best.Result = batch[i], r
			s.best.Accepted++
			s.report()
			return i
		}
	}
	s.report()
	return -1
}

func (s *search) report() {
	if s.options.Progress != nil {
		s.options.Progress(s.best)
	}
}

// change returns a copy of the best scenario with a change. The subject's part and the faults may be changed
// in place.
func (s *search) change(edit func(*scenarios.Scenario)) *scenarios.Scenario {
	c := *s.best.Scenario
	c.Faults = cloneFaults(c.Faults)
	if c.Nemesis != nil {
		nemesis := *c.Nemesis
		c.Nemesis = &nemesis
	}
	c.Subject.Node = cloneNode(c.Subject.Node)
	edit(&c)
	return &c
}

// removeParts leaves out parts of a list of the best scenario, half of it first, at last single elements.
func (s *search) removeParts(count func() int, without func(from, to int) *scenarios.Scenario) {
	for size := count(); size >= 1; size /= 2 {
		for from := 0; from < count(); {
			var batch []*scenarios.Scenario
			for at := from; at < count() && len(batch) < s.options.Parallel; at += size {
				batch = append(batch, without(at, min(at+size, count())))
			}
			switch at := s.acceptBatch(batch); {
			case s.err != nil || s.ctx.Err() != nil:
				return
			case at >= 0:
				from += at * size // what follows has moved there
			default:
				from += len(batch) * size
			}
		}
	}
}

func cloneNode(n *yaml.Node) *yaml.Node {
	if n == nil {
		return nil
	}
	c := *n
	c.Content = nil
	for _, child := range n.Content {
		c.Content = append(c.Content, cloneNode(child))
	}
	return &c
}
