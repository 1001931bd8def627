// Package tryworkers makes the attempts of package shrink in worker processes.
//
// Package tryworkers never decides which scenarios are tried.
package tryworkers

import (
	"context"
	"errors"
	"io"

	"github.com/holdfast-sim/holdfast/cmd/cli/internal/workers"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/scenarios/shrink"
)

// request is an attempt as a worker reads it.
type request struct {
	File     string   `json:"file"` // against which a subject resolves paths
	Scenario string   `json:"scenario"`
	Seeds    []uint64 `json:"seeds"`
	Property string   `json:"property"`

	Overrides []draw.Override `json:"overrides,omitempty"`
}

// answer is what a worker writes.
type answer struct {
	shrink.Result
	Error string `json:"error,omitempty"`
}

// Serve is a worker: it makes an attempt for each request that it reads, until the input ends.
func Serve(ctx context.Context, in io.Reader, out io.Writer, t shrink.Trier) error {
	return workers.Serve(in, out, func(r request) (a answer) {
		s, err := scenarios.ParseScenario(r.File, []byte(r.Scenario))
		if err != nil {
			return a // a scenario that cannot be read shows no violation
		}
		attempt := shrink.Attempt{Scenario: s, Seeds: r.Seeds, Property: r.Property,
			Overrides: r.Overrides}
		if a.Result, err = t.Try(ctx, attempt); err != nil {
			a.Error = err.Error()
		}
		return a
	})
}

// Pool makes attempts in worker processes. It implements shrink.Trier.
type Pool struct{ *workers.Pool[request, answer] }

// New returns a pool of so many workers, each this program with the arguments. Close ends them.
func New(count int, args ...string) Pool { return Pool{workers.New[request, answer](count, args...)} }

// Try implements shrink.Trier. If a worker dies in an attempt, the attempt shows no violation: what ends a
// process cannot be compared with a check's violation.
func (p Pool) Try(ctx context.Context, a shrink.Attempt) (shrink.Result, error) {
	text, err := scenarios.Marshal(a.Scenario)
	if err != nil {
		return shrink.Result{}, nil
	}
	result, err := p.Ask(ctx, request{File: a.Scenario.Subject.File(), Scenario: string(text), Seeds: a.Seeds,
		Property: a.Property, Overrides: a.Overrides})
	var died *workers.DiedError
	switch {
	case errors.As(err, &died):
		return shrink.Result{}, nil
	case err == nil && result.Error != "":
		err = errors.New(result.Error)
	}
	return result.Result, err
}
