package cluster

import (
	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/totem"
)

// The first byte of a message that this process orders on the ring.
const (
	kindClient  = 1 // then the length of the group's name, the name, and the client's payload
	kindService = 2 // then the service's payload
)

// Configure implements totem.Handler.
func (p *Process) Configure(c totem.Configuration) {
	change := cpg.Config{Kind: c.Kind, Ring: c.Ring, Members: c.Members, Joined: c.Joined, Left: c.Left}
	if c.Kind == cpg.Regular {
		p.regularConfig = change
		p.hasConfig, p.hasQuorum = true, false
	}
	p.sendToAll(cpg.Encode(change))
	if c.Kind == cpg.Regular {
		p.service.Ring(c)
	}
}

// Deliver implements totem.Handler.
func (p *Process) Deliver(d totem.Delivery) {
	if len(d.Payload) == 0 {
		return
	}
	switch body := d.Payload[1:]; d.Payload[0] {
	case kindClient:
		p.deliverClient(d, body)
	case kindService:
		p.service.Deliver(d.Ring, d.From, body)
	}
}

// deliverClient delivers a client's message to the process of the same name on this machine.
func (p *Process) deliverClient(d totem.Delivery, body []byte) {
	if len(body) == 0 || len(body)-1 < int(body[0]) {
		return
	}
	group, payload := body[1:1+body[0]], body[1+body[0]:]
	c := p.clients.findGroup(group)
	if c == nil || c.isBehind {
		return
	}
	p.buf = cpg.Deliver{Ring: d.Ring, Seq: d.Ordinal, From: d.From, Payload: payload}.AppendTo(p.buf[:0])
	p.sendToClient(c, p.buf)
}

// announce publishes the service's decision on the present ring.
func (p *Process) announce(q cpg.Quorum) {
	if !p.hasConfig || q.Ring != p.regularConfig.Ring {
		panic("cluster: the service announced something about a ring that is not the present one")
	}
	first := !p.hasQuorum
	if !first && q == p.lastQuorum {
		return
	}
	p.lastQuorum, p.hasQuorum = q, true
	p.node.MarkQuorum(q.Quorate)
	if first {
		p.mainLog.Info("Completed service synchronization, ready to provide service.")
	}
	p.sendToAll(cpg.Encode(q))
	if first {
		p.node.Open()
	}
}
