package simtest_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/models"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
	"github.com/holdfast-sim/holdfast/sim/simtest"
)

// pair is a store of two machines, the system of docs/tutorial.md. The first machine serves, and sends its
// values to the second one, which passes reads on to it. With takesOver the second one serves when the first
// has been silent for a while.
type pair struct {
	takesOver, serves bool
	env               env.Env
	values            map[string]string
	waiting           map[env.OpID]bool // reads that were passed on
}

// parcel is what the machines send each other: all values, or a read, or its answer.
type parcel struct {
	Values     map[string]string
	Op         env.OpID
	Life       uint64 // the incarnation that passed the read on: operations of another have equal numbers
	Key, Reply string
}

const (
	beat, silence           = env.TimerID(1), env.TimerID(2)
	beatEvery, silenceLimit = 50 * time.Millisecond, 300 * time.Millisecond
)

func (p *pair) Start(e env.Env) error {
	p.env, p.serves = e, e.Self().Machine == 0
	p.values, p.waiting = map[string]string{}, map[env.OpID]bool{}
	data, err := env.ReadFile(e.Disk(), "pair/values", 1<<20)
	if err == nil {
		err = json.Unmarshal(data, &p.values)
	}
	if err != nil && !errors.Is(err, env.ErrNotExist) {
		return err
	}
	if p.serves {
		e.SetTimer(beat, beatEvery)
	} else if p.takesOver {
		e.SetTimer(silence, silenceLimit)
	}
	return p.save() // what is readable need not be durable
}

func (p *pair) Step(ev env.Event) {
	switch ev := ev.(type) {
	case env.Invoked: // a client reads or writes
		var op workload.Op
		_ = json.Unmarshal(ev.Input, &op) // it comes from Encode
		switch {
		case p.serves && op.F == workload.Write:
			p.values[op.Key] = op.Value
			if err := p.save(); err != nil {
				p.env.Exit(err)
				return
			}
			fallthrough
		case p.serves:
			p.env.Complete(ev.Op, []byte("ok "+p.values[op.Key]))
		case op.F == workload.Read:
			p.waiting[ev.Op] = true
			p.send(parcel{Op: ev.Op, Life: p.env.Self().Incarnation, Key: op.Key})
		default:
			p.env.Complete(ev.Op, []byte("standby"))
		}
	case env.TimerFired:
		if ev.ID == silence {
			p.serves = true // the other one must be down, or is it?
		}
		p.send(parcel{Values: p.values})
		p.env.SetTimer(beat, beatEvery)
	case env.Received:
		var r parcel
		if err := json.Unmarshal(ev.Payload, &r); err == nil {
			p.receive(r)
		}
	}
}

func (p *pair) receive(r parcel) {
	switch {
	case r.Values != nil && p.takesOver && p.env.Self().Machine == 1:
		p.serves, p.values = false, r.Values
		p.env.StopTimer(beat)
		p.env.SetTimer(silence, silenceLimit)
	case r.Key != "" && p.serves:
		p.send(parcel{Op: r.Op, Life: r.Life, Reply: "ok " + p.values[r.Key]})
	case r.Reply != "" && r.Life == p.env.Self().Incarnation && p.waiting[r.Op]:
		delete(p.waiting, r.Op)
		p.env.Complete(r.Op, []byte(r.Reply))
	}
}

func (p *pair) send(r parcel) {
	data, _ := json.Marshal(r) // texts and numbers
	p.env.Send(1-p.env.Self().Machine, 0, data)
}

func (p *pair) save() error {
	data, _ := json.Marshal(p.values) // a map of texts
	return env.ReplaceFile(p.env.Disk(), "pair/values", data)
}

func pairSubject(takesOver bool) scenarios.Subject {
	return scenarios.Define(scenarios.Definition{
		Kind: "pair",
		Processes: scenarios.OnEveryMachine("pair",
			func() env.Process { return &pair{takesOver: takesOver} }),
		Encode: func(op workload.Op) (process string, input []byte) {
			data, _ := json.Marshal(op) // texts and numbers
			return "pair", data
		},
		Decode: func(op workload.Op, output []byte) (workload.Result, error) {
			value, served := strings.CutPrefix(string(output), "ok ")
			switch {
			case !served:
				return workload.Result{Type: history.Fail, Error: "standby", Elsewhere: true}, nil
			case op.F == workload.Read && value != "":
				return workload.OKValue(value), nil
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
