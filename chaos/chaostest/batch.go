package chaostest

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/testrun"
)

// batch are the runs of one call of Run.
type batch struct {
	config
	scenario *scenarios.Scenario
	subject  scenarios.Subject
	runner   func(keepDirs string) scenarios.Runner
	counts   testrun.Counts
	begun    bool
	failed   *scenarios.Run // the first one
	last     *scenarios.Run
}

// runSeeds makes the runs of all seeds, and returns the first that failed or else the last.
func (b *batch) runSeeds(t testing.TB) *scenarios.Run {
	t.Helper()
	seeds, err := b.chosenSeeds()
	if err != nil {
		t.Fatal(err)
	}
	parent, ok := t.(*testing.T)
	for seed := seeds.First; ; seed++ {
		if seeds.Single() || !ok {
			b.runSeed(t, seed, seeds.Single())
		} else {
			parent.Run(testrun.SeedName(strconv.FormatUint(seed, 10)), func(t *testing.T) {
				t.Helper()
				b.runSeed(t, seed, false)
			})
		}
		if seed == seeds.Last || t.Context().Err() != nil {
			break
		}
	}
	if err := seeds.NoneChosen("chaos.seed"); err != nil && !b.begun {
		t.Error(err)
	}
	if b.counts.Runs() == 0 {
		return nil
	}
	t.Logf("%s", &b.counts)
	if !seeds.Single() && uint64(b.counts.Runs()) == seeds.Last-seeds.First+1 {
		if err := b.counts.MissedProbes(); err != nil {
			t.Errorf("%v\n%s", err, rerunHint(command(t, "-chaos.seeds="+seeds.String())))
		}
	}
	return cmp.Or(b.failed, b.last)
}

// runSeed makes the run of one seed.
func (b *batch) runSeed(t testing.TB, seed uint64, alone bool) {
	t.Helper()
	b.begun = true
	keep := keeper{write: b.write}
	if *flagKeep != "" {
		keep.folder = filepath.Join(*flagKeep, b.scenario.Name)
		keep.name = strconv.FormatUint(seed, 10)
	}
	options := scenarios.RunOptions{Seed: seed, Timescale: b.timescale, KeepLogs: true,
		Debug: keep.folder != "", Alone: alone}
	run, err := b.runner(keep.machines()).Run(t.Context(), b.scenario, b.subject, options)
	if err != nil {
		keep.finish(t, nil, true)
		t.Fatal(err)
	}
	run.Reproduce = command(t, fmt.Sprintf("-chaos.seed=%d", seed))
	b.counts.Add(run)
	b.last = run
	t.Attr("chaos.scenario", b.scenario.Name)
	t.Attr("chaos.seed", strconv.FormatUint(seed, 10))
	expected := cmp.Or(b.scenario.Expect.Verdict, linearizability.Valid.String())
	failed := run.Verdict().String() != expected
	if failed {
		b.failed = cmp.Or(b.failed, run)
		t.Errorf("%s\n%s", Describe(run, expected), rerunHint(run.Reproduce))
	}
	keep.finish(t, run, failed)
}

// command is the command that runs the test once more on real nodes.
func command(t testing.TB, flags ...string) string {
	return testrun.Command(Nodes+"=1", t.Name(), flags...)
}

// rerunHint is the last line of a failure.
func rerunHint(command string) string { return "To run again, as root: " + command }

// keeper keeps failing runs below -chaos.keep. Without a folder it keeps nothing.
type keeper struct {
	folder string // of the scenario
	name   string // of the run
	write  func(dir string, run *scenarios.Run) error
}

// machinesFolder holds the machines' directories, in the folder of a run.
const machinesFolder = "machines"

// machines is where the runner puts the machines' directories until it is known whether the run failed.
func (k keeper) machines() string {
	if k.folder == "" {
		return ""
	}
	return filepath.Join(k.folder, ".machines-"+k.name)
}

// finish keeps a run that failed, and removes what is left of one that passed. run is nil when there
// was none.
func (k keeper) finish(t testing.TB, run *scenarios.Run, failed bool) {
	t.Helper()
	if k.folder == "" {
		return
	}
	if !failed {
		if err := os.RemoveAll(k.machines()); err != nil {
			t.Errorf("removing the machines' directories of a run that passed: %v", err)
		}
		return
	}
	dir := filepath.Join(k.folder, k.name)
	to := filepath.Join(dir, machinesFolder)
	err := os.RemoveAll(to) // of an earlier run; a folder without them is replaced as a whole
	switch {
	case run != nil && k.write != nil:
		err = errors.Join(err, k.write(dir, run))
	case run != nil:
		t.Logf("-chaos.keep: for the history and the page as well, pass chaostest.KeepWith")
	}
	if _, missing := os.Stat(k.machines()); missing == nil {
		err = errors.Join(err, os.MkdirAll(dir, 0o777), os.Rename(k.machines(), to))
	}
	if err != nil {
		t.Errorf("keeping the run: %v", err)
		return
	}
	t.Logf("kept in %s", dir)
}
