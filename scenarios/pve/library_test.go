package pve_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/reports"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/library"
	"github.com/holdfast-sim/holdfast/scenarios/pve"
	"github.com/holdfast-sim/holdfast/scenarios/register"
	"github.com/holdfast-sim/holdfast/sim/simtest"
)

// kinds are the subjects of the library's scenarios.
var kinds = scenarios.Kinds{pve.Kind: pve.Decode, register.Kind: register.Decode}

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
const librarySeeds = 2

// Every library scenario has the expected verdict, whatever the seed.
func TestLibrary(t *testing.T) {
	for _, name := range library.Names() {
		t.Run(name, func(t *testing.T) {
			s, subject := load(t, name)
			simtest.Run(t, s, subject, simtest.Seeds(librarySeeds), simtest.KeepWith(keepRun))
		})
	}
}
