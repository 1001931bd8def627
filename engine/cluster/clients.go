package cluster

import (
	"slices"

	"github.com/holdfast-sim/holdfast/engine/cpg"
)

// client is a local process that said Hello.
type client struct {
	name   string
	behind bool // something was refused: greet anew before anything else
	warned bool // the log has been told of it
}

// clients are in the order of their Hello.
type clients struct{ list []*client }

func (cs *clients) find(name string) *client {
	for _, c := range cs.list {
		if c.name == name {
			return c
		}
	}
	return nil
}

func (cs *clients) remove(name string) {
	cs.list = slices.DeleteFunc(cs.list, func(c *client) bool { return c.name == name })
}

// hello takes a client in, or greets one that has forgotten what it knew.
func (p *Process) hello(name string) {
	c := p.clients.find(name)
	if c == nil {
		if len(p.clients.list) >= MaxClients {
			p.mainLog.Error("too many local processes", "process", name, "limit", MaxClients)
			return
		}
		c = &client{name: name}
		p.clients.list = append(p.clients.list, c)
	}
	p.greet(c)
}

// greet tells a client where the order stands.
func (p *Process) greet(c *client) {
	c.behind = false
	if !p.hasConfig {
		return
	}
	defer func() { c.warned = c.behind }()
	greeting := p.config
	greeting.Greeting = true
	p.toClient(c, cpg.Encode(greeting))
	if p.hasQuorum && !c.behind {
		p.toClient(c, cpg.Encode(p.quorum))
	}
}

// toAll sends to every client.
func (p *Process) toAll(message []byte) {
	for _, c := range p.clients.list {
		p.toClient(c, message)
	}
}

// toClient sends to a client that has kept up so far. The first refusal leaves it behind.
func (p *Process) toClient(c *client, message []byte) {
	if c == nil || c.behind {
		return
	}
	if err := p.env.Local(c.name, message); err != nil {
		p.env.Probe("cluster/client-behind")
		if !c.warned {
			p.mainLog.Warn("a local process does not keep up and will be greeted anew",
				"process", c.name, "err", err.Error())
		}
		c.behind, c.warned = true, true
		p.env.SetTimer(timerGreet, greetEvery)
	}
}

// toSender answers a local process, whether it said Hello or not. A client that cannot take the
// answer learns of its loss by being greeted anew.
func (p *Process) toSender(name string, message []byte) {
	if c := p.clients.find(name); c != nil {
		p.toClient(c, message)
		return
	}
	if err := p.env.Local(name, message); err != nil {
		p.mainLog.Warn("cannot answer a local process", "process", name, "err", err.Error())
	}
}

// greetBehind tries those who fell behind.
func (p *Process) greetBehind() {
	for _, c := range p.clients.list {
		if c.behind {
			p.greet(c)
		}
	}
}
