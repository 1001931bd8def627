package cluster

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/totem"
)

// Name is the process's name on its machine.
const Name = cpg.Process

const (
	// ReformEvery is the least time between two rings that are formed on request.
	ReformEvery = time.Second
	// greetEvery is the time between two attempts to greet clients that fell behind.
	greetEvery = 20 * time.Millisecond
	// MaxClients bounds the client processes of one machine.
	MaxClients = 64
	// maxGroupBytes bounds a group's name, which is a process's name.
	maxGroupBytes = 128

	timerReform env.TimerID = 1
	timerGreet  env.TimerID = 2
	timerAwait  env.TimerID = 3
	// FirstRingTimer is where the ring protocol's timer ids begin.
	FirstRingTimer env.TimerID = 16
)

// OpLeave is the operation that makes the node leave its ring in an orderly way and ends the process. The
// answer is OpDone. OpRing is answered with a [Status] in JSON. Any other operation that the service does
// not take is answered with an object that has an "error".
const (
	OpLeave = "leave"
	OpDone  = "done"
	OpRing  = "ring"
)

// IsReadOnly reports whether an operation of this package changes nothing.
func IsReadOnly(input []byte) bool { return string(input) == OpRing }

// errLeft is the reason of the end after OpLeave.
var errLeft = errors.New("left the cluster as asked")

// Process is the cluster process of one machine.
type Process struct {
	env     env.Env
	mainLog *slog.Logger
	node    *totem.Node
	nodeID  ring.NodeID
	service Service
	clients clients

	// awaited is the client without which the node does not look for a ring before waitLimit has passed.
	awaited   string
	waitLimit time.Duration
	isWaiting bool

	regularConfig cpg.Config // the ring's, as regular
	hasConfig     bool
	lastQuorum    cpg.Quorum
	hasQuorum     bool

	reformedAt  time.Duration
	hasReformed bool
	reformWaits bool
	buf         []byte
}

// New returns a cluster process whose rings open with an exchange, see [SyncService]. It sets the timer
// ids of the ring configuration. It fails with totem.ErrConfig.
func New(cfg totem.Config, service SyncService) (*Process, error) {
	return NewWithService(cfg, &exchange{service: service})
}

// NewWithService is New with another way to open a ring.
func NewWithService(cfg totem.Config, service Service) (*Process, error) {
	p := &Process{service: service, nodeID: cfg.Node}
	cfg.FirstTimer = FirstRingTimer
	var err error
	p.node, err = totem.New(cfg, p)
	return p, err
}

// AwaitClient makes the process wait at its start for the Hello of a client, at most for a time, before the
// node looks for a ring. A client that sends Hello later makes the whole ring form again, because it missed
// the beginning: at each start of a machine that would be one more interruption for all the others.
func (p *Process) AwaitClient(name string, within time.Duration) {
	p.awaited, p.waitLimit = name, within
}

// Node returns the ring protocol inside, for tests and status.
func (p *Process) Node() *totem.Node { return p.node }

// Start implements env.Process.
func (p *Process) Start(e env.Env) error {
	p.env = e
	p.mainLog = e.Log().With("subsys", "MAIN")
	if err := p.service.Start(Host{p}); err != nil {
		return err
	}
	if p.isWaiting = p.awaited != ""; p.isWaiting {
		e.SetTimer(timerAwait, p.waitLimit)
		return nil
	}
	return p.node.Start(e)
}

// endWait has the node look for a ring. A disk that fails now ends the process, as it would have at its
// start.
func (p *Process) endWait() {
	if !p.isWaiting {
		return
	}
	p.isWaiting = false
	p.env.StopTimer(timerAwait)
	if err := p.node.Start(p.env); err != nil {
		p.env.Exit(err)
	}
}

