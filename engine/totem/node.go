package totem

import (
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/wire"
)

// State is what a node is doing.
type State uint8

const (
	// Stopped has not started, or has left for good.
	Stopped State = iota
	// Operational passes the token and orders messages.
	Operational
	// Gather looks for who is there and agrees with them on a membership.
	Gather
	// Commit waits for the commit token to bring everybody's old-ring state.
	Commit
	// Recovery exchanges what is missing of the old rings on the new one.
	Recovery
)

var stateNames = [...]string{"stopped", "operational", "gather", "commit", "recovery"}

// String returns the state's name in lower case.
func (s State) String() string { return stateNames[s] }

// MarshalText returns the state's name, so that records hold names and not numbers.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a state's name. It fails on a name that is none.
func (s *State) UnmarshalText(text []byte) error {
	i := slices.Index(stateNames[:], string(text))
	if i < 0 {
		return fmt.Errorf("reading a ring protocol state: %q is none of %v", text, stateNames)
	}
	*s = State(i)
	return nil
}

// Delivery is an ordered message. The payload is valid until the handler returns.
type Delivery struct {
	Ring ring.ID
	// Ordinal is the message's place among the ring's messages; it grows by one a message,
	// leaving out only messages that were lost with their sender.
	Ordinal   uint64
	From      ring.NodeID
	Guarantee cpg.Guarantee
	// Transitional says that the message comes between a transitional and a regular
	// configuration.
	Transitional bool
	Payload      []byte
}

// Configuration is a change of the membership. The slices are ascending and the handler's to keep.
type Configuration struct {
	Kind    cpg.Kind
	Ring    ring.ID // a transitional one names the ring that it closes
	Members []ring.NodeID
	Joined  []ring.NodeID
	Left    []ring.NodeID
}

// Handler is told what happens in the order that all members share. It may multicast and open the
// ring from within, and must call nothing else of the node that changes it.
type Handler interface {
	Deliver(d Delivery)
	Configure(c Configuration)
}

// Stats counts what a node did since its start.
type Stats struct {
	Tokens, Sent, Resent, Delivered, Rings, Malformed uint64
	Refused                                           wire.Stats
}

// Node is one member of the protocol.
type Node struct {
	cfg     Config
	env     env.Env
	handler Handler
	log     *slog.Logger
	random  env.Rand
	stats   Stats
	fresh   bool // no state file was found

	sealer   *wire.Sealer
	opener   *wire.Opener
	peers    []Peer // ascending by id
	known    []ring.NodeID
	in, out  []byte // scratch: opened, composed
	sealed   []byte // scratch: sealed
	next     env.MachineID
	badLogAt time.Duration
	hintedAt time.Duration

	state    State
	pool     packetPool
	cur      *store // the ring whose tokens and packets count: in Recovery the new one
	old      *store // in Recovery the ring that is being closed, else nil
	members  []ring.NodeID
	ringSeq  uint64 // highest ring sequence committed to; on the disk
	highRing uint64 // highest ring sequence heard of

	// gathering
	procs, failed, agreed []ring.NodeID
	announced             []ring.NodeID // left with a leave message
	scratch               []ring.NodeID
	failedToReceive       bool
	expiredGathers        int
	joinMsg               join

	// committing and recovering
	commit       commit // the one received or being built
	newMembers   []ring.NodeID
	transitional []ring.NodeID
	originated   bool
	recovery     recoveryState
	obliged      []ring.NodeID // what this node owes of its old ring, see owed
	knownSafe    uint64        // see commitEntry.delivered

	// the token
	tok        token
	tokenSeq   uint64
	seenSeq    uint64 // token.seq when it came last
	lastSeq    uint64 // token.seq when forwarded last
	lastAru    uint64 // token.aru when forwarded last
	safeUpTo   uint64 // all up to here is with everybody
	unchanged  int
	stuck      int // visits at which this node held the ring back and received nothing
	held       bool
	lastToken  []byte // what to send again: the last token or commit token
	tokenAt    time.Duration
	sentLast   uint32 // packets at the last visit
	backlog    uint32 // at the last visit
	merging    bool
	pauseStamp time.Duration
	flushing   bool   // what lies in the socket is out of date
	flushID    uint64 // the mark that ends it

	// messages
	first    outQueue // the owner's own, ahead of all others
	queue    outQueue
	open     bool // the queue may flow in this ring
	assembly assembler

	inHandler bool
}

// New prepares a node. Nothing happens before [Node.Start]. It fails with ErrConfig.
func New(cfg Config, h Handler) (*Node, error) {
	if cfg.QueueBytes == 0 {
		cfg.QueueBytes = DefaultQueueBytes
	}
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, handler: h, peers: slices.Clone(cfg.Peers)}
	slices.SortFunc(n.peers, func(a, b Peer) int { return int(a.ID) - int(b.ID) })
	for _, p := range n.peers {
		n.known = append(n.known, p.ID)
	}
	return n, nil
}

