package simtest_test

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/linearizability/models"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
	"github.com/holdfast-sim/holdfast/sim/simtest"
)

// pair is a store of two machines, the system of docs/tutorial.md. The first machine serves and sends its
// state to the second one, which forwards requests. With takesOver the second one serves when the first has
// been silent for a while.
type pair struct {
	takesOver bool
	env       env.Env
	serves    bool
	state     state // of the keeper: values, and each machine's last write
	waiting   map[uint64]env.OpID
	number    uint64
}

// parcel is what the machines send each other: a request or its answer, or the whole state.
type parcel struct {
	packet
	State *state
}

const (
	beat, silence = env.TimerID(1), env.TimerID(2)
	beatEvery     = 50 * time.Millisecond
	silenceLimit  = 300 * time.Millisecond
)

func (p *pair) Start(e env.Env) error {
	p.env, p.serves, p.waiting = e, e.Self().Machine == 0, map[uint64]env.OpID{}
	p.state = state{Values: map[string]string{}, Done: map[env.MachineID]uint64{}}
	p.number = e.Self().Incarnation << 32 // above all numbers of earlier incarnations
	data, err := env.ReadFile(e.Disk(), stateFile, maxStateBytes)
	if err == nil {
		err = json.Unmarshal(data, &p.state)
	}
	if p.serves {
		e.SetTimer(beat, beatEvery)
	} else if p.takesOver {
		e.SetTimer(silence, silenceLimit)
	}
	if err != nil && err != env.ErrNotExist {
		return err
	}
	return p.save()
}

func (p *pair) Step(ev env.Event) {
	switch ev := ev.(type) {
	case env.Invoked:
		var r packet
		if err := json.Unmarshal(ev.Input, &r); err != nil {
			panic("the workload sends something else: " + err.Error())
		}
		p.number++
		r.Number, p.waiting[p.number] = p.number, ev.Op
		if p.serves {
			p.serve(p.env.Self().Machine, r)
		} else {
			p.send(parcel{packet: r})
		}
	case env.TimerFired:
		if ev.ID == silence {
			p.serves = true // the other one must be down, or is it?
		}
		p.send(parcel{State: &p.state})
		p.env.SetTimer(beat, beatEvery)
	case env.Received:
		var r parcel
		if err := json.Unmarshal(ev.Payload, &r); err == nil {
			p.onParcel(ev.From, r)
		}
	}
}

func (p *pair) onParcel(from env.MachineID, r parcel) {
	switch {
	case r.State != nil && from == 0:
		p.serves, p.state = false, *r.State
		p.env.StopTimer(beat)
		if p.takesOver {
			p.env.SetTimer(silence, silenceLimit)
		}
	case r.Answer:
		p.answer(r.packet)
	case r.F != "" && p.serves:
		p.serve(from, r.packet)
	}
}

// serve carries out a request once, and makes a write durable before it answers.
func (p *pair) serve(from env.MachineID, r packet) {
	if r.F == workload.Write {
		if r.Number <= p.state.Done[from] {
			return // the network doubled it, or it was overtaken
		}
		p.state.Values[r.Key], p.state.Done[from] = r.Value, r.Number
		if err := p.save(); err != nil {
			p.env.Exit(err)
			return
		}
	}
	r.Answer, r.Value = true, p.state.Values[r.Key]
	if from == p.env.Self().Machine {
		p.answer(r)
	} else {
		p.send(parcel{packet: r})
	}
}

func (p *pair) answer(r packet) {
	if op, waits := p.waiting[r.Number]; waits {
		delete(p.waiting, r.Number)
		p.env.Complete(op, []byte(r.Value))
	}
}

func (p *pair) send(r parcel) {
	data, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	p.env.Send(1-p.env.Self().Machine, 0, data)
}

func (p *pair) save() error {
	data, err := json.Marshal(p.state)
	if err != nil {
		return err
	}
	return env.ReplaceFile(p.env.Disk(), stateFile, data)
}

func pairSubject(takesOver bool) scenarios.Subject {
	return scenarios.Define(scenarios.Definition{
		Kind: "pair",
		Processes: scenarios.OnEveryMachine("pair",
			func() env.Process { return &pair{takesOver: takesOver} }),
		Encode: func(op workload.Op) (process string, input []byte) {
			return "pair", encode(packet{F: op.F, Key: op.Key, Value: op.Value})
		},
		Decode: func(op workload.Op, output []byte) (workload.Result, error) {
			if op.F == workload.Read && len(output) > 0 {
				return workload.OKValue(string(output)), nil
			}
			return workload.OK(), nil
		},
		Model:         models.Register,
		Survives:      scenarios.SurvivesAnything, // it may be unavailable, but it never forgets
		ShortestTimer: beatEvery, LongestTimer: silenceLimit,
	})
}

func TestPair(t *testing.T) {
	s := scenarios.New("pair").Story("Anything may happen to two machines.").Machines(2).
		Warmup(time.Second).Duration(20*time.Second).Quiescence(3*time.Second).
		Nemesis(scenarios.Nemesis{}).Subject("pair", nil).MustBuild()
	simtest.Run(t, s, pairSubject(os.Getenv("PAIR_TAKEOVER") != ""))
}
