package register

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// ProcessName is the name of the register's process on every machine.
const ProcessName = "register"

// Limits.
const (
	maxKeyBytes   = 128
	maxValueBytes = 16 << 10
	maxPending    = 1024
)

// restartAfter is how long the service manager waits before it starts a replica again.
const restartAfter = 2 * time.Second

// resendAfter is how long a coordinator waits before it asks the machines again that have not answered.
const resendAfter = 150 * time.Millisecond

// Config is what a process must know of its cluster.
type Config struct {
	Machines int `json:"machines"`
}

// Request is an operation as a client sends it.
type Request struct {
	F     string `json:"f"` // read or write
	Key   string `json:"key"`
	Value string `json:"value,omitempty"`
}

// Response is the answer. Error is set when the request was refused and changed nothing.
type Response struct {
	Value string `json:"value,omitempty"`
	Error string `json:"error,omitempty"`
}

// stamp orders the values of a key: by count, then by a number that is unique to the write.
type stamp struct {
	Seq    uint64
	Unique uint64
}

func (s stamp) less(o stamp) bool {
	return s.Seq < o.Seq || s.Seq == o.Seq && s.Unique < o.Unique
}

// entry is a key's value with its stamp.
type entry struct {
	Stamp stamp
	Value string
}

// Process is one replica; it also coordinates the operations of its machine's clients.
type Process struct {
	config  Config
	env     env.Env
	disk    journal
	entries map[string]entry
	pending map[uint64]*operation
	last    uint64
}

// operation is one that this replica coordinates. It asks a majority for the newest value, then
// gives a majority the value to keep.
type operation struct {
	op       env.OpID
	request  Request
	storing  bool
	best     entry
	answered []bool // by machine, in this phase
	count    int
}

// New makes the process of a machine.
func New(config Config) *Process {
	return &Process{config: config, entries: map[string]entry{}, pending: map[uint64]*operation{}}
}

// Start implements env.Process.
func (p *Process) Start(e env.Env) error {
	p.env = e
	// Numbers of operations must differ from those of earlier incarnations, whose late
	// answers may still be on their way.
	p.last = e.Rand("operation").Uint64() >> 1
	return p.disk.open(e.Disk(), func(key string, v entry) { p.keep(key, v) })
}

// Step implements env.Process.
func (p *Process) Step(ev env.Event) {
	switch ev := ev.(type) {
	case env.Invoked:
		p.invoked(ev)
	case env.Received:
		p.received(ev)
	case env.TimerFired:
		if o := p.pending[uint64(ev.ID)]; o != nil {
			p.ask(uint64(ev.ID), o)
		}
	}
}

func (p *Process) invoked(ev env.Invoked) {
	var r Request
	decoder := json.NewDecoder(bytes.NewReader(ev.Input))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&r)
	switch {
	case err != nil:
		p.refuse(ev.Op, "cannot read the request: "+err.Error())
	case r.F != "read" && r.F != "write":
		p.refuse(ev.Op, fmt.Sprintf("unknown operation %q: use read or write", r.F))
	case len(r.Key) == 0 || len(r.Key) > maxKeyBytes || len(r.Value) > maxValueBytes:
		p.refuse(ev.Op, fmt.Sprintf("key of 1 to %d bytes and value of at most %d needed", maxKeyBytes,
			maxValueBytes))
	case len(p.pending) >= maxPending:
		p.refuse(ev.Op, "busy: too many operations are waiting, try again")
	default:
		p.last++
		o := &operation{op: ev.Op, request: r, answered: make([]bool, p.config.Machines)}
		p.pending[p.last] = o
		p.ask(p.last, o)
	}
}

func (p *Process) refuse(op env.OpID, why string) { p.complete(op, Response{Error: why}) }

func (p *Process) complete(op env.OpID, r Response) {
	out, err := json.Marshal(r)
	if err != nil {
		panic("register: a response does not encode: " + err.Error())
	}
	p.env.Complete(op, out)
}

// ask sends the present phase's question to every replica that has not answered it.
func (p *Process) ask(number uint64, o *operation) {
	m := message{Kind: kindQuery, Number: number, Key: o.request.Key}
	if o.storing {
		m.Kind, m.Entry = kindStore, o.best
	}
	data := m.encode()
	for machine := range o.answered {
		if !o.answered[machine] {
			p.env.Send(env.MachineID(machine), 0, data)
		}
	}
	p.env.SetTimer(env.TimerID(number), resendAfter)
}

func (p *Process) received(ev env.Received) {
	m, err := decode(ev.Payload)
	if err != nil || int(ev.From) >= p.config.Machines {
		return // not ours: a datagram can hold anything
	}
	switch m.Kind {
	case kindQuery:
		m.Kind, m.Entry = kindValue, p.entries[m.Key]
		p.env.Send(ev.From, 0, m.encode())
	case kindStore:
		p.store(ev.From, m)
	case kindValue, kindStored:
		p.answered(ev.From, m)
	}
}

// store makes a value durable before it answers for it.
func (p *Process) store(from env.MachineID, m message) {
	if p.entries[m.Key].Stamp.less(m.Entry.Stamp) {
		if err := p.disk.append(m.Key, m.Entry); err != nil {
			p.env.Exit(fmt.Errorf("storing %s: %w", m.Key, err))
			return
		}
		p.keep(m.Key, m.Entry)
		p.env.Emit(Stored{Key: m.Key, Seq: m.Entry.Stamp.Seq, Value: m.Entry.Value})
	}
	m.Kind, m.Entry = kindStored, entry{}
	p.env.Send(from, 0, m.encode())
}

func (p *Process) keep(key string, v entry) {
	if p.entries[key].Stamp.less(v.Stamp) {
		p.entries[key] = v
	}
}

// answered counts an answer of the present phase.
func (p *Process) answered(from env.MachineID, m message) {
	o := p.pending[m.Number]
	if o == nil || o.answered[from] || o.storing != (m.Kind == kindStored) {
		return
	}
	o.answered[from] = true
	o.count++
	if m.Kind == kindValue && o.best.Stamp.less(m.Entry.Stamp) {
		o.best = m.Entry
	}
	if o.count <= p.config.Machines/2 {
		return
	}
	if o.storing {
		p.env.StopTimer(env.TimerID(m.Number))
		delete(p.pending, m.Number)
		p.complete(o.op, Response{Value: o.best.Value})
		return
	}
	if o.request.F == "write" {
		o.best = entry{Value: o.request.Value,
			Stamp: stamp{Seq: o.best.Stamp.Seq + 1, Unique: p.env.Rand("stamp").Uint64()}}
	}
	// A read gives the value that it found to a majority, too: the next reader must find it.
	o.storing, o.count = true, 0
	clear(o.answered)
	p.ask(m.Number, o)
}

// Stored is the record of a replica that made a value durable.
type Stored struct {
	Key   string `json:"key"`
	Seq   uint64 `json:"seq"`
	Value string `json:"value"`
}

// RecordKind implements env.Record.
func (Stored) RecordKind() string { return "register-stored" }
