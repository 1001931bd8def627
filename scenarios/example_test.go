package scenarios_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/linearizability/models"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// echo stands for a process of the system under test.
type echo struct{ env env.Env }

func (p *echo) Start(e env.Env) error { p.env = e; return nil }

func (p *echo) Step(ev env.Event) {
	if call, ok := ev.(env.Invoked); ok {
		p.env.Complete(call.Op, call.Input)
	}
}

// A system with one process on every machine, whose values are registers. Files, final questions,
// the budget of faults and the rest have defaults.
func ExampleDefine() {
	subject := scenarios.Define(scenarios.Definition{
		Kind:      "mykv",
		Processes: scenarios.OnEveryMachine("kv", func() env.Process { return &echo{} }),
		Encode: func(op workload.Op) (process string, input []byte) {
			return "kv", []byte(op.F + " " + op.Key + " " + op.Value)
		},
		Decode: func(op workload.Op, output []byte) (workload.Result, error) {
			switch {
			case string(output) == "no leader":
				return workload.Failed("no leader"), nil
			case op.F == workload.Read:
				return workload.OKValue(string(output)), nil
			}
			return workload.OK(), nil
		},
		Model: models.Register,
	})
	for _, f := range subject.Client().Functions() {
		fmt.Println(f.F, f.Weight)
	}
	fmt.Println(subject.Builder().Processes(0)[0].Name, "on", subject.Kind())
	// Output:
	// read 1
	// write 1
	// kv on mykv
}

// A subject that embeds what Define returns replaces single methods.
func ExampleDefine_embedding() {
	subject := clustered{scenarios.Define(scenarios.Definition{
		Kind:      "mykv",
		Processes: scenarios.OnEveryMachine("kv", func() env.Process { return &echo{} }),
		Encode:    func(op workload.Op) (string, []byte) { return "kv", []byte(op.F) },
		Decode:    func(workload.Op, []byte) (workload.Result, error) { return workload.OK(), nil },
		Model:     models.Register,
	})}
	for _, a := range scenarios.Actors(subject, timescale.Ratio{}) {
		fmt.Println(a.Name)
	}
	// Output: operator
}

// clustered adds an operator, which works on the system beside the clients.
type clustered struct{ scenarios.Subject }

func (clustered) Actors(scale timescale.Ratio) []scenarios.Actor {
	return []scenarios.Actor{{Name: "operator", Run: func(e workload.ClientEnv) error {
		if e.Sleep(scale.Of(10*time.Second)) != nil {
			return nil // the run is over
		}
		_, err := e.Do(0, "kv", []byte("compact"), scale.Of(time.Second))
		if err != nil {
			return nil // a fault: nothing is wrong with the system yet
		}
		return nil
	}}}
}

// All that is wrong with a file is reported at once, with places and remedies.
func ExampleParse() {
	file := `name: pair-cut
story: n1 and n3 lose sight of each other.
machines: 3
duration: 60s
colour: red
faults:
  - {kind: cut, at: 70s, from: [n1], to: [n3]}
subject: {kind: tyo}
`
	_, _, err := scenarios.Parse("pair-cut.yaml", []byte(file), toyKinds())
	for problem := range strings.Lines(err.Error()) {
		what, remedy, _ := strings.Cut(strings.TrimSpace(problem), "; ")
		fmt.Printf("%s\n\t%.60s\n", what, remedy)
	}
	// Output:
	// pair-cut.yaml:5:1: unknown key "colour"
	// 	write one of name, story, references, machines, network, dis
	// pair-cut.yaml:7:21: faults[0].at: 1m10s is not before the end of the faults, which last 1m
	// 	times count from the end of the warm-up
	// pair-cut.yaml:8:17: subject.kind: unknown subject "tyo"
	// 	did you mean "toy"?
}

// Machines and processes are hit by different methods.
func ExampleFaultTime() {
	s := scenarios.New("stops").Story("A machine is paused, and a process is killed.").
		Machines(3).Duration(60*time.Second).
		At(10*time.Second).PauseMachine("n1").For(5*time.Second).
		At(30*time.Second).KillProcess("store").On("n2", "n3").For(2*time.Second).
		Subject("toy", nil).
		MustBuild()
	for _, f := range s.Faults {
		fmt.Printf("%v %s %v %q\n", f.At, f.Kind, f.Machines, f.Process)
	}
	// Output:
	// 10s pause [n1] ""
	// 30s kill [n2 n3] "store"
}
