package store

import (
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/state"
)

// ordered is a command or a marker at its place in the ring's order.
type ordered struct {
	at     uint64
	from   ring.NodeID
	cmd    *state.Command // nil for a marker
	marker uint64
}

func (o *ordered) bytes() int {
	if o.cmd == nil {
		return 64
	}
	return 256 + len(o.cmd.Op.Data) + len(o.cmd.Op.Path) + len(o.cmd.Op.To)
}

// onDeliver takes an ordered frame.
func (s *Store) onDeliver(d *cpg.Deliver) {
	f, err := decodeFrame(d.Payload)
	if err != nil {
		s.log.Error("undecodable message", "from", d.From, "error", err)
		return
	}
	if !s.counts(d, f) {
		return
	}
	s.ring.inOrder(d)
	if d.From == s.node() {
		s.out.landed(cookieOf(f.number, f.index))
		defer s.out.pump()
	}
	if f.bulk && !s.ring.fetching {
		return
	}
	whole := s.in.add(d.From, f)
	if whole == nil {
		return
	}
	m, err := decodeMessage(whole)
	if err != nil {
		s.log.Error("undecodable message", "from", d.From, "error", err)
		return
	}
	s.onMessage(d.Seq, d.From, m)
}

// counts says whether a message belongs to the ring in which this store reported. A message that
// was meant for an older ring and was sent late is not carried out.
func (s *Store) counts(d *cpg.Deliver, f *frame) bool {
	if d.Ring != s.ring.id || f.epoch != s.ring.id {
		s.env.Probe("store/message-of-another-ring")
		return false
	}
	return s.ring.present && !s.ring.fenced && s.failed == nil
}

// inOrder insists on what everything here rests on: each message has a place of its own, behind
// all that were delivered before.
func (v *ringView) inOrder(d *cpg.Deliver) {
	if d.Seq <= v.delivered {
		panic(fmt.Sprintf("store: message %d of ring %s delivered after message %d", d.Seq, v.id, v.delivered))
	}
	v.delivered = d.Seq
}

func (s *Store) onMessage(at uint64, from ring.NodeID, m message) {
	switch m := m.(type) {
	case *report:
		s.onReport(at, from, m)
	case *decide:
		s.onDecide(at, m)
	case *fetch:
		s.onFetch(from, m)
	case *snapshot:
		s.onSnapshot(from, m)
	case *command:
		cmd := m.Command
		cmd.Op.Data = append([]byte{}, cmd.Op.Data...)
		s.enqueue(ordered{at: at, from: from, cmd: &cmd})
	case *marker:
		s.enqueue(ordered{at: at, from: from, marker: m.ID})
	case *ack:
		s.onAck(from, m)
	}
}

// enqueue takes a command or marker. What is delivered at the same time is carried out together.
func (s *Store) enqueue(o ordered) {
	v := &s.ring
	switch {
	case v.decision == nil:
		return // ordered before the decision: no member carries it out
	case v.installed:
		s.queue = append(s.queue, o)
		s.env.SetTimer(timerFlush, 0)
	case v.fetching:
		s.keepBacklog(o)
	}
}

// flush carries out everything that was delivered.
func (s *Store) flush() {
	for len(s.queue) > 0 && s.failed == nil {
		n := min(len(s.queue), maxBatchCommands)
		group := s.queue[:n]
		s.queue = s.queue[n:]
		s.carryOut(group)
	}
	if len(s.queue) == 0 {
		s.queue = nil
	}
}

// carryOut applies a group in order, makes it durable as one transaction, and only then confirms
// it to the others and to clients.
func (s *Store) carryOut(group []ordered) {
	var batch state.Batch
	before := s.role()
	for i := range group {
		if o := &group[i]; o.cmd != nil {
			s.applyCommand(o, &batch)
		} else {
			s.judgeReads(o)
		}
	}
	if !s.commit(&batch) {
		return
	}
	s.ring.position = group[len(group)-1].at
	s.acknowledge()
	if now := s.role(); now != before {
		s.env.Emit(RoleChanged{Role: now, Incarnation: s.replica.Incarnation.String(),
			Revision: s.replica.Revision()})
	}
}

// applyCommand changes the replica and notes the answer for the client, if it is ours.
func (s *Store) applyCommand(o *ordered, batch *state.Batch) {
	config := s.replica.Config
	outcome := s.replica.Apply(o.cmd, s.ring.presentAt(o.at), batch)
	if o.from == s.node() {
		s.judged(o, config, &outcome)
	}
}

// presentAt tells which incarnations had reported before a place in the order: all members that
// come to that place agree on it.
func (v *ringView) presentAt(at uint64) state.Present {
	return func(node ring.NodeID) state.Incarnation {
		if r := v.reportOf(node); r != nil && r.at < at {
			return r.Incarnation
		}
		return state.Incarnation{}
	}
}

// acknowledge tells the ring up to where everything is durable here. It is called after the
// transaction that made it so.
func (s *Store) acknowledge() {
	a := ack{Incarnation: s.replica.Incarnation, Position: s.ring.position}
	s.ring.acks[s.node()] = a
	if len(s.ring.members) > 1 && s.role() == RoleVoter {
		s.out.send(&a)
	}
	s.advance()
}

// onAck counts a confirmation. It names the incarnation that gives it, and is only ever sent by a
// store that has installed this epoch; its report may come later in the order.
func (s *Store) onAck(from ring.NodeID, a *ack) {
	if !s.ring.hasAck(from) || a.Position > s.ring.acks[from].Position {
		s.ring.acks[from] = *a
	}
	s.advance()
}

func (v *ringView) hasAck(node ring.NodeID) bool {
	_, ok := v.acks[node]
	return ok
}

// confirmed says whether a place in the order is durable on enough votes: of stores that installed
// this epoch, as judged by the configuration that was in force at that place.
func (v *ringView) confirmed(c *state.Config, at uint64) bool {
	var votes uint32
	for _, m := range c.Members {
		if a, ok := v.acks[m.Node]; ok && a.Position >= at {
			votes += c.Votes(m.Node, a.Incarnation)
		}
	}
	return votes >= c.AckVotes()
}
