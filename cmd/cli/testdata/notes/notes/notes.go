// Package notes is a small system under test: one process that keeps values in memory.
package notes

import (
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/linearizability/models"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

type notes struct {
	env    env.Env
	values map[string]string
}

func (n *notes) Start(e env.Env) error { n.env, n.values = e, map[string]string{}; return nil }

func (n *notes) Step(ev env.Event) {
	if call, ok := ev.(env.Invoked); ok {
		key, value := string(call.Input[:2]), string(call.Input[2:])
		if value != "" {
			n.values[key] = value
		}
		n.env.Complete(call.Op, []byte(n.values[key]))
	}
}

// Subjects are the systems of this module.
var Subjects = []scenarios.Subject{scenarios.Define(scenarios.Definition{
	Kind:      "notes",
	Processes: scenarios.OnEveryMachine("notes", func() env.Process { return &notes{} }),
	Encode:    func(op workload.Op) (string, []byte) { return "notes", []byte(op.Key + op.Value) },
	Decode: func(op workload.Op, output []byte) (workload.Result, error) {
		if op.F == workload.Read && len(output) > 0 {
			return workload.OKValue(string(output)), nil
		}
		return workload.OK(), nil
	},
	Model: models.Register,
})}
