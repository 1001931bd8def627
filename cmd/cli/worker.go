package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/cmd/cli/internal/canary"
	"github.com/holdfast-sim/holdfast/cmd/cli/internal/cputime"
	"github.com/holdfast-sim/holdfast/cmd/cli/internal/progress"
	"github.com/holdfast-sim/holdfast/cmd/cli/internal/sources"
	"github.com/holdfast-sim/holdfast/cmd/cli/internal/workers"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/scenarios/explore"
)

// Runs of one process are sequential, because the simulator owns the process-wide randomness.
// Therefore many seeds are divided among worker processes: this program again.

// runWorker is the hidden argument of worker processes.
const runWorker = "run-worker"

// runRequest asks a worker for one run.
type runRequest struct {
	Word     string `json:"word"` // the scenario
	Strategy string `json:"strategy,omitempty"`
	Seed     uint64 `json:"seed"`
	// Branches give the run other futures.
	Branches []draw.Branch `json:"branches,omitempty"`
	// Bare means that no folder is written, however the run ends.
	Bare bool `json:"bare,omitempty"`
}

// runAnswer is one run as a worker has made it.
type runAnswer struct {
	Line runLine `json:"line"`
	// Behaviour is what the run did, see [explore.Behaviour].
	Behaviour []uint32 `json:"behaviour"`
	// CPU is the processor time that the run took; 0 where it is not known.
	CPU time.Duration `json:"cpu_ns"`
	// Error is why the run could not be made.
	Error string `json:"error,omitempty"`
}

// runPool is a pool of workers.
type runPool = workers.Pool[runRequest, runAnswer]

// newPool returns a pool of workers for the runs of the plan.
func (p *plan) newPool() *runPool {
	args := []string{runWorker, "--runs", p.runs}
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
	return workers.New[runRequest, runAnswer](p.workers, args...)
}

// worker makes the runs of one process, one after the other.
type worker struct {
	*plan
	jobs map[string]*job // by word
}

// newRunWorkerCommand makes the command of worker processes.
func (a *app) newRunWorkerCommand() *cobra.Command {
	w := worker{&plan{app: a, backend: &a.Backends[0]}, map[string]*job{}}
	cmd := &cobra.Command{Use: runWorker, Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return workers.Serve(os.Stdin, a.Stdout, func(r runRequest) runAnswer {
				return w.run(cmd.Context(), r)
			})
		}}
	flags := cmd.Flags()
	flags.StringVar(&w.runs, "runs", defaultRuns, "`folder` for run folders")
	flags.BoolVar(&w.twice, "twice", false, "run every seed twice")
	flags.BoolVar(&w.keepAll, "keep", false, "keep the folders of all runs")
	flags.StringVar(&w.topology, "topology", "", "`file` with the machines")
	flags.StringVar(&w.etc, "etc", "", "`folder` with the machines")
	return cmd
}

func (w *worker) run(ctx context.Context, r runRequest) runAnswer {
	j, err := w.job(r.Word)
	if err != nil {
		return runAnswer{Error: err.Error()}
	}
	with := *w.plan
	with.strategy, with.behaviour = r.Strategy, explore.NewBehaviour()
	with.branches, with.bare = r.Branches, r.Bare
	begin := cputime.Used()
	o, err := with.makeRun(ctx, j, r.Seed, progress.New(nil, false, true))
	if err != nil {
		return runAnswer{Error: fmt.Sprintf("%s, seed %d: %v", j.scenario.Name, r.Seed, err)}
	}
	return runAnswer{Line: o.line, Behaviour: with.behaviour.All(), CPU: cputime.Used() - begin}
}

// job returns the scenario that a word names.
func (w *worker) job(word string) (*job, error) {
	if j := w.jobs[word]; j != nil {
		return j, nil
	}
	if word == canary.Word {
		s, subject := canary.Scenario()
		return &job{source: sources.Source{Word: word}, scenario: s, subject: subject}, nil
	}
	from, err := w.app.findScenario(word)
	if err != nil {
		return nil, err
	}
	j, err := w.app.loadScenario(from, origin{w.topology, w.etc})
	if err != nil {
		return nil, err
	}
	w.jobs[word] = &j
	return &j, nil
}

// ask lets a worker make a run. A run that cannot be made is an outcome, too.
func (p *plan) ask(ctx context.Context, pool *runPool, j *job, seed uint64) (*outcome, runAnswer) {
	begin := time.Now()
	answer, err := pool.Ask(ctx, runRequest{Word: j.source.Word, Strategy: p.strategy, Seed: seed})
	if err == nil && answer.Error != "" {
		err = errors.New(answer.Error)
	}
	o := &outcome{job: j, line: answer.Line}
	if err != nil {
		o = p.failedOutcome(j, seed, err)
	}
	o.took, o.strategy = time.Since(begin), p.strategy
	return o, answer
}

// runInWorkers makes the runs of a job in worker processes and passes each outcome on.
func (p *plan) runInWorkers(ctx context.Context, j *job, emit func(*outcome) error) error {
	pool := p.newPool()
	defer pool.Close()
	seed, left := j.first, true
	return workers.RunTasks(ctx, pool.Size(), func() (workers.Task, bool) {
		if !left {
			return nil, false
		}
		this := seed
		left = seed < j.last
		seed++
		return func() func() error {
			o, _ := p.ask(ctx, pool, j, this)
			return func() error { return emit(o) }
		}, true
	})
}

// maxProblemBytes bounds what a campaign keeps of the reason why a run could not be made.
const maxProblemBytes = 2000

// problemText is the reason why a run could not be made, without the commands to reproduce it, which
// the caller gives itself.
func problemText(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n"+reproduceTitle)
	return text
}
