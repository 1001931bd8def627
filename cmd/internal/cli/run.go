package cli

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/library"
)

// Defaults of flags.
const (
	defaultSeed = 1
	defaultRuns = "runs"
	maxSeeds    = 1_000_000
)

// runFlags are the flags of run.
type runFlags struct {
	on        string
	seed      uint64
	seeds     string
	runs      string
	timescale string
	topology  string
	json      bool
	quiet     bool
	keep      bool
	twice     bool
	all       bool
	workers   int
}

const runHelp = `Runs scenarios and judges them. SCENARIO is a file, or the name of a story of the library
(holdfast scenario list).

With one seed the outcome of the run is printed and its folder written to RUNS/<scenario>/<seed>,
with a link RUNS/<scenario>/latest beside it; open report.html in there. With --seeds only runs that
do not come out as expected are printed and kept, and a line says how many there were.

The last line of everything that goes wrong is a command that shows it again.`

func (a *app) runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run SCENARIO...",
		Short: "Run scenarios and judge them",
		Long:  runHelp,
		Example: `  holdfast run minority-partition                run a story of the library once
  holdfast run my-story.yaml --seed 42           run a file with another seed
  holdfast run pair-cut --seeds 1-200            look for a seed that breaks it
  holdfast run --all --seeds 1-20 --twice        everything, and every run must come out the same twice
  holdfast run standard --topology corosync.conf run it on the nodes of a real cluster's configuration`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.run(cmd.Context(), args, &f, cmd.Flags().Changed("seed"))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.on, "on", a.defaultBackend(), "the `backend` to run in: "+a.backendList())
	flags.Uint64Var(&f.seed, "seed", defaultSeed, "the `seed` of the run: the same seed, the same run")
	flags.StringVar(&f.seeds, "seeds", "", "run many seeds, from A to B, as in `A-B`")
	flags.StringVar(&f.runs, "runs", defaultRuns, "write run folders into this `folder`")
	flags.StringVar(&f.timescale, "timescale", "", "on real nodes, multiply all times of scenario and subject by this `ratio`,"+
		"\nsuch as 0.2 or 1/5 (unless given, what fits into a minute)")
	flags.BoolVar(&f.json, "json", false, "print one line of JSON for each run")
	flags.BoolVar(&f.quiet, "quiet", false, "print only what did not come out as expected, and no progress")
	flags.BoolVar(&f.keep, "keep", false, "with --seeds, keep the folders of all runs")
	flags.BoolVar(&f.twice, "twice", false, "run every seed twice and compare the digests (simulator)")
	flags.IntVar(&f.workers, "workers", runtime.GOMAXPROCS(0), "with --seeds, how many `processes` share them (simulator)")
	flags.BoolVar(&f.all, "all", false, "run every story of the library whose subject this program has")
	if len(a.Topologies) > 0 {
		flags.StringVar(&f.topology, "topology", "", "take machines and votes from this `corosync.conf`")
	}
	return cmd
}

func (a *app) defaultBackend() string {
	if len(a.Backends) == 0 {
		return ""
	}
	return a.Backends[0].Name
}

func (a *app) backendList() string {
	var list []string
	for _, b := range a.Backends {
		list = append(list, b.Name+" ("+b.About+")")
	}
	return strings.Join(list, ", ")
}

// backend finds a backend by its name and checks that the timescale means something there.
func (a *app) backend(name string, ts scenarios.Timescale) (scenarios.Runner, error) {
	for _, b := range a.Backends {
		if b.Name != name {
			continue
		}
		if !ts.IsOne() && !b.RealTime {
			return nil, usagef("--timescale %s: time costs nothing in the %s, so it is not scaled there; leave the flag out",
				ts, b.About)
		}
		return b.Runner, nil
	}
	return nil, usagef("--on %s: there is no such backend here; write one of %s", name, a.backendList())
}

// job is one scenario to run with some seeds.
type job struct {
	source      source
	scenario    *scenarios.Scenario
	subject     scenarios.Subject
	first, last uint64
	// made are the seeds that a campaign has made already.
	made map[uint64]bool
}

