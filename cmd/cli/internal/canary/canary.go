// Package canary has a scenario in which a run must be found invalid: a register that forgets what was
// written. A campaign that calls it valid finds nothing, whatever it is about.
//
// Package canary never appears in a library, a schema or a list of kinds.
package canary

import (
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/linearizability/models"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// Word names the scenario; no file and no library scenario can have this name.
const Word = ":canary:"

// Scenario returns the scenario with its subject.
func Scenario() (*scenarios.Scenario, scenarios.Subject) {
	subject := scenarios.Define(scenarios.Definition{
		Kind:      "canary",
		Processes: scenarios.OnEveryMachine("register", func() env.Process { return &forgetful{} }),
		Encode: func(op workload.Op) (string, []byte) {
			return "register", []byte(op.F + " " + op.Key + " " + op.Value)
		},
		Decode: func(op workload.Op, output []byte) (workload.Result, error) {
			if op.F != "read" || len(output) == 0 {
				return workload.OK(), nil
			}
			return workload.OKValue(string(output)), nil
		},
		Model: models.Register,
	})
	s := &scenarios.Scenario{Name: "canary", Story: "A register forgets what was written.",
		Machines: scenarios.Count(1), Warmup: time.Second, Duration: 10 * time.Second,
		Quiescence: time.Second, Subject: scenarios.SubjectSpec{Kind: "canary"}}
	s.SetDefaults()
	return s, subject
}

// forgetful is a register that forgets: every third write is acknowledged and not done.
type forgetful struct {
	env    env.Env
	values map[string]string
	writes int
}

// Start implements env.Process.
func (p *forgetful) Start(e env.Env) error {
	p.env, p.values = e, map[string]string{}
	return nil
}

// Step implements env.Process.
func (p *forgetful) Step(ev env.Event) {
	op, is := ev.(env.Invoked)
	if !is {
		return
	}
	words := strings.SplitN(string(op.Input), " ", 3)
	if words[0] == "read" {
		p.env.Complete(op.Op, []byte(p.values[words[1]]))
		return
	}
	if p.writes++; p.writes%3 != 0 {
		p.values[words[1]] = words[2]
	}
	p.env.Complete(op.Op, nil)
}
