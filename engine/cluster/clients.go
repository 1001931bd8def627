package cluster

import (
	"slices"

	"github.com/holdfast-sim/holdfast/engine/cpg"
)

// client is a local process that has sent Hello.
type client struct {
	name      string
	isBehind  bool // its queue refused a message: it must be greeted before anything else
	wasWarned bool // this was logged
}

// clients are in the order of their first Hello.
type clients struct{ inHelloOrder []*client }

func (cs *clients) findClient(name string) *client {
	for _, c := range cs.inHelloOrder {
		if c.name == name {
			return c
		}
	}
	return nil
}

// findGroup is findClient for the name in a message.
func (cs *clients) findGroup(name []byte) *client {
	for _, c := range cs.inHelloOrder {
		if c.name == string(name) {
			return c
		}
	}
	return nil
}

func (cs *clients) removeClient(name string) {
	cs.inHelloOrder = slices.DeleteFunc(cs.inHelloOrder, func(c *client) bool { return c.name == name })
}

// addClient adds a client, or greets one that has restarted.
func (p *Process) addClient(name string) {
	c := p.clients.findClient(name)
	if c == nil {
		if len(p.clients.inHelloOrder) >= MaxClients {
			p.mainLog.Error("too many local processes", "process", name, "limit", MaxClients)
			return
		}
		c = &client{name: name}
		p.clients.inHelloOrder = append(p.clients.inHelloOrder, c)
	}
	p.sendConfiguration(c)
}

// sendConfiguration sends a client the present configuration and quorum.
func (p *Process) sendConfiguration(c *client) {
	c.isBehind = false
	if !p.hasConfig {
		return
	}
	defer func() { c.wasWarned = c.isBehind }()
	greeting := p.regularConfig
	greeting.Greeting = true
	p.sendToClient(c, cpg.Encode(greeting))
	if p.hasQuorum && !c.isBehind {
		p.sendToClient(c, cpg.Encode(p.lastQuorum))
	}
}

// sendToAll sends a message to all clients.
func (p *Process) sendToAll(message []byte) {
	for _, c := range p.clients.inHelloOrder {
		p.sendToClient(c, message)
	}
}

// sendToClient sends a message to a client that has kept up so far. The first refusal leaves the client
// behind.
func (p *Process) sendToClient(c *client, message []byte) {
	if c == nil || c.isBehind {
		return
	}
	if err := p.env.Local(c.name, message); err != nil {
		p.env.Probe("cluster/client-behind")
		if !c.wasWarned {
			p.mainLog.Warn("a local process does not keep up and will be greeted anew",
				"process", c.name, "err", err.Error())
		}
		c.isBehind, c.wasWarned = true, true
		p.env.SetTimer(timerGreet, greetEvery)
	}
}

// replyTo answers a local process, whether it has sent Hello or not. A client that cannot take the
// answer is greeted again later.
func (p *Process) replyTo(name string, message []byte) {
	if c := p.clients.findClient(name); c != nil {
		p.sendToClient(c, message)
		return
	}
	if err := p.env.Local(name, message); err != nil {
		p.mainLog.Warn("cannot answer a local process", "process", name, "err", err.Error())
	}
}

// greetSlowClients tries to greet the clients that fell behind.
func (p *Process) greetSlowClients() {
	for _, c := range p.clients.inHelloOrder {
		if c.isBehind {
			p.sendConfiguration(c)
		}
	}
}