func (a *app) run(ctx context.Context, words []string, f *runFlags, seedGiven bool) error {
	s, err := a.session(f, seedGiven)
	if err != nil {
		return err
	}
	jobs, err := a.jobs(words, f)
	if err != nil {
		return err
	}
	worst := linearizability.Valid
	for i := range jobs {
		jobs[i].first, jobs[i].last = s.first, s.last
		v, err := s.run(ctx, &jobs[i])
		if err != nil {
			return err
		}
		worst = worse(worst, v)
	}
	return verdict(worst)
}

// worse puts invalid before unknown before valid.
func worse(a, b linearizability.Validity) linearizability.Validity {
	return linearizability.Worst([]linearizability.Verdict{{Validity: a}, {Validity: b}})
}

// session checks the flags.
func (a *app) session(f *runFlags, seedGiven bool) (*session, error) {
	var ts scenarios.Timescale
	var err error
	if f.timescale != "" {
		if ts, err = scenarios.ParseTimescale(f.timescale); err != nil {
			return nil, usagef("--timescale: %w", err)
		}
	}
	runner, err := a.backend(f.on, ts)
	if err != nil {
		return nil, err
	}
	s := &session{app: a, flags: f, runner: runner, timescale: ts, progress: a.progress(f.quiet),
		first: f.seed, last: f.seed}
	switch {
	case f.seeds != "" && seedGiven:
		return nil, usagef("--seed and --seeds exclude each other")
	case f.seeds != "":
		s.many = true
		s.first, s.last, err = parseSeeds(f.seeds)
	}
	return s, err
}

// parseSeeds reads a range such as 1-200.
func parseSeeds(text string) (first, last uint64, err error) {
	from, to, ok := strings.Cut(text, "-")
	first, err1 := strconv.ParseUint(from, 10, 64)
	last, err2 := strconv.ParseUint(to, 10, 64)
	if !ok || err1 != nil || err2 != nil || last < first {
		return 0, 0, usagef("--seeds %q: write the first and the last seed, such as 1-200", text)
	}
	if last-first >= maxSeeds {
		return 0, 0, usagef("--seeds %s: at most %d seeds a run", text, maxSeeds)
	}
	return first, last, nil
}

func (a *app) jobs(words []string, f *runFlags) ([]job, error) {
	switch {
	case f.all && len(words) > 0:
		return nil, usagef("--all means every story of the library; name none")
	case !f.all && len(words) == 0:
		return nil, usagef("name a scenario: a file, or a story of the library (list them with: %s)",
			a.command("scenario", "list"))
	case f.all:
		words = library.Names()
	}
	var jobs []job
	var problems []error
	for _, word := range words {
		from, err := find(word)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		if f.all && !a.has(from) {
			continue
		}
		s, subject, err := a.load(from, f.topology)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		jobs = append(jobs, job{source: from, scenario: s, subject: subject})
	}
	if len(problems) > 0 {
		return nil, usage(errors.Join(problems...))
	}
	return jobs, nil
}

// has says whether this program has a scenario's subject.
func (a *app) has(from source) bool {
	s, err := scenarios.ParseScenario(from.file, from.data)
	return err != nil || a.Kinds[s.Subject.Kind] != nil
}

// reproduce is the command for one run.
func (s *session) reproduce(j *job, seed uint64) string {
	args := []string{"run", j.source.word}
	if s.flags.on != s.app.defaultBackend() {
		args = append(args, "--on", s.flags.on)
	}
	args = append(args, "--seed", fmt.Sprint(seed))
	if s.flags.timescale != "" {
		args = append(args, "--timescale", s.flags.timescale)
	}
	if s.flags.topology != "" {
		args = append(args, "--topology", s.flags.topology)
	}
	if s.flags.runs != defaultRuns {
		args = append(args, "--runs", s.flags.runs)
	}
	return s.app.command(args...)
}
