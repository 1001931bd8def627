package chaos_test

import (
	"testing"

	"github.com/holdfast-sim/holdfast/chaos"
	"github.com/holdfast-sim/holdfast/chaos/chaostest"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/hostdriver"
	"github.com/holdfast-sim/holdfast/scenarios/nemesis/nemesistest"
)

// TestFaultsConform runs the suite that the simulator must pass too.
func TestFaultsConform(t *testing.T) {
	chaostest.Need(t)
	driver := &hostdriver.Driver{Path: program(t)}
	nemesistest.Run(t, nemesistest.Backend{
		Runner:      chaos.Runner{},
		Subject:     subject,
		Unsupported: func(f *fault.Fault) string { return chaos.Unsupported(f, driver) },
	})
}
