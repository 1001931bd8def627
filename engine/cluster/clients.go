package cluster

import (
	"slices"

	"github.com/holdfast-sim/holdfast/engine/cpg"
)

// client is a local process that has sent Hello.
type client struct {
	name   string
	behind bool // its queue refused a message: it must be greeted before anything else
	warned bool // this was logged
}

// clients are in the order of their first Hello.
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

// addClient adds a client, or greets one that has restarted.
func (p *Process) addClient(name string) {
	c := p.clients.find(name)
	if c == nil {
		if len(p.clients.list) >= MaxClients {
			p.mainLog.Error("too many local processes", "process", name, "limit", MaxClients)
			return
		}
		c = &client{name: name}
		p.clients.list = append(p.clients.list, c)
	}
	p.sendConfiguration(c)
}

// sendConfiguration sends a client the present configuration and quorum.
func (p *Process) sendConfiguration(c *client) {
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

// toAll sends a message to all clients.
func (p *Process) toAll(message []byte) {
	for _, c := range p.clients.list {
		p.toClient(c, message)
	}
}

// toClient sends a message to a client that has kept up so far. The first refusal leaves the client
// behind.
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

// toSender answers a local process, whether it has sent Hello or not. A client that cannot take the
// answer is greeted again later.
func (p *Process) toSender(name string, message []byte) {
	if c := p.clients.find(name); c != nil {
		p.toClient(c, message)
		return
	}
	if err := p.env.Local(name, message); err != nil {
		p.mainLog.Warn("cannot answer a local process", "process", name, "err", err.Error())
	}
}

// greetBehind tries to greet the clients that fell behind.
func (p *Process) greetBehind() {
	for _, c := range p.clients.list {
		if c.behind {
			p.sendConfiguration(c)
		}
	}
}
