package simtest_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/register"
	"github.com/holdfast-sim/holdfast/sim/simtest"
)

// hurried is a replica of the register that does not wait for its disk while it starts: the journal that it
// writes anew is not durable, so a power cut before the next write loses values. To show it takes a restart,
// a power cut of the same machine soon after, and a read that misses the machines with the value.
type hurried struct{ env.Process }

// Start implements env.Process.
func (h hurried) Start(e env.Env) error {
	starting := true
	defer func() { starting = false }()
	return h.Process.Start(hurriedEnv{e, &starting})
}

type hurriedEnv struct {
	env.Env
	starting *bool
}

func (e hurriedEnv) Disk() env.Disk { return hurriedDisk{e.Env.Disk(), e.starting} }

type hurriedDisk struct {
	env.Disk
	starting *bool
}

func (d hurriedDisk) Open(name string, flag env.OpenFlag) (env.File, error) {
	f, err := d.Disk.Open(name, flag)
	return hurriedFile{f, d.starting}, err
}

func (d hurriedDisk) SyncDir(dir string) error {
	if *d.starting {
		return nil
	}
	return d.Disk.SyncDir(dir)
}

type hurriedFile struct {
	env.File
	starting *bool
}

func (f hurriedFile) Sync() error {
	if *f.starting {
		return nil
	}
	return f.File.Sync()
}

// registerSubject is the toy register, hurried where the environment asks for it.
func registerSubject(t testing.TB, s *scenarios.Scenario) scenarios.Subject {
	t.Helper()
	subject, err := register.Decode(s)
	require.NoError(t, err)
	if os.Getenv("REGISTER_HURRIED") != "" {
		subject.(*register.Subject).NewProcess = func(c register.Config) env.Process {
			return hurried{register.New(c)}
		}
	}
	return subject
}

func restarts() *scenarios.Scenario {
	return scenarios.New("restarts").Story("Machines lose their power, processes die, the network parts.").
		Machines(3).Warmup(time.Second).Duration(40*time.Second).Quiescence(5*time.Second).
		Nemesis(scenarios.Nemesis{Kinds: []fault.Kind{fault.Partition, fault.Kill, fault.PowerCut},
			Every: 2 * time.Second, ForMin: 500 * time.Millisecond, ForMax: 2 * time.Second, AtOnce: 2}).
		Subject(register.Kind, nil).MustBuild()
}

// FuzzRegister is the example of docs/testing-your-own-system.md: with REGISTER_HURRIED=1 one seed in a
// thousand fails.
func FuzzRegister(f *testing.F) {
	s := restarts()
	simtest.Fuzz(f, s, registerSubject(f, s), simtest.Seeds(2))
}

// hurriedSeed is the first seed that shows the bug of the hurried register.
const hurriedSeed = "-sim.seed=1507"

// TestAFailingInputIsMadeSmall: what a fuzzer found is shrunk and saved without it.
func TestAFailingInputIsMadeSmall(t *testing.T) {
	thorough.Only(t, "making the failure small takes two seconds of processor time")
	dir, buggy := t.TempDir(), []string{"REGISTER_HURRIED=1"}
	draws := "-sim.draws=00000001" // there is a fault in the first slot, as with the seed alone
	out, passed := runTestIn(t, dir, "FuzzRegister", buggy, hurriedSeed, draws)
	require.False(t, passed)
	require.Regexp(t, `To save it .* `+hurriedSeed+` `+draws+` -sim\.shrink=30s -sim\.save\n`, out)
	out, passed = runTestIn(t, dir, "FuzzRegister", buggy, hurriedSeed, draws, "-sim.shrink=30s", "-sim.save")
	require.False(t, passed)
	require.Regexp(t, `left after \d+ attempts: faults [1-4], operations \d, machines 3; with seed `, out)
	require.Len(t, savedFiles(t, dir, "FuzzRegister"), 1)
	out, passed = runTestIn(t, dir, "FuzzRegister", buggy)
	require.False(t, passed)
	require.Contains(t, out, "saved failure testdata/holdfast/FuzzRegister/seed-")
	out, passed = runTestIn(t, dir, "FuzzRegister", nil)
	require.True(t, passed, out)
}
