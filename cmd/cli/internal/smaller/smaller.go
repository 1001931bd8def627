// Package smaller is the command that makes a failing run small: it searches, writes the result as a scenario
// file, and prints how to see it.
//
// Package smaller never reads a command line or a run's folder: the caller does.
package smaller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/reports"
	"github.com/holdfast-sim/holdfast/reports/campaign"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/scenarios/shrink"
)

// ErrNothingFails means that the run has no violation that a smaller one could show.
var ErrNothingFails = errors.New("there is no violation to keep")

// Search is one call of the command.
type Search struct {
	Scenario *scenarios.Scenario
	Subject  scenarios.Subject
	// Word is how the scenario was named on the command line; OwnFile is its file, "" for one of a library.
	Word, OwnFile string
	// Property is the check that must find a violation, "" for the first that does.
	Property string
	// Seed is that of the failing run, Seeds how many others each smaller scenario is tried with.
	Seed  uint64
	Seeds int
	// Overrides replace draws of the failing run. As many as possible are left out; if some are needed, a
	// replay file is written beside the scenario.
	Overrides []draw.Override
	// Out is the file to write; "" stands for the scenario's name with a suffix.
	Out string
	// Limit is how long to search, with so many attempts at a time.
	Limit    time.Duration
	Parallel int
	JSON     bool

	// Backend is the name of Runner in replay files.
	Backend string
	Runner  scenarios.Runner
	Trier   shrink.Trier
	Stdout  io.Writer
	// Progress shows a line, Clear removes it.
	Progress func(text string)
	Clear    func()
	// Command writes a command line of this program.
	Command func(args ...string) string
	// Small is the result, once Run has returned without an error.
	Small *shrink.Small
}

// Run searches and prints the result.
func (c *Search) Run(ctx context.Context) error {
	if err := c.findProperty(ctx); err != nil {
		return err
	}
	if c.Out == "" {
		c.Out = c.defaultOut()
	}
	limited, cancel := context.WithTimeout(ctx, c.Limit)
	defer cancel()
	accepted := -1
	var unwritten error
	keep := func(best *shrink.Small) {
		if best.Accepted > accepted && unwritten == nil {
			accepted, unwritten = best.Accepted, c.write(best)
		}
	}
	options := shrink.OptionsFor(c.Subject, c.Seed, c.Property)
	options.Seeds, options.Parallel, options.Overrides = c.Seeds, c.Parallel, c.Overrides
	options.Progress = func(best shrink.Small) {
		c.Progress(describeSize(&best))
		if keep(&best); unwritten != nil {
			cancel()
		}
	}
	small, err := shrink.Shrink(limited, c.Trier, c.Scenario, options)
	c.Clear()
	if err == nil {
		keep(small)
	}
	if err = errors.Join(err, unwritten); err != nil {
		return err
	}
	c.Small = small
	return c.show(small)
}

// findProperty runs the scenario once and returns the check that finds a violation.
func (c *Search) findProperty(ctx context.Context) error {
	run, err := c.Runner.Run(ctx, c.Scenario, c.Subject,
		scenarios.RunOptions{Seed: c.Seed, Overrides: c.Overrides})
	if err != nil {
		return fmt.Errorf("running %s: %w", c.Scenario.Name, err)
	}
	if v := shrink.Violation(run, c.Property); v != nil {
		c.Property, c.Scenario = v.Checker, c.Scenario.WithNemesisOf(run)
		return nil
	}
	var found []string
	for _, v := range run.Verdicts {
		if v.Validity == linearizability.Invalid {
			found = append(found, v.Checker)
		}
	}
	if len(found) > 0 {
		return fmt.Errorf("%w: check %q finds none in %s with seed %d; %s does", ErrNothingFails, c.Property,
			c.Scenario.Name, c.Seed, strings.Join(found, ", "))
	}
	return fmt.Errorf("%w: %s with seed %d is %s; find a seed that fails with: %s", ErrNothingFails,
		c.Scenario.Name, c.Seed, run.Verdict(), c.Command("run", c.Word, "--seeds", "1-1000"))
}

const smallSuffix = "-small"

// name is the name of the result.
func (c *Search) name() string { return strings.TrimSuffix(c.Scenario.Name, smallSuffix) + smallSuffix }

// defaultOut is beside the scenario's own file, because the subject may name other files, else in the present
// folder.
func (c *Search) defaultOut() string {
	if c.OwnFile != "" {
		return filepath.Join(filepath.Dir(c.OwnFile), c.name()+".yaml")
	}
	return c.name() + ".yaml"
}

// titledScenario returns the result as a scenario of its own.
func (c *Search) titledScenario(small *shrink.Small) *scenarios.Scenario {
	s := *small.Scenario
	s.Name = c.name()
	s.Story = fmt.Sprintf("What is left of %s with seed %d, in which check %s found a violation. With seed "+
		"%d it finds: %s", c.Scenario.Name, c.Seed, c.Property, small.Seed, small.Summary)
	return &s
}

