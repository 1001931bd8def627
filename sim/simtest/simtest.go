// Package simtest runs scenarios in the simulator from go test. Each failure ends with one command
// that runs it again.
//
// What to use when:
//
//   - [Run] runs a scenario with several seeds, each as a subtest: the usual test.
//   - [One] runs it with one seed and returns the run, for a test that looks into it, or for a
//     property test: t may be a *rapid.T that draws the scenario.
//   - [Fuzz] lets go test -fuzz choose the seed and single draws of the nemesis.
//   - [KeepWith] writes a failing run's folder, with its page, where -sim.keep asks for it.
//
// The flags -sim.seed, -sim.seeds, -sim.twice, -sim.keep and -sim.draws, or the environment variables
// SIM_SEED, SIM_SEEDS, SIM_TWICE, SIM_KEEP and SIM_DRAWS, choose what is run. -sim.steptimeout, or
// SIM_STEPTIMEOUT, is how much real time one step may take. -sim.shrink, or SIM_SHRINK, makes a failing
// scenario small and prints what is left. -sim.save, or SIM_SAVE, writes it below testdata/holdfast: [Run]
// and [Fuzz] run the files of their test there first, whatever the seeds. -sim.workers, or SIM_WORKERS, is
// how many processes run seeds.
//
// A test logs how many operations and faults its runs had. Package simtest never decides what right means:
// the subject's judge does.
package simtest

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/testrun"
	"github.com/holdfast-sim/holdfast/sim"
)

var (
	flagSeed  = flag.String("sim.seed", os.Getenv("SIM_SEED"), "run this `seed` only")
	flagSeeds = flag.String("sim.seeds", os.Getenv("SIM_SEEDS"), "run these seeds, as in `1-200`")
	flagTwice = flag.Bool("sim.twice", os.Getenv("SIM_TWICE") != "",
		"run every seed twice and compare the digests")
	flagKeep = flag.String("sim.keep", os.Getenv("SIM_KEEP"),
		"keep the runs of failing seeds in this `folder`")
	flagStepTimeout = flag.String("sim.steptimeout", os.Getenv(sim.StepTimeoutVariable),
		"end a run when a step takes this `duration` of real time (default 30s), or off")
	flagShrink = flag.String("sim.shrink", os.Getenv("SIM_SHRINK"),
		"make a failing scenario small, for at most this `duration`, and print it")
	flagSave = flag.Bool("sim.save", os.Getenv("SIM_SAVE") != "",
		"save failing runs as files below testdata/holdfast, which go test runs first from then on")
	flagWorkers = flag.String("sim.workers", os.Getenv("SIM_WORKERS"),
		"run seeds in this `number` of processes (default: one for each processor if they take long enough)")
	flagDraws = flag.String("sim.draws", os.Getenv("SIM_DRAWS"),
		"replace draws of the nemesis by `hex`, as printed by a failure of Fuzz")
)