// Step implements env.Process.
func (p *Process) Step(ev env.Event) {
	if p.node.Step(ev) {
		return
	}
	switch ev := ev.(type) {
	case env.LocalMessage:
		p.onLocal(ev)
	case env.LocalDown:
		p.clients.removeClient(ev.Process)
	case env.TimerFired:
		p.onTimer(ev.ID)
	case env.Invoked:
		p.onOperation(ev)
	}
}

func (p *Process) onTimer(id env.TimerID) {
	switch {
	case id == timerReform:
		p.reformWaits = false
		p.requestReform()
	case id == timerGreet:
		p.greetSlowClients()
	case id == timerAwait:
		p.env.Probe("cluster/client-not-awaited")
		p.mainLog.Info("looking for a ring without a local process that is late", "process", p.awaited)
		p.endWait()
	case id >= firstServiceTimer && id < firstServiceTimer+MaxServiceTimers:
		p.service.Fired(uint32(id - firstServiceTimer))
	}
}

func (p *Process) onOperation(ev env.Invoked) {
	if string(ev.Input) == OpLeave {
		p.env.Complete(ev.Op, []byte(OpDone))
		leaveRing(p)
		return
	}
	if string(ev.Input) == OpRing {
		p.env.Complete(ev.Op, env.EncodeJSON(statusOf(p)))
		return
	}
	if s, ok := p.service.(OperationService); ok {
		s.Invoked(ev)
		return
	}
	p.env.Complete(ev.Op, env.EncodeJSON(map[string]string{
		"error": fmt.Sprintf("the cluster process takes the operations %q and %q", OpRing, OpLeave)}))
}

// leaveRing leaves the ring in order and ends the process, whether the other members keep their quorum or
// not: a node that is missed instead costs them the same votes, and a time-out on top. For the others a leave
// is no proof that anything has ended here.
func leaveRing(p *Process) {
	if s, ok := p.service.(LeavingService); ok {
		s.Leaving()
	}
	if !p.isWaiting {
		p.mainLog.Info("leaving the ring in order", "ring", p.node.Ring().String())
		p.node.Leave()
	}
	p.env.Exit(errLeft)
}

func (p *Process) onLocal(ev env.LocalMessage) {
	if m, ok := cpg.DecodeMulticast(ev.Payload); ok {
		p.multicast(ev.From, m)
		return
	}
	m, err := cpg.Decode(ev.Payload)
	if err != nil {
		p.mainLog.Error("bad message from a local process", "process", ev.From, "err", err.Error())
		return
	}
	switch m.(type) {
	case cpg.Hello:
		p.addClient(ev.From)
		if ev.From == p.awaited {
			p.endWait()
		}
	case cpg.Reform:
		p.requestReform()
	case cpg.Leave:
		leaveRing(p)
	default:
		p.mainLog.Error("a local process sent a message that only the cluster process may send", "process",
			ev.From)
	}
}

// multicast queues a client's message for the ring, or answers Busy.
func (p *Process) multicast(from string, m cpg.Multicast) {
	if len(from) > maxGroupBytes || len(m.Payload) > cpg.MaxPayloadBytes {
		p.mainLog.Error("multicast refused", "process", from, "bytes", len(m.Payload),
			"limit", cpg.MaxPayloadBytes)
		return
	}
	p.buf = append(p.buf[:0], kindClient, byte(len(from)))
	p.buf = append(append(p.buf, from...), m.Payload...)
	if err := p.node.Multicast(m.Guarantee, p.buf); err != nil {
		p.buf = cpg.Busy{Cookie: m.Cookie}.AppendTo(p.buf[:0])
		p.replyTo(from, p.buf)
	}
}

// requestReform forms a new ring on request, at a limited rate.
func (p *Process) requestReform() {
	now := p.env.Mono()
	if wait := p.reformedAt + ReformEvery - now; p.hasReformed && wait > 0 {
		if !p.reformWaits {
			p.reformWaits = true
			p.env.SetTimer(timerReform, wait)
		}
		return
	}
	p.hasReformed, p.reformedAt = true, now
	p.node.Reform()
}
