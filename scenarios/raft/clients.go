package raft

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// stateMachine is what the applied log amounts to.
type stateMachine struct {
	values  map[string]string
	applied map[string]uint64 // session -> the serial of its last write
}

func newStateMachine() stateMachine {
	return stateMachine{values: map[string]string{}, applied: map[string]uint64{}}
}

// apply applies one command. A write that is in the log twice is applied once.
func (s *stateMachine) apply(c *command) answer {
	if c.Function == read {
		return answer{Status: statusOK, Value: s.values[c.Key]}
	}
	last, known := s.applied[c.Session]
	switch {
	case known && c.Serial == last:
		return answer{Status: statusOK}
	case known && c.Serial < last:
		return answer{Status: statusUnknown}
	case !known && len(s.applied) >= maxSessions:
		return answer{Status: statusRefused, Reason: "too many sessions"}
	}
	s.applied[c.Session] = c.Serial
	s.values[c.Key] = c.Value
	return answer{Status: statusOK}
}

// Request is an operation as a client sends it.
type Request struct {
	F       string `json:"f"` // read or write
	Key     string `json:"key"`
	Value   string `json:"value,omitempty"`
	Session string `json:"session"`
	Serial  uint64 `json:"serial"`
}

// Response is the answer. With Unknown the request may have been applied or may be later; with Error it
// was not and never will be, and with NoLeader another machine may do better.
type Response struct {
	Value    string `json:"value,omitempty"`
	Error    string `json:"error,omitempty"`
	Unknown  bool   `json:"unknown,omitempty"`
	NoLeader bool   `json:"no_leader,omitempty"`
}

const (
	retryEvery = 100 * time.Millisecond
	// giveUpAfter is how long a machine tries to get an answer from the leaders that it knows.
	giveUpAfter = 3 * time.Second
)

// gateway carries the requests of a machine's clients to the leader, and the answers back.
type gateway struct {
	*Process
	calls      map[uint64]*clientCall // those that are not answered, by number
	lastNumber uint64
}

type clientCall struct {
	op       env.OpID
	command  command
	deadline time.Duration
	sent     bool // some leader may have it
}

// newGateway begins to count at a random number: messages with the numbers of earlier incarnations may
// still be on their way.
func newGateway(p *Process) gateway {
	return gateway{Process: p, calls: map[uint64]*clientCall{}, lastNumber: p.env.Rand("call").Uint64() >> 1}
}

var functions = map[string]function{"read": read, "write": write}

func (g *gateway) onInvoked(ev env.Invoked) {
	var r Request
	decoder := json.NewDecoder(bytes.NewReader(ev.Input))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		g.complete(ev.Op, Response{Error: "cannot read the request: " + err.Error()})
		return
	}
	c := command{Function: functions[r.F], Key: r.Key, Value: r.Value, Session: r.Session, Serial: r.Serial}
	if problem := c.problem(); problem != "" {
		g.complete(ev.Op, Response{Error: problem})
		return
	}
	if len(g.calls) >= maxCalls {
		g.complete(ev.Op, Response{Error: "busy: too many requests are waiting, try again"})
		return
	}
	if len(g.calls) == 0 {
		g.env.SetTimer(timerRetry, retryEvery)
	}
	g.lastNumber++
	g.calls[g.lastNumber] = &clientCall{op: ev.Op, command: c,
		deadline: g.env.Mono() + giveUpAfter}
	g.sendCall(g.lastNumber)
}

// sendCall brings a request to the leader, if there is one.
func (g *gateway) sendCall(number uint64) {
	call := g.calls[number]
	switch {
	case g.role == leader:
		call.sent = true
		g.replication.propose(origin{g.self, number}, call.command)
	case g.leader > 0:
		call.sent = true
		g.send(env.MachineID(g.leader-1), &message{Kind: kindForward, Number: number, Command: call.command})
	}
}

// retryCalls sends again what was not answered, and gives up what has waited for too long.
func (g *gateway) retryCalls() {
	now := g.env.Mono()
	for _, number := range slices.Sorted(maps.Keys(g.calls)) {
		call := g.calls[number]
		switch {
		case call == nil: // answered meanwhile
		case now < call.deadline:
			g.sendCall(number)
		default:
			delete(g.calls, number)
			g.complete(call.op, Response{Unknown: call.sent, NoLeader: !call.sent})
		}
	}
	if len(g.calls) > 0 {
		g.env.SetTimer(timerRetry, retryEvery)
	}
}

// onForward takes the request of another machine's client.
func (g *gateway) onForward(from origin, c command) {
	if g.role == leader {
		g.replication.propose(from, c)
	}
}

func (g *gateway) answerOrigin(o origin, a answer) {
	if o.machine == g.self {
		g.onAnswer(o.number, a)
		return
	}
	g.send(o.machine, &message{Kind: kindAnswer, Number: o.number, Answer: a})
}

func (g *gateway) onAnswer(number uint64, a answer) {
	call := g.calls[number]
	if call == nil {
		return // answered before
	}
	delete(g.calls, number)
	switch a.Status {
	case statusOK:
		g.complete(call.op, Response{Value: a.Value})
	case statusUnknown:
		g.complete(call.op, Response{Unknown: true})
	case statusRefused:
		g.complete(call.op, Response{Error: a.Reason})
	}
}

func (g *gateway) complete(op env.OpID, r Response) {
	out, err := json.Marshal(r)
	if err != nil {
		panic("raft: a response does not encode: " + err.Error())
	}
	g.env.Complete(op, out)
}
