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

// writeStamp orders the values of a key: by count, then by a number that is unique to the write.
type writeStamp struct {
	Seq    uint64
	Unique uint64
}

func (s writeStamp) less(o writeStamp) bool {
	return s.Seq < o.Seq || s.Seq == o.Seq && s.Unique < o.Unique
}

// registerEntry is a key's value with its stamp.
type registerEntry struct {
	Stamp writeStamp
	Value string
}

// Process is one replica; it also coordinates the operations of its machine's clients.
type Process struct {
	config     Config
	env        env.Env
	disk       journal
	entryByKey map[string]registerEntry
	pending    map[uint64]*operation
	lastNumber uint64
}

// operation is one that this replica coordinates. It asks a majority for the newest value, then
// gives a majority the value to keep.
type operation struct {
	opID        env.OpID
	request     Request
	isStoring   bool
	newestEntry registerEntry
	answeredBy  []bool // by machine, in this phase
	answerCount int
}

// New makes the process of a machine.
func New(config Config) *Process {
	return &Process{config: config, entryByKey: map[string]registerEntry{}, pending: map[uint64]*operation{}}
}

// Start implements env.Process.
func (p *Process) Start(e env.Env) error {
	p.env = e
	// Numbers of operations must differ from those of earlier incarnations, whose late
	// answers may still be on their way.
	p.lastNumber = e.Rand("operation").Uint64() >> 1
	return p.disk.open(e.Disk(), func(key string, v registerEntry) { p.keepNewer(key, v) })
}

// Step implements env.Process.
func (p *Process) Step(ev env.Event) {
	switch ev := ev.(type) {
	case env.Invoked:
		p.onInvoked(ev)
	case env.Received:
		p.onReceived(ev)
	case env.TimerFired:
		if o := p.pending[uint64(ev.ID)]; o != nil {
			p.askAll(uint64(ev.ID), o)
		}
	}
}

func (p *Process) onInvoked(ev env.Invoked) {
	var r Request
	decoder := json.NewDecoder(bytes.NewReader(ev.Input))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&r)
	switch {
	case err != nil:
		p.answerRefused(ev.Op, "cannot read the request: "+err.Error())
	case r.F != "read" && r.F != "write":
		p.answerRefused(ev.Op, fmt.Sprintf("unknown operation %q: use read or write", r.F))
	case len(r.Key) == 0 || len(r.Key) > maxKeyBytes || len(r.Value) > maxValueBytes:
		p.answerRefused(ev.Op, fmt.Sprintf("key of 1 to %d bytes and value of at most %d needed", maxKeyBytes,
			maxValueBytes))
	case len(p.pending) >= maxPending:
		p.answerRefused(ev.Op, "busy: too many operations are waiting, try again")
	default:
		p.lastNumber++
		o := &operation{opID: ev.Op, request: r, answeredBy: make([]bool, p.config.Machines)}
		p.pending[p.lastNumber] = o
		p.askAll(p.lastNumber, o)
	}
}

func (p *Process) answerRefused(op env.OpID, why string) { p.answerClient(op, Response{Error: why}) }

func (p *Process) answerClient(op env.OpID, r Response) {
	out, err := json.Marshal(r)
	if err != nil {
		panic("register: a response does not encode: " + err.Error())
	}
	p.env.Complete(op, out)
}

// askAll sends the present phase's question to every replica that has not answered it.
func (p *Process) askAll(number uint64, o *operation) {
	m := message{Kind: kindQuery, Number: number, Key: o.request.Key}
	if o.isStoring {
		m.Kind, m.Entry = kindStore, o.newestEntry
	}
	data := m.encode()
	for machine := range o.answeredBy {
		if !o.answeredBy[machine] && !env.Buggify(p.env, SiteNotAsked) {
			p.env.Send(env.MachineID(machine), 0, data)
		}
	}
	p.env.SetTimer(env.TimerID(number), resendAfter)
}

func (p *Process) onReceived(ev env.Received) {
	m, err := decode(ev.Payload)
	if err != nil || int(ev.From) >= p.config.Machines {
		return // not ours: a datagram can hold anything
	}
	switch m.Kind {
	case kindQuery:
		m.Kind, m.Entry = kindValue, p.entryByKey[m.Key]
		p.env.Send(ev.From, 0, m.encode())
	case kindStore:
		p.onStore(ev.From, m)
	case kindValue, kindStored:
		p.onAnswered(ev.From, m)
	}
}

// onStore makes a value durable before it answers for it.
func (p *Process) onStore(from env.MachineID, m message) {
	if p.entryByKey[m.Key].Stamp.less(m.Entry.Stamp) {
		if err := p.disk.append(m.Key, m.Entry); err != nil {
			p.env.Exit(fmt.Errorf("storing %s: %w", m.Key, err))
			return
		}
		p.keepNewer(m.Key, m.Entry)
		p.env.Emit(Stored{Key: m.Key, Seq: m.Entry.Stamp.Seq, Value: m.Entry.Value})
	}
	m.Kind, m.Entry = kindStored, registerEntry{}
	p.env.Send(from, 0, m.encode())
}

func (p *Process) keepNewer(key string, v registerEntry) {
	if p.entryByKey[key].Stamp.less(v.Stamp) {
		p.entryByKey[key] = v
	}
}

// onAnswered counts an answer of the present phase.
func (p *Process) onAnswered(from env.MachineID, m message) {
	o := p.pending[m.Number]
	if o == nil || o.answeredBy[from] || o.isStoring != (m.Kind == kindStored) {
		return
	}
	o.answeredBy[from] = true
	o.answerCount++
	if m.Kind == kindValue && o.newestEntry.Stamp.less(m.Entry.Stamp) {
		o.newestEntry = m.Entry
	}
	if o.answerCount <= p.config.Machines/2 {
		return
	}
	if o.isStoring {
		p.env.StopTimer(env.TimerID(m.Number))
		delete(p.pending, m.Number)
		p.answerClient(o.opID, Response{Value: o.newestEntry.Value})
		return
	}
	if o.request.F == "write" {
		o.newestEntry = registerEntry{Value: o.request.Value,
			Stamp: writeStamp{Seq: o.newestEntry.Stamp.Seq + 1, Unique: p.env.Rand("stamp").Uint64()}}
	}
	// A read gives the value that it found to a majority, too: the next reader must find it.
	o.isStoring, o.answerCount = true, 0
	clear(o.answeredBy)
	p.askAll(m.Number, o)
}

// Stored is the record of a replica that made a value durable.
type Stored struct {
	Key   string `json:"key"`
	Seq   uint64 `json:"seq"`
	Value string `json:"value"`
}

// RecordKind implements env.Record.
func (Stored) RecordKind() string { return "register-stored" }
