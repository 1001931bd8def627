package world

import (
	"fmt"
	"math"
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
	queue     fault.Queue
	held      []heldPacket // while the link is clogged, or its bandwidth limited
}

// heldPacket is a packet that a link holds back: until when, unless it is freed earlier, and how long it
// takes then.
type heldPacket struct {
	slot   uint32
	sentAt time.Duration
	delay  time.Duration
}

const (
	// maxHeld limits the packets that a link holds back. It drops what is sent beyond.
	maxHeld = 1 << 16
	// neverSent is the time at which a clogged link sends.
	neverSent = time.Duration(math.MaxInt64)
)

// Buffers come in powers of two from 64 bytes up.
const (
	minBufferBits = 6
	bufferClasses = 20
)

func (w *World) copyPayload(p []byte) []byte {
	class := bufferClass(len(p))
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
		if class := bufferClass(cap(b)); class < bufferClasses && cap(b) == 1<<(class+minBufferBits) {
			w.buffers[class] = append(w.buffers[class], b)
		}
	}
	*p = packet{}
	w.freePackets = append(w.freePackets, slot)
}

func (w *World) linkBetween(from, to env.MachineID) *directedLink {
	l := &w.links[int(from)*len(w.machines)+int(to)]
	if l.condition == nil {
		stream := "link/" + w.machines[from].name + "/" + w.machines[to].name
		l.condition = w.Net.Condition(int(from), int(to))
		l.draws = fault.LinkDraws{
			Loss: w.Choices.List(stream, "loss"), Duplicate: w.Choices.List(stream, "duplicate"),
			Reorder: w.Choices.List(stream, "reorder"), Delay: w.Choices.List(stream, "delay"),
			Corrupt: w.Choices.List(stream, "corrupt")}
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
	if !p.mayCall("Send") || !p.up || int(to) >= len(w.machines) || to < 0 {
		return
	}
	target := p.peer(to)
	if target == nil {
		return
	}
	l := w.linkBetween(p.machine.id, to)
	w.Net.CountPacket(int(p.machine.id), int(to))
	now := w.Now()
	verdict := l.condition.Deliver(&l.draws)
	if l.condition.Shaped {
		w.Net.Shape(int(p.machine.id), int(to), &l.draws, &l.queue, now, len(payload)+fault.HeaderBytes,
			len(payload), &verdict)
	}
	isHeld := l.condition.Clogged || verdict.Waits > 0
	var at [2]time.Duration
	if !isHeld {
		at = l.fifo.Arrivals(now, &verdict)
	}
	for i := range verdict.Copies {
		if isHeld && len(l.held) >= maxHeld {
			return
		}
		slot := w.newPacket(packet{kind: packetDatagram, link: link, machine: p.machine.id,
			to: target, payload: w.copyPayload(payload)})
		fault.Flip(w.packets[slot].payload, verdict.Flipped)
		if isHeld {
			l.holdBack(w, slot, verdict.Waits, verdict.Delay[i])
			continue
		}
		w.Kernel.At(int64(max(at[i], now+minDatagramLatency)), target, codePacket, uint64(slot))
	}
}

// holdBack keeps a packet until its link is freed or, on a link that is not clogged, for a time.
func (l *directedLink) holdBack(w *World, slot uint32, waits, delay time.Duration) {
	h := heldPacket{slot, neverSent, delay}
	if !l.condition.Clogged {
		h.sentAt = w.Now() + waits
		w.callAfter(waits, func() { l.sendHeld(w, w.Now()) })
	}
	l.held = append(l.held, h)
}

// releaseHeld sends what a link has held back until now.
func (l *directedLink) releaseHeld(w *World) {
	l.queue = fault.Queue{}
	l.sendHeld(w, neverSent)
}

// sendHeld sends the packets that a link has held back long enough, in their order.
func (l *directedLink) sendHeld(w *World, until time.Duration) {
	for len(l.held) > 0 && l.held[0].sentAt <= until {
		h := l.held[0]
		l.held = l.held[1:]
		at := l.fifo.Arrivals(w.Now(), &fault.Delivery{Copies: 1, Delay: [2]time.Duration{h.delay}})
		w.Kernel.At(int64(max(at[0], w.Now()+minDatagramLatency)), w.packets[h.slot].to, codePacket,
			uint64(h.slot))
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
	if !p.mayCall("Local") || target == nil || !target.up || !p.up {
		return env.ErrLocalDown
	}
	if len(payload) > env.MaxLocalBytes {
		panic(fmt.Sprintf("env: %s sends a local message of %d bytes", p.spec.Name, len(payload)))
	}
	if target.inbox.queueLength(target.inbox.localQueue(p)) >= maxLocal || p.Buggify(env.SiteLocalFull) {
		return env.ErrLocalFull
	}
	w := p.world()
	w.sendLocal(p, target, packetLocal, w.copyPayload(payload))
	return nil
}

// sendLocal sends something between processes of one machine, in order for each pair.
func (w *World) sendLocal(from, to *Proc, kind packetKind, payload []byte) {
	at := max(w.Kernel.Now()+from.drawLocalLatency(), from.lastLocalArrival[to]+1)
	from.lastLocalArrival[to] = at
	slot := w.newPacket(packet{kind: kind, from: from, to: to, generation: to.generation, payload: payload})
	w.Kernel.At(at, to, codePacket, uint64(slot))
}

// receivePacket takes a packet that has reached the process's machine.
func (p *Proc) receivePacket(slot uint32) {
	w := p.world()
	pkt := &w.packets[slot]
	q := queueDatagrams
	switch {
	case pkt.kind == packetCall:
		if !p.up || p.inbox.queueLength(queueOperations) >= maxOperations {
			pkt.call.finishRefused()
			w.freePacket(slot)
			return
		}
		q = queueOperations
	case pkt.kind != packetDatagram:
		if !p.up || pkt.generation != p.generation {
			w.freePacket(slot)
			return
		}
		q = p.inbox.localQueue(pkt.from)
	case !p.up || p.inbox.datagramBytes+len(pkt.payload) > maxSocketBytes:
		w.freePacket(slot)
		return
	}
	if pkt.kind == packetDatagram {
		p.inbox.datagramBytes += len(pkt.payload)
	}
	if !p.hasPending() && p.canTakeEvent() {
		p.deliverPacket(slot)
		return
	}
	p.inbox.putPacket(q, slot)
	p.deliverNext()
}

// deliverPacket hands a packet to the process.
func (p *Proc) deliverPacket(slot uint32) {
	w := p.world()
	pkt := w.packets[slot] // a copy: the slab may move during the Step
	switch pkt.kind {
	case packetDatagram:
		p.inbox.datagramBytes -= len(pkt.payload)
		w.noteInDigest(p, noteReceived, uint64(pkt.machine)<<8|uint64(pkt.link),
			kernel.Fingerprint(pkt.payload))
		p.runStep(env.Received{From: pkt.machine, Link: pkt.link, Payload: pkt.payload})
	case packetLocal:
		w.noteInDigest(p, noteLocal, uint64(pkt.from.worldIndex), kernel.Fingerprint(pkt.payload))
		p.runStep(env.LocalMessage{From: pkt.from.spec.Name, Payload: pkt.payload})
	case packetUp:
		w.noteInDigest(p, noteLocalUp, uint64(pkt.from.worldIndex), 0)
		p.runStep(env.LocalUp{Process: pkt.from.spec.Name})
	case packetDown:
		w.noteInDigest(p, noteLocalDown, uint64(pkt.from.worldIndex), 0)
		p.runStep(env.LocalDown{Process: pkt.from.spec.Name})
	case packetCall:
		p.lastOp++
		p.pendingOps[p.lastOp] = pkt.call
		w.noteInDigest(p, noteInvoked, uint64(p.lastOp), kernel.Fingerprint(pkt.payload))
		p.runStep(env.Invoked{Op: p.lastOp, Input: pkt.payload})
	}
	w.freePacket(slot)
}
