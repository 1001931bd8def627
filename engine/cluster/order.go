package cluster

import (
	"fmt"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/totem"
)

// What this process orders on the ring begins with one of these.
const (
	kindClient  = 1 // then the group's name after its length, then the client's payload
	kindInfo    = 2 // then the info; it concerns the ring that it is ordered in
	kindBarrier = 3
)

// Configure implements totem.Handler.
func (p *Process) Configure(c totem.Configuration) {
	change := cpg.Config{Kind: c.Kind, Ring: c.Ring, Members: c.Members, Joined: c.Joined, Left: c.Left}
	if c.Kind == cpg.Regular {
		p.config = change
		p.hasConfig, p.hasQuorum = true, false
	}
	p.toAll(cpg.Encode(change))
	if c.Kind != cpg.Regular {
		return
	}
	p.logSync(c)
	p.exchange.begin(c)
	info := p.service.Info(c)
	if len(info) > MaxInfoBytes {
		panic("cluster: the sync service's info exceeds MaxInfoBytes")
	}
	p.buf = append(append(p.buf[:0], kindInfo), info...)
	p.node.MulticastFirst(p.buf)
}

func (p *Process) logSync(c totem.Configuration) {
	text := fmt.Sprintf("Sync members[%d]:%s", len(c.Members), idList(c.Members))
	p.log.Info(text)
	if len(c.Joined) > 0 {
		p.log.Info(fmt.Sprintf("Sync joined[%d]:%s", len(c.Joined), idList(c.Joined)))
	}
	if len(c.Left) > 0 {
		p.log.Info(fmt.Sprintf("Sync left[%d]:%s", len(c.Left), idList(c.Left)))
	}
}

func idList(ids []ring.NodeID) string {
	var b strings.Builder
	for _, id := range ids {
		fmt.Fprintf(&b, " %d", id)
	}
	return b.String()
}

// Deliver implements totem.Handler.
func (p *Process) Deliver(d totem.Delivery) {
	if len(d.Payload) == 0 {
		return
	}
	switch body := d.Payload[1:]; d.Payload[0] {
	case kindClient:
		p.deliverClient(d, body)
	case kindInfo:
		if d.Ring == p.exchange.config.Ring && p.exchange.info(d.From, body) {
			p.node.MulticastFirst([]byte{kindBarrier})
		}
	case kindBarrier:
		if d.Ring == p.exchange.config.Ring && p.exchange.barrier(d.From) {
			p.synchronized()
		}
	}
}

// deliverClient hands a client's message to the process of the same name here.
func (p *Process) deliverClient(d totem.Delivery, body []byte) {
	if len(body) == 0 || len(body)-1 < int(body[0]) {
		return
	}
	group, payload := body[1:1+body[0]], body[1+body[0]:]
	c := p.clients.find(string(group))
	if c == nil || c.behind {
		return
	}
	p.toClient(c, cpg.Encode(cpg.Deliver{Ring: d.Ring, Seq: d.Ordinal, From: d.From, Payload: payload}))
}

// synchronized ends the exchange: the ring opens for the clients' messages.
func (p *Process) synchronized() {
	c := p.exchange.config
	was := p.quorum.Quorate
	p.quorum = p.service.Done(c, p.exchange.infos)
	p.quorum.Ring = c.Ring
	p.hasQuorum = true
	if p.quorum.Quorate != was {
		if p.quorum.Quorate {
			p.log.Info("This node is within the primary component and will provide service.")
		} else {
			p.log.Info("This node is within the non-primary component and will NOT provide any services.")
		}
	}
	p.log.Info(fmt.Sprintf("Members[%d]:%s", len(c.Members), idList(c.Members)))
	p.mainLog.Info("Completed service synchronization, ready to provide service.")
	p.toAll(cpg.Encode(p.quorum))
	p.node.Open()
}

// SetQuorum publishes a change of quorum within the present ring; before the exchange has ended it
// does nothing, because the exchange will answer.
func (p *Process) SetQuorum(q cpg.Quorum) {
	if !p.hasQuorum {
		return
	}
	q.Ring = p.quorum.Ring
	if q == p.quorum {
		return
	}
	p.quorum = q
	p.toAll(cpg.Encode(q))
}
