package world

import (
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/sim/kernel"
)

type packetKind uint8

const (
	packetDatagram packetKind = iota
	packetLocal
	packetUp
	packetDown
	packetCall
)

// packet is a message on its way to a process: a datagram, a local message or a client's request.
type packet struct {
	kind       packetKind
	link       env.LinkID
	machine    env.MachineID // of the sender
	to         *Proc
	from       *Proc  // of a local message
	generation uint64 // of the receiver that a local message is for
	call       *call
	payload    []byte
}

// directedLink is the way from one machine to another.
type directedLink struct {
	condition *fault.Condition
	draws     fault.LinkDraws
	fifo      fault.FIFO
}

// Buffers come in powers of two from 64 bytes up.
const (
	minBufferBits = 6
	bufferClasses = 20
)

func (w *World) copyOf(p []byte) []byte {
	class := sizeClass(len(p))
	if class >= bufferClasses {
		return append([]byte(nil), p...)
	}
	free := w.buffers[class]
	if n := len(free); n > 0 {
		b := free[n-1][:len(p)]
		w.buffers[class] = free[:n-1]
		copy(b, p)
		return b
	}
	b := make([]byte, len(p), 1<<(class+minBufferBits))
	copy(b, p)
	return b
}

func (w *World) newPacket(p packet) uint32 {
	if n := len(w.freePackets); n > 0 {
		slot := w.freePackets[n-1]
		w.freePackets = w.freePackets[:n-1]
		w.packets[slot] = p
		return slot
	}
	w.packets = append(w.packets, p)
	return uint32(len(w.packets) - 1)
}

func (w *World) freePacket(slot uint32) {
	p := &w.packets[slot]
	if b := p.payload; b != nil {
		if class := sizeClass(cap(b)); class < bufferClasses && cap(b) == 1<<(class+minBufferBits) {
			w.buffers[class] = append(w.buffers[class], b)
		}
	}
	*p = packet{}
	w.freePackets = append(w.freePackets, slot)
}

func (w *World) directedLink(from, to env.MachineID) *directedLink {
	l := &w.links[int(from)*len(w.machines)+int(to)]
	if l.condition == nil {
		stream := "link/" + w.machines[from].name + "/" + w.machines[to].name
		l.condition = w.Net.Condition(int(from), int(to))
		l.draws = fault.LinkDraws{
			Loss: w.Choices.List(stream, "loss"), Duplicate: w.Choices.List(stream, "duplicate"),
			Reorder: w.Choices.List(stream, "reorder"), Delay: w.Choices.List(stream, "delay")}
	}
	return l
}

// minDatagramLatency is the least time that a datagram takes.
const minDatagramLatency = 2 * time.Microsecond

// Send implements env.Env.
func (p *Proc) Send(to env.MachineID, link env.LinkID, payload []byte) {
	if len(payload) > env.MaxDatagramBytes {
		panic(fmt.Sprintf("env: %s sends a datagram of %d bytes", p.spec.Name, len(payload)))
	}
	w := p.world()
	if !p.up || int(to) >= len(w.machines) || to < 0 {
		return
	}
	target := p.peer(to)
	if target == nil {
		return
	}
	l := w.directedLink(p.machine.id, to)
	now := w.Now()
	verdict := l.condition.Deliver(&l.draws)
	at := l.fifo.Arrivals(now, &verdict)
	for i := range verdict.Copies {
		slot := w.newPacket(packet{kind: packetDatagram, link: link, machine: p.machine.id,
			to: target, payload: w.copyOf(payload)})
		w.Kernel.At(int64(max(at[i], now+minDatagramLatency)), target, codePacket, uint64(slot))
	}
}

func (p *Proc) peer(to env.MachineID) *Proc {
	if p.peers == nil {
		p.peers = make([]*Proc, len(p.world().machines))
		for i, m := range p.world().machines {
			p.peers[i] = m.Proc(p.spec.Name)
		}
	}
	return p.peers[to]
}

// Local implements env.Env.
func (p *Proc) Local(to string, payload []byte) error {
	target := p.machine.Proc(to)
	if target == nil || !target.up || !p.up {
		return env.ErrLocalDown
	}
	if len(payload) > env.MaxLocalBytes {
		panic(fmt.Sprintf("env: %s sends a local message of %d bytes", p.spec.Name, len(payload)))
	}
	if target.inbox.length(target.inbox.local(p)) >= maxLocal {
		return env.ErrLocalFull
	}
	w := p.world()
	w.local(p, target, packetLocal, w.copyOf(payload))
	return nil
}

// local sends something between processes of one machine, in order for each pair.
func (w *World) local(from, to *Proc, kind packetKind, payload []byte) {
	at := max(w.Kernel.Now()+from.localLatency(), from.lastLocalArrival[to]+1)
	from.lastLocalArrival[to] = at
	slot := w.newPacket(packet{kind: kind, from: from, to: to, generation: to.generation, payload: payload})
	w.Kernel.At(at, to, codePacket, uint64(slot))
}

// arrive takes a packet that has reached the process's machine.
func (p *Proc) arrive(slot uint32) {
	w := p.world()
	pkt := &w.packets[slot]
	q := queueDatagrams
	switch {
	case pkt.kind == packetCall:
		if !p.up || p.inbox.length(queueOperations) >= maxOperations {
			pkt.call.refuse()
			w.freePacket(slot)
			return
		}
		q = queueOperations
	case pkt.kind != packetDatagram:
		if !p.up || pkt.generation != p.generation {
			w.freePacket(slot)
			return
		}
		q = p.inbox.local(pkt.from)
	case !p.up || p.inbox.bytes+len(pkt.payload) > maxSocketBytes:
		w.freePacket(slot)
		return
	}
	if pkt.kind == packetDatagram {
		p.inbox.bytes += len(pkt.payload)
	}
	if !p.pending() && p.ready() {
		p.deliver(slot)
		return
	}
	p.inbox.put(q, slot)
	p.deliverNext()
}

// deliver hands a packet to the process.
func (p *Proc) deliver(slot uint32) {
	w := p.world()
	pkt := w.packets[slot] // a copy: the slab may move during the Step
	switch pkt.kind {
	case packetDatagram:
		p.inbox.bytes -= len(pkt.payload)
		w.note(p, noteReceived, uint64(pkt.machine)<<8|uint64(pkt.link), kernel.Fingerprint(pkt.payload))
		p.step(env.Received{From: pkt.machine, Link: pkt.link, Payload: pkt.payload})
	case packetLocal:
		w.note(p, noteLocal, uint64(pkt.from.index), kernel.Fingerprint(pkt.payload))
		p.step(env.LocalMessage{From: pkt.from.spec.Name, Payload: pkt.payload})
	case packetUp:
		w.note(p, noteLocalUp, uint64(pkt.from.index), 0)
		p.step(env.LocalUp{Process: pkt.from.spec.Name})
	case packetDown:
		w.note(p, noteLocalDown, uint64(pkt.from.index), 0)
		p.step(env.LocalDown{Process: pkt.from.spec.Name})
	case packetCall:
		p.lastOp++
		p.ops[p.lastOp] = pkt.call
		w.note(p, noteInvoked, uint64(p.lastOp), kernel.Fingerprint(pkt.payload))
		p.step(env.Invoked{Op: p.lastOp, Input: pkt.payload})
	}
	w.freePacket(slot)
}
