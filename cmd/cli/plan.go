package cli

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// Limits and defaults of plans.
const (
	defaultSeed = 1
	defaultRuns = "runs"
	// maxSeeds is the most seeds that one job has.
	maxSeeds = 1_000_000
)

// job is one scenario with the seeds that it runs with, from first to last.
type job struct {
	source      source
	scenario    *scenarios.Scenario
	subject     scenarios.Subject
	first, last uint64
	// taken is what a folder of configuration files has given the scenario, see Kind.Etc.
	taken []string
	// completed are the seeds that earlier parts of a campaign have run.
	completed map[uint64]bool
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

// printTaken prints what a folder of configuration files has given each scenario.
func (p *plan) printTaken(w io.Writer) {
	for i := range p.jobs {
		for _, line := range p.jobs[i].taken {
			fmt.Fprintf(w, "%s: %s\n", p.etc, line)
		}
	}
}

// refusePartial refuses jobs whose configuration asks for what the subject does not carry out.
func refusePartial(jobs []job) error {
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
	from, to, isRange := strings.Cut(text, "-")
	if !isRange {
		from, to = "1", text
	}
	first, err1 := strconv.ParseUint(from, 10, 64)
	last, err2 := strconv.ParseUint(to, 10, 64)
	if err1 != nil || err2 != nil || last < first {
		return 0, 0, usagef("--seeds %q: write a range such as 1-200, or 200 for the same", text)
	}
	if last-first >= maxSeeds {
		return 0, 0, usagef("--seeds %s: at most %d seeds a run", text, maxSeeds)
	}
	if last == math.MaxUint64 {
		return 0, 0, usagef("--seeds %s: the last seed is %d at most", text, uint64(math.MaxUint64-1))
	}
	return first, last, nil
}

// block is a part of a job: the seeds from first to last.
type block struct {
	job         *job
	first, last uint64
}

// blocks divides a job's seeds into as many blocks of about the same size.
func (j *job) blocks(count uint64) []block {
	seeds := j.last - j.first + 1
	var all []block
	for i := range count {
		all = append(all, block{j, j.first + seeds*i/count, j.first + seeds*(i+1)/count - 1})
	}
	return all
}

// openBlocks divides what is left of all jobs into blocks of at most size seeds, the jobs taking turns.
func openBlocks(jobs []job, size uint64) (all []block) {
	next := make([]uint64, len(jobs))
	for i := range jobs {
		next[i] = jobs[i].first
	}
	for left := true; left; {
		left = false
		for i := range jobs {
			j := &jobs[i]
			for next[i] <= j.last && j.completed[next[i]] {
				next[i]++
			}
			if next[i] > j.last {
				continue
			}
			b := block{j, next[i], next[i]}
			for b.last < j.last && b.last-b.first+1 < size && !j.completed[b.last+1] {
				b.last++
			}
			all, next[i], left = append(all, b), b.last+1, true
		}
	}
	return all
}

// reproduce is the command that makes one run again.
func (p *plan) reproduce(j *job, seed uint64) string {
	args := []string{"run", j.source.word}
	if p.backend.Name != p.app.Backends[0].Name {
		args = append(args, "--on", p.backend.Name)
	}
	args = append(args, "--seed", fmt.Sprint(seed))
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

// workerArgs are the arguments with which this program runs a block as a worker process.
func (p *plan) workerArgs(b block) []string {
	args := []string{"run", b.job.source.word, "--json", "--workers", "1", "--runs", p.runs,
		"--seeds", fmt.Sprintf("%d-%d", b.first, b.last)}
	if p.twice {
		args = append(args, "--twice")
	}
	if p.keepAll {
		args = append(args, "--keep")
	}
	if p.topology != "" {
		args = append(args, "--topology", p.topology)
	}
	if p.etc != "" {
		args = append(args, "--etc", p.etc)
	}
	return args
}
