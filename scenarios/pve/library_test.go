package pve_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
	"github.com/holdfast-sim/holdfast/reports"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/check"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/library"
	"github.com/holdfast-sim/holdfast/scenarios/pve"
	"github.com/holdfast-sim/holdfast/scenarios/raft"
	"github.com/holdfast-sim/holdfast/scenarios/register"
	"github.com/holdfast-sim/holdfast/sim"
	"github.com/holdfast-sim/holdfast/sim/simtest"
)

// kinds are the subjects of the library's scenarios.
var kinds = scenarios.Kinds{pve.Kind: pve.Decode, register.Kind: register.Decode, raft.Kind: raft.Decode}

func keepRun(dir string, run *scenarios.Run) error {
	_, err := reports.WriteRun(dir, run)
	return err
}

func load(t testing.TB, name string) (*scenarios.Scenario, scenarios.Subject) {
	t.Helper()
	data, err := library.Get(name)
	require.NoError(t, err)
	s, subject, err := scenarios.Parse(library.FileName(name), data, kinds)
	require.NoError(t, err)
	return s, subject
}

// librarySeeds keeps TestLibrary short; make library-short runs ten seeds and make library two hundred.
const librarySeeds = 1

// Every library scenario has the expected verdict, whatever the seed. Unless thorough, every twenty-ninth
// one runs here; make library-short runs all.
func TestLibrary(t *testing.T) {
	step := thorough.Count(29, 1)
	for i, name := range library.Names() {
		if i%step != 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			s, subject := load(t, name)
			simtest.Run(t, s, subject, simtest.Seeds(librarySeeds), simtest.KeepWith(keepRun))
		})
	}
}

// excusedMax is the share of the machines' time for which the judge may excuse them, over the library.
const excusedMax = fault.Always / 50

// TestExcusesAreRare: what the judge of the HA manager accepts because it cannot derive what machines must
// do is a small part of what the library shows.
func TestExcusesAreRare(t *testing.T) {
	thorough.Only(t,
		"all library scenarios of the HA manager with five seeds take a minute of processor time")
	const seeds = 5
	var all check.ExcusedTime
	for _, name := range library.Names() {
		s, subject := load(t, name)
		var of check.ExcusedTime
		for seed := range uint64(seeds) {
			run, err := sim.Runner{}.Run(t.Context(), s, subject, scenarios.RunOptions{Seed: seed + 1})
			require.NoError(t, err)
			excused := pve.ExcusedTime(run)
			if excused.Present == 0 {
				break // the scenario is not about the HA manager
			}
			of.Add(excused)
		}
		if share := of.Share(); share > 0 {
			t.Logf("%s: %v of the machines' time is excused: %v", name, share, of.ByExcuse)
		}
		all.Add(of)
	}
	t.Logf("all: %v of %v node-hours is excused: %v", all.Share(), all.Present.Hours(), all.ByExcuse)
	require.NotZero(t, all.Present)
	require.LessOrEqual(t, all.Share(), excusedMax)
}
