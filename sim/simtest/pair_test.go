package simtest_test

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/linearizability/models"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
	"github.com/holdfast-sim/holdfast/sim/simtest"
)

// pair is a store of two machines, the system of docs/tutorial.md. The first machine serves, and sends its
// values to the second one, which passes requests on to it. With takesOver the second one serves when the
// first has been silent for a while.
type pair struct {
	takesOver, serves bool
	env               env.Env
	values            map[string]string
}

// message is what the machines send each other: all values, or a request that was passed on, or its answer.
type message struct {
	Values  map[string]string
	Op      env.OpID
	Request *workload.Op
	Answer  []byte
}

const beat, silence = env.TimerID(1), env.TimerID(2)
const beatEvery, silenceLimit = 50 * time.Millisecond, 300 * time.Millisecond

func (p *pair) Start(e env.Env) error {
	p.env, p.serves, p.values = e, e.Self().Machine == 0, map[string]string{}
	if p.serves {
		e.SetTimer(beat, beatEvery)
	}
	return nil
}

func (p *pair) Step(ev env.Event) {
	switch ev := ev.(type) {
	case env.Invoked: // a client reads or writes
		var request workload.Op
		_ = json.Unmarshal(ev.Input, &request) // it comes from Encode
		if p.serves {
			p.env.Complete(ev.Op, p.answer(request))
		} else {
			p.send(message{Op: ev.Op, Request: &request})
		}
	case env.TimerFired:
		if ev.ID == silence {
			p.serves = true // the other one must be down, or is it?
			return
		}
		p.send(message{Values: p.values})
		p.env.SetTimer(beat, beatEvery)
	case env.Received:
		var m message
		_ = json.Unmarshal(ev.Payload, &m) // it comes from send
		switch {
		case m.Request != nil && p.serves:
			p.send(message{Op: m.Op, Answer: p.answer(*m.Request)})
		case m.Answer != nil:
			p.env.Complete(m.Op, m.Answer)
		case m.Values != nil:
			p.serves, p.values = false, m.Values
			if p.takesOver {
				p.env.SetTimer(silence, silenceLimit)
			}
		}
	}
}

func (p *pair) send(m message) {
	data, _ := json.Marshal(m) // texts and numbers
	p.env.Send(1-p.env.Self().Machine, 0, data)
}

func (p *pair) answer(request workload.Op) []byte {
	if request.F == workload.Write {
		p.values[request.Key] = request.Value
	}
	return []byte(p.values[request.Key])
}

func TestPair(t *testing.T) {
	takesOver := os.Getenv("PAIR_TAKEOVER") != ""
	s := scenarios.New("pair").Story("Two machines lose each other and stand still.").Machines(2).
		Warmup(time.Second).Duration(20*time.Second).Quiescence(3*time.Second).
		Nemesis(scenarios.Nemesis{Kinds: []fault.Kind{fault.Partition, fault.Clog, fault.Pause}}).
		Subject("pair", nil).MustBuild()
	simtest.Run(t, s, scenarios.Define(scenarios.Definition{
		Kind: "pair", Model: models.Register,
		Processes: scenarios.OnEveryMachine("pair",
			func() env.Process { return &pair{takesOver: takesOver} }),
		Encode: func(op workload.Op) (process string, input []byte) {
			data, _ := json.Marshal(op) // texts and numbers
			return "pair", data
		},
		Decode: func(op workload.Op, output []byte) (workload.Result, error) {
			if op.F == workload.Write || len(output) == 0 {
				return workload.OK(), nil
			}
			return workload.OKValue(string(output)), nil
		},
		Survives:      scenarios.SurvivesAnything, // it may be unavailable, but it never forgets
		ShortestTimer: beatEvery, LongestTimer: silenceLimit,
	}))
}
