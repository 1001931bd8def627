package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/holdfast-sim/holdfast/cmd/cli/internal/campaignflags"
	"github.com/holdfast-sim/holdfast/cmd/cli/internal/seeds"
	"github.com/holdfast-sim/holdfast/cmd/cli/internal/sources"
	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/scenarios/explore"
)

// Limits and defaults of plans.
const (
	defaultSeed = 1
	defaultRuns = campaignflags.DefaultRuns
)

// job is one scenario with the seeds that it runs with, from first to last.
type job struct {
	source      sources.Source
	scenario    *scenarios.Scenario
	subject     scenarios.Subject
	first, last uint64
	// taken is what a folder of configuration files has given the scenario, see Kind.Etc.
	taken []string
}

// plan is what run and campaign have in common: the jobs and how each run of them is made.
type plan struct {
	app       *app
	jobs      []job
	backend   *Backend
	timescale timescale.Ratio
	// runs is the folder for run folders. Those of unexpected runs are written, or with keepAll those
	// of all runs.
	runs    string
	keepAll bool
	// alone means that each job has one run, which must reach the expected probes.
	alone bool
	// twice makes each run two times and compares the digests.
	twice   bool
	workers int
	// strategy changes the scenario before each run; "" leaves it as it is written.
	strategy string
	// branches give every run other futures.
	branches []draw.Branch
	// bare means that no run has a folder.
	bare bool
	// behaviour, when set, gets what each run does.
	behaviour *explore.Behaviour
	// topology, etc and timescaleFlag are flags as typed, for commands that repeat a run.
	topology, etc, timescaleFlag string
}

// readJobs reads the scenarios of a command line, or with all those of the library. It reports every
// problem of every file.
func (a *app) readJobs(words []string, all bool, from origin) ([]job, error) {
	switch {
	case all && len(words) > 0:
		return nil, usagef("--all means every scenario of the library; name none")
	case !all && len(words) == 0:
		return nil, usagef("name a scenario: a file, or one of the library (list them with: %s)",
			a.command("scenario", "list"))
	case all:
		var err error
		if words, err = a.libraryNames(); err != nil {
			return nil, err
		}
		if len(words) == 0 {
			return nil, usagef("--all: this program has no library of scenarios")
		}
	}
	var jobs []job
	var problems []error
	for _, word := range words {
		source, err := a.findScenario(word)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		j, err := a.loadScenario(source, from)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		jobs = append(jobs, j)
	}
	if len(problems) > 0 {
		return nil, Usage(errors.Join(problems...))
	}
	return jobs, nil
}

// printImported prints what a folder of configuration files has given each scenario.
func (p *plan) printImported(w io.Writer) {
	for i := range p.jobs {
		for _, line := range p.jobs[i].taken {
			fmt.Fprintf(w, "%s: %s\n", p.etc, line)
		}
	}
}

// rejectPartial refuses jobs whose configuration asks for what the subject does not carry out.
func rejectPartial(jobs []job) error {
	var problems []error
	for i := range jobs {
		partial, is := jobs[i].subject.(scenarios.PartialSubject)
		if !is {
			continue
		}
		for _, n := range partial.NotCarriedOut() {
			if n.Minor {
				continue
			}
			problems = append(problems, fmt.Errorf("scenario %s: %v", jobs[i].scenario.Name, n))
		}
	}
	if len(problems) > 0 {
		return usagef("--strict-topology: %w", errors.Join(problems...))
	}
	return nil
}

// parseSeeds reads a range of seeds: 1-200, or 200 for the same.
func parseSeeds(text string) (first, last uint64, err error) {
	if first, last, err = seeds.Parse(text); err != nil {
		err = Usage(err)
	}
	return first, last, err
}

// setStrategy makes the plan change scenarios before their runs.
func (p *plan) setStrategy(name string) {
	if p.strategy = name; name == explore.Plain {
		p.strategy = ""
	}
}

// reproduceCommand is the command that makes one run again.
func (p *plan) reproduceCommand(j *job, seed uint64) string {
	args := []string{"run", j.source.Word}
	if p.backend.Name != p.app.Backends[0].Name {
		args = append(args, "--on", p.backend.Name)
	}
	args = append(args, "--seed", fmt.Sprint(seed))
	if p.strategy != "" {
		args = append(args, "--strategy", p.strategy)
	}
	if p.timescaleFlag != "" {
		args = append(args, "--timescale", p.timescaleFlag)
	}
	if p.topology != "" {
		args = append(args, "--topology", p.topology)
	}
	if p.etc != "" {
		args = append(args, "--etc", p.etc)
	}
	if p.runs != defaultRuns {
		args = append(args, "--runs", p.runs)
	}
	return p.app.command(args...)
}