// Start recovers what the disk keeps and begins to gather. It fails when the disk does.
func (n *Node) Start(e env.Env) error {
	n.env = e
	n.log = e.Log().With("subsys", "TOTEM")
	n.random = e.Rand("totem")
	if err := n.restore(); err != nil {
		return err
	}
	var err error
	if n.opener, err = wire.NewOpener(n.cfg.Key, n.known); err != nil {
		return err
	}
	n.cur = newStore(ringKey{}, &n.pool)
	n.members = setCopy(n.members, []ring.NodeID{n.cfg.Node})
	n.procs = setCopy(n.procs, n.members)
	n.state = Operational
	n.pauseStamp = e.Mono()
	n.setTimer(timerPause, n.pauseEvery())
	n.gather(reasonInterface)
	return nil
}

// State is what the node is doing now.
func (n *Node) State() State { return n.state }

// Ring is the ring that was installed last; zero before the first.
func (n *Node) Ring() ring.ID {
	if n.old != nil {
		return n.old.ring.ID
	}
	return n.cur.ring.ID
}

// Members are those of the ring that was installed last. The slice is the node's own.
func (n *Node) Members() []ring.NodeID { return n.members }

// Stats returns the counts so far.
func (n *Node) Stats() Stats {
	s := n.stats
	if n.opener != nil {
		s.Refused = n.opener.Stats()
	}
	return s
}

// Multicast queues a message; the payload is copied. It fails with ErrBusy and ErrTooLong.
func (n *Node) Multicast(g cpg.Guarantee, payload []byte) error {
	if len(payload) > MaxMessageBytes {
		return fmt.Errorf("queueing %d bytes: %w of %d", len(payload), ErrTooLong, MaxMessageBytes)
	}
	if n.state != Operational || n.queue.bytes+len(payload)+queueCostBytes > n.cfg.QueueBytes {
		return ErrBusy
	}
	n.queue.push(outMessage{guarantee: g, payload: slices.Clone(payload)})
	if n.open {
		n.cancelHold()
	}
	return nil
}

// MulticastFirst queues an agreed message of the node's owner ahead of all others, also before
// [Node.Open]. What was not ordered when the ring ends is forgotten. It panics
// when more than the queue's limit waits: the owner sends a handful a ring.
func (n *Node) MulticastFirst(payload []byte) {
	if n.first.bytes+len(payload) > n.cfg.QueueBytes || len(payload) > MaxMessageBytes {
		panic("totem: the owner's own messages exceed the queue")
	}
	n.first.push(outMessage{payload: slices.Clone(payload)})
	n.cancelHold()
}

// Open lets the queued messages flow in the present ring. Every new ring begins closed, so that
// its members can first exchange what MulticastFirst carries.
func (n *Node) Open() {
	n.open = true
	if !n.queue.empty() {
		n.cancelHold()
	}
}

// Reform gives up the present ring and gathers anew with whoever is there. It does nothing while
// a ring is being formed. It must not be called from within a Handler.
func (n *Node) Reform() {
	n.mustBeOutside("Reform")
	if n.state == Operational {
		n.gather(reasonReform)
	}
}

// mustBeOutside holds that the owner does not pull the ring away under a delivery.
func (n *Node) mustBeOutside(what string) {
	if n.inHandler {
		panic("totem: " + what + " called from within a handler")
	}
}

// Leave tells the others that this node goes, and stops for good. It must not be called from within
// a Handler.
func (n *Node) Leave() {
	n.mustBeOutside("Leave")
	if n.state == Stopped {
		return
	}
	n.joinMsg = join{leave: true, ringSeq: n.ringSeq, procs: n.procs,
		failed: insert(slices.Clone(n.failed), n.cfg.Node)}
	n.out = n.joinMsg.append(n.out[:0])
	n.sendAll(n.out)
	for t := range NumTimers {
		n.env.StopTimer(n.cfg.FirstTimer + t)
	}
	n.setState(Stopped, "leave")
}

// Step takes an event that belongs to the node and reports whether it did.
func (n *Node) Step(ev env.Event) bool {
	switch ev := ev.(type) {
	case env.Received:
		if ev.Link != n.cfg.Link {
			return false
		}
		if n.state != Stopped {
			n.receive(ev)
		}
		return true
	case env.TimerFired:
		if ev.ID < n.cfg.FirstTimer || ev.ID >= n.cfg.FirstTimer+NumTimers {
			return false
		}
		if n.state != Stopped {
			n.fired(ev.ID - n.cfg.FirstTimer)
		}
		return true
	}
	return false
}
