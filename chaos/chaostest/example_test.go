package chaostest_test

import (
	"testing"
	"time"

	"github.com/holdfast-sim/holdfast/chaos/chaostest"
	"github.com/holdfast-sim/holdfast/linearizability/models"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/hostdriver"
	"github.com/holdfast-sim/holdfast/scenarios/register"
)

// A test on real nodes builds the program and runs a scenario with it. Without CHAOS_NODES=1 and root
// it is skipped, with the reason.
func ExampleRun() {
	_ = func(t *testing.T) { // func TestRegisterOnNodes(t *testing.T)
		chaostest.Need(t) // before anything is built
		program := chaostest.Build(t, "github.com/holdfast-sim/holdfast/cmd/registerd")
		subject := scenarios.Define(scenarios.Definition{
			Kind:   "register",
			Driver: &hostdriver.Driver{Path: program},
			Client: register.Codec{},
			Model:  models.Register,
		})
		s := scenarios.New("pause").Story("A machine freezes for a while.").
			Machines(3).Duration(20*time.Second).
			At(5*time.Second).PauseMachine("n1").For(5*time.Second).
			Subject("register", nil).MustBuild()
		chaostest.Run(t, s, subject)
	}
}
