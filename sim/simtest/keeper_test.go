package simtest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// A keeper: machine 0 keeps named values in a file; every machine takes requests and passes them
// on to it. docs/testing-your-own-system.md goes through this file.

// keeper is the process that runs on every machine.
type keeper struct {
	hasty   bool // the planted bug: answers before the value is durable
	env     env.Env
	state   state
	number  uint64              // of the last request that was passed on
	pending map[uint64]env.OpID // passed on and not answered yet
}

// state is what machine 0 has on its disk.
type state struct {
	Values map[string]string
	Done   map[env.MachineID]uint64 // each machine's last write, so that none happens twice
}

// packet is what clients and machines send.
type packet struct {
	Number uint64
	Answer bool
	F      string // read or write
	Key    string
	Value  string
}

const (
	stateFile     = "keeper/state"
	maxStateBytes = 1 << 20
)

func (k *keeper) Start(e env.Env) error {
	k.env, k.pending = e, map[uint64]env.OpID{}
	k.number = e.Self().Incarnation << 32 // above all numbers of earlier incarnations
	data, err := env.ReadFile(e.Disk(), stateFile, maxStateBytes)
	if errors.Is(err, env.ErrNotExist) {
		k.state = state{Values: map[string]string{}, Done: map[env.MachineID]uint64{}}
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the values: %w", err)
	}
	if err := json.Unmarshal(data, &k.state); err != nil {
		return fmt.Errorf("reading the values: %w", err)
	}
	return k.save() // what is readable need not be durable: an earlier sync may have failed
}

func (k *keeper) Step(ev env.Event) {
	switch ev := ev.(type) {
	case env.Invoked: // a client asks
		var p packet
		if err := json.Unmarshal(ev.Input, &p); err != nil {
			panic("the workload sends something else: " + err.Error())
		}
		k.number++
		k.pending[k.number] = ev.Op
		p.Number = k.number
		k.send(0, p)
	case env.TimerFired:
		if err := k.save(); err != nil {
			k.env.Exit(err)
		}
	case env.Received: // a machine asks or answers
		var p packet
		if json.Unmarshal(ev.Payload, &p) != nil {
			return
		}
		if !p.Answer {
			k.serve(ev.From, p)
		} else if op, ok := k.pending[p.Number]; ok {
			delete(k.pending, p.Number)
			k.env.Complete(op, []byte(p.Value))
		}
	}
}

func (k *keeper) serve(from env.MachineID, p packet) {
	if p.F == "write" {
		if p.Number <= k.state.Done[from] {
			return // the network doubled it, or it was overtaken
		}
		k.state.Values[p.Key], k.state.Done[from] = p.Value, p.Number
		if k.hasty {
			k.env.SetTimer(1, time.Second) // and saves it a little later
		} else if err := k.save(); err != nil {
			k.env.Exit(err)
			return
		}
	}
	k.send(from, packet{Number: p.Number, Answer: true, Value: k.state.Values[p.Key]})
}

func (k *keeper) save() error {
	data, err := json.Marshal(k.state)
	if err != nil {
		return err
	}
	return env.ReplaceFile(k.env.Disk(), stateFile, data)
}

func (k *keeper) send(to env.MachineID, p packet) { k.env.Send(to, 0, encode(p)) }

func encode(p packet) []byte {
	data, err := json.Marshal(p)
	if err != nil {
		panic(err)
	}
	return data
}