// TB is what this package needs of a test. *testing.T, *testing.B and *rapid.T have it.
type TB interface {
	Helper()
	Name() string
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// DefaultSeeds is how many seeds Run tries without a flag; with -short it tries half as many.
const DefaultSeeds = 10

// deadlineReserve is how long before the test's deadline no further seed is begun.
const deadlineReserve = 5 * time.Second

// Option changes how Run and One work.
type Option func(*config)

type config struct {
	write  func(dir string, run *scenarios.Run) error
	decode scenarios.Decode // nil: every scenario has the same subject
	seeds  uint64           // without a flag; 0: DefaultSeeds

	oneProcess bool
}

// OneProcess runs all seeds in this process, whatever -sim.workers is: for a test that looks at what its
// subject or its options did in memory, or that cannot be run twice at a time.
func OneProcess() Option {
	return func(c *config) { c.oneProcess = true }
}

// DecodeWith sets how -sim.shrink makes the subject of a smaller scenario. Without it the subject of the
// test is used, which is right for subjects that do not depend on the scenario.
func DecodeWith(decode scenarios.Decode) Option {
	return func(c *config) { c.decode = decode }
}

// Seeds sets how many seeds Run tries without a flag, counted from 1; with -short it tries half as many,
// but at least one. It is for expensive scenarios: -sim.seeds still asks for more.
func Seeds(count uint64) Option {
	return func(c *config) { c.seeds = count }
}

// KeepWith sets how a failing run is written where -sim.keep asks for it. Package simtest does
// not import the reports, so that a test binary holds no more than it needs:
//
//	simtest.KeepWith(func(dir string, run *scenarios.Run) error {
//		_, err := reports.WriteRun(dir, run)
//		return err
//	})
func KeepWith(write func(dir string, run *scenarios.Run) error) Option {
	return func(c *config) { c.write = write }
}

// Run runs a scenario with several seeds, each as a subtest, and fails every one whose verdict is not
// what the scenario expects. A probe that the scenario expects must be reached by one of the seeds.
// Under a TB that has no subtests it stops at the first seed that fails.
func Run(t TB, s *scenarios.Scenario, subject scenarios.Subject, opts ...Option) {
	t.Helper()
	seeds, err := chosenSeeds(opts)
	if err != nil {
		t.Fatalf("%v", err)
	}
	if _, _, err := workersOfFlag(); err != nil {
		t.Fatalf("%v", err)
	}
	b := batch{t: t, scenario: s, subject: subject, opts: opts, seeds: seeds, call: calls.count(t)}
	if ownTask != nil {
		ownTask.serve(&b)
		return
	}
	defer b.stopWorkers()
	b.runSavedFailures()
	begin := time.Now()
	for seed := seeds.First; ; seed++ {
		b.startWorkers(seed, time.Since(begin))
		if b.deadlineIsNear() {
			t.Logf("stopped before the deadline: seeds %d to %d of %d to %d were run", seeds.First, seed-1,
				seeds.First, seeds.Last)
			break
		}
		if goesOn := b.run(seed); !goesOn || seed == seeds.Last {
			break
		}
	}
	b.conclude()
}

// batch are the runs of one call of Run.
type batch struct {
	t        TB
	scenario *scenarios.Scenario
	subject  scenarios.Subject
	opts     []Option
	seeds    testrun.Seeds
	counts   testrun.Counts
	begun    bool // a seed was run, perhaps not to its end
	call     int  // this is the n-th call of Run in its test, from 1
	pool     *workerPool
	warned   bool // that the workers cannot be used
}

// calls counts the calls of Run by test.
var calls callCounter

type callCounter struct {
	mu     sync.Mutex
	byTest map[*testing.T]int
}

// count returns how many calls the test has made with this one; 0 if it is of another type.
func (c *callCounter) count(test TB) int {
	t, ok := test.(*testing.T)
	if !ok {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byTest == nil {
		c.byTest = map[*testing.T]int{}
	}
	if c.byTest[t]++; c.byTest[t] == 1 {
		t.Cleanup(func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			delete(c.byTest, t)
		})
	}
	return c.byTest[t]
}

// startWorkers starts worker processes for the seeds from the given one on if that is worth it.
func (b *batch) startWorkers(seed uint64, took time.Duration) {
	if b.pool != nil {
		return
	}
	if n := b.workers(int(seed-b.seeds.First), took, b.seeds.Last-seed+1); n > 1 {
		b.pool = newWorkerPool(b, seed, n)
	}
}

// stopWorkers ends the worker processes.
func (b *batch) stopWorkers() {
	b.t.Helper()
	if b.pool == nil {
		return
	}
	if err := b.pool.end(); err != nil {
		b.t.Errorf("after its last seed: %v", err)
	}
}

func (b *batch) deadlineIsNear() bool {
	d, ok := b.t.(interface{ Deadline() (time.Time, bool) })
	if !ok {
		return false
	}
	deadline, ok := d.Deadline()
	return ok && time.Until(deadline) < deadlineReserve
}

// run runs one seed and reports whether further ones should be run.
func (b *batch) run(seed uint64) bool {
	b.t.Helper()
	judge := func(t TB) bool {
		t.Helper()
		b.begun = true
		trial := newTrial(t, b.scenario, b.subject, seed, b.opts)
		trial.alone = b.seeds.Single()
		passed := trial.judge()
		b.counts.Add(trial.run)
		return passed
	}
	parent, ok := b.t.(*testing.T)
	if !ok {
		return judge(b.t)
	}
	parent.Run(seedName(seed), func(t *testing.T) {
		t.Helper()
		if b.pool == nil || !b.replayAnswer(t, seed) {
			judge(t)
		}
	})
	if b.pool != nil {
		b.pool.noteReplayed()
	}
	return true
}

// replayAnswer replays the answer of a worker process. false means that the workers cannot be used.
func (b *batch) replayAnswer(t *testing.T, seed uint64) bool {
	t.Helper()
	a, err := b.pool.answerTo(seed)
	if err != nil {
		if !b.warned {
			t.Logf("seeds run in this process: %v", err)
		}
		b.warned = true
		return false
	}
	b.begun = true
	b.counts.Merge(&a.Counts, b.scenario)
	if a.Died != "" {
		trial := newTrial(t, b.scenario, b.subject, seed, b.opts)
		t.Fatalf("%s\n%s", a.Died, trial.reproduceText("-sim.workers=1"))
	}
	a.replayAnswer(t)
	return true
}

// conclude reports what the runs had in all, and judges whether they reached the expected probes.
func (b *batch) conclude() {
	b.t.Helper()
	if err := b.seeds.NoneChosen("sim.seed"); err != nil && !b.begun {
		b.t.Errorf("%v", err)
	}
	if b.counts.Runs() == 0 {
		return
	}
	b.t.Logf("%s", &b.counts)
	if b.seeds.Single() || uint64(b.counts.Runs()) != b.seeds.Last-b.seeds.First+1 {
		return // a single run was judged alone; of a part of the runs nothing can be demanded
	}
	if err := b.counts.MissedProbes(); err != nil {
		command := testrun.Command("", b.t.Name(), "-sim.seeds="+b.seeds.String())
		b.t.Errorf("%v\n%s", err, toReproduce(command))
	}
}

// One runs a scenario with one seed and fails t unless the verdict is the expected one. It must reach the
// probes that the scenario expects. In a test, -sim.seed replaces the seed: it may be random, or a fuzzer's.
func One(t TB, s *scenarios.Scenario, subject scenarios.Subject, seed uint64, opts ...Option) *scenarios.Run {
	t.Helper()
	if _, ok := t.(testing.TB); ok && *flagSeed != "" {
		only, err := seedOfFlag()
		if err != nil {
			t.Fatalf("%v", err)
		}
		seed = only
	}
	trial := newTrial(t, s, subject, seed, opts)
	trial.alone, trial.byOne = true, true
	trial.judge()
	return trial.run
}

// chosenSeeds returns the seeds that flags and options ask for; flags win.
func chosenSeeds(opts []Option) (testrun.Seeds, error) {
	switch {
	case *flagSeed != "":
		seed, err := seedOfFlag()
		return testrun.Seeds{First: seed, Last: seed}, err
	case *flagSeeds != "":
		return testrun.ParseSeeds("sim.seeds", *flagSeeds)
	}
	var c config
	for _, o := range opts {
		o(&c)
	}
	last := cmp.Or(c.seeds, DefaultSeeds)
	if testing.Short() {
		last = max(1, last/2)
	}
	return testrun.Seeds{First: 1, Last: last}, nil
}

// seedOfFlag returns the seed of -sim.seed.
func seedOfFlag() (uint64, error) {
	seed, err := strconv.ParseUint(*flagSeed, 0, 64)
	if err != nil {
		return 0, fmt.Errorf("-sim.seed %q is not a number", *flagSeed)
	}
	return seed, nil
}