// write replaces the file of the result, and the replay file beside it, which exists only if draws are
// replaced.
func (c *Search) write(small *shrink.Small) error {
	text, err := scenarios.Marshal(c.titledScenario(small))
	if err == nil {
		err = replaceFile(c.Out, text)
	}
	if err != nil {
		return fmt.Errorf("writing the smaller scenario: %w", err)
	}
	if len(small.Overrides) == 0 {
		if len(c.Overrides) > 0 { // an earlier file of this search
			err = os.Remove(c.replayFile())
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	overrides, err := json.Marshal(small.Overrides)
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(reports.Replay{Schema: reports.ReplaySchema, Scenario: c.name(),
		File: filepath.Base(c.Out), Backend: c.Backend, Seed: small.Seed, Mode: reports.ModeDerive,
		Overrides: overrides}, "", " ")
	if err == nil {
		err = replaceFile(c.replayFile(), append(data, '\n'))
	}
	if err != nil {
		return fmt.Errorf("writing the replay file of the smaller scenario: %w", err)
	}
	return nil
}

// replaceFile writes a file as a whole or leaves it as it was.
func replaceFile(name string, data []byte) error {
	temporary := name + ".new"
	if err := os.WriteFile(temporary, data, 0o644); err != nil {
		return err
	}
	return os.Rename(temporary, name)
}

// replayFile holds the seed and the replaced draws of a result that needs them.
func (c *Search) replayFile() string {
	return strings.TrimSuffix(c.Out, filepath.Ext(c.Out)) + ".replay.json"
}

// describeSize is the size of a scenario in words.
func describeSize(small *shrink.Small) string {
	s := small.Scenario
	return fmt.Sprintf("%s, %s, %s in %v, after %s",
		count(small.Faults, "fault"), count(len(s.Machines), "machine"), count(small.Operations, "operation"),
		s.Duration, count(small.Attempts, "attempt"))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// smallLine is the line of --json.
type smallLine struct {
	File       string `json:"file"`
	Property   string `json:"property"`
	Seed       uint64 `json:"seed"`
	Summary    string `json:"summary"`
	Faults     int    `json:"faults"`
	Machines   int    `json:"machines"`
	Operations int    `json:"operations"`
	Attempts   int    `json:"attempts"`
	Finished   bool   `json:"finished"`
	Reproduce  string `json:"reproduce"`
}

// reproduce is the command that runs the result.
func (c *Search) reproduce() string {
	if len(c.Small.Overrides) > 0 {
		return c.Command("replay", c.replayFile())
	}
	return c.Command("run", c.Out, "--seed", fmt.Sprint(c.Small.Seed))
}

// Result is the result as a campaign keeps it; nil if there is none.
func (c *Search) Result() *campaign.Small {
	if c.Small == nil {
		return nil
	}
	return &campaign.Small{File: c.Out, Seed: c.Small.Seed, Faults: c.Small.Faults,
		Operations: c.Small.Operations, Machines: len(c.Small.Scenario.Machines), Reproduce: c.reproduce()}
}

// continueCommand is the command that searches on from the result.
func (c *Search) continueCommand() string {
	if len(c.Small.Overrides) > 0 {
		return c.Command("shrink", c.replayFile())
	}
	return c.Command("shrink", c.Out, "--seed", fmt.Sprint(c.Small.Seed))
}

func (c *Search) show(small *shrink.Small) error {
	reproduce := c.reproduce()
	if c.JSON {
		return json.NewEncoder(c.Stdout).Encode(smallLine{File: c.Out, Property: c.Property, Seed: small.Seed,
			Summary: small.Summary, Faults: small.Faults, Machines: len(small.Scenario.Machines),
			Operations: small.Operations, Attempts: small.Attempts, Finished: small.Finished,
			Reproduce: reproduce})
	}
	fmt.Fprintf(c.Stdout, "%s: %s\n", c.Scenario.Name, describeSize(small))
	fmt.Fprintf(c.Stdout, "  %s: %s\n", c.Property, small.Summary)
	kinds := map[string]bool{}
	for _, f := range small.Scenario.Faults {
		kinds[string(f.Kind)] = true
	}
	if len(kinds) > 0 {
		var names []string
		for kind := range kinds {
			names = append(names, kind)
		}
		slices.Sort(names)
		fmt.Fprintf(c.Stdout, "  faults: %s\n", strings.Join(names, ", "))
	}
	if !small.Finished {
		fmt.Fprintf(c.Stdout, "the time is over; to go on:\n  %s\n", c.continueCommand())
	}
	fmt.Fprintf(c.Stdout, "to reproduce:\n  %s\n", reproduce)
	return nil
}
