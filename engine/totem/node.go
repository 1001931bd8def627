package totem

import (
	"fmt"
	"log/slog"
	"slices"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/totem/wire"
	seal "github.com/holdfast-sim/holdfast/engine/wire"
)

// State is a state of the protocol, see "The Membership Protocol" in the paper (section 5).
type State uint8

const (
	// Stopped has not started, or has left and does not come back.
	Stopped State = iota
	// Operational passes the token and orders messages.
	Operational
	// Gather exchanges joins until all reachable nodes propose the same members.
	Gather
	// Commit waits for the commit token to come back with the old-ring state of all members.
	Commit
	// Recovery exchanges missing packets of the old rings on the new ring.
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

// Delivery is an ordered message. Its payload is valid until the handler returns.
type Delivery struct {
	Ring ring.ID
	// Ordinal is the message's position among the ring's messages, from 1. It grows by one with each
	// message; the only gaps are messages that were lost with their sender.
	Ordinal   uint64
	From      ring.NodeID
	Guarantee cpg.Guarantee
	// Transitional reports whether the message was delivered in a transitional configuration.
	Transitional bool
	Payload      []byte
}

// Configuration is a change of the membership. Its slices are ascending and belong to the handler.
//
// Worked example of a transitional configuration. A, B and C form ring 8; C is cut off, and A and B form
// ring 12:
//
//	A and B: Regular 8 {A,B,C}   messages of ring 8
//	         Transitional 8 {A,B}  the last messages of ring 8
//	         Regular 12 {A,B}    messages of ring 12
//
// In the first part a safe message is known to be with A, B and C; in the second only with A and B. A and
// B deliver the same messages in each part. C goes through Transitional 8 {C} to a ring of its own.
type Configuration struct {
	Kind    cpg.Kind
	Ring    ring.ID // of a transitional configuration: the ring that it closes
	Members []ring.NodeID
	Joined  []ring.NodeID
	Left    []ring.NodeID
}

// Handler receives messages and configurations in the order that all members share. Its methods may call
// Multicast, MulticastFirst and Open, and no other method that changes the node.
type Handler interface {
	// Deliver takes the next message.
	Deliver(d Delivery)
	// Configure takes the next change of the membership.
	Configure(c Configuration)
}

// Stats counts what a node did since its start.
type Stats struct {
	Tokens, Sent, Resent, Delivered, Rings, Malformed uint64
	Refused                                           seal.Stats
	Relay                                             RelayStats // what this node has relayed for others
	// RefusedFrom are the packets that changed nothing, by the node from whose address they came, in the
	// order of ids. Nodes without one are left out.
	RefusedFrom []RefusedFrom
}

// RefusedFrom counts packets that came from one node's address and changed nothing.
type RefusedFrom struct {
	Node ring.NodeID
	// Foreign are not sealed with this cluster's key, Replayed were seen before, StaleBoot are of an earlier
	// boot of the node, and Malformed are genuine and cannot be read or believed.
	Foreign, Replayed, StaleBoot, Malformed uint64
}

// Node is one member of the ring protocol. Its state is grouped by the phase that uses it; the paper's
// names of the variables (my_aru, my_proc_set, ...) are noted beside them.
type Node struct {
	cfg              Config
	env              env.Env
	handler          Handler
	log              *slog.Logger
	random           env.Rand
	stats            Stats
	stateFileMissing bool // at the start
	inHandler        bool // a Handler is running

	state   State
	members []ring.NodeID // of the installed ring (my_memb)
	// ringSeq is the highest ring sequence that this node committed to; it is on the disk.
	ringSeq     uint64
	highRingSeq uint64 // highest ring sequence heard of from any node

	packetPool packetPool
	// current holds the packets of the ring whose token counts: in Recovery the new ring's.
	current *ringPackets
	// oldRing holds the packets of the ring that Recovery closes; nil in every other state.
	oldRing *ringPackets

	transport
	relaying
	settling
	gathering
	forming
	operating
	pauseCheck

	ownerQueue      outQueue // messages of the node's owner, ahead of all others
	clientQueue     outQueue
	clientsAdmitted bool // the owner has called Open in this ring, so clientQueue may be sent
	assembler       assembler
}

// New returns a node that does nothing before [Node.Start]. It fails with ErrConfig.
func New(cfg Config, h Handler) (*Node, error) {
	if cfg.QueueBytes == 0 {
		cfg.QueueBytes = DefaultQueueBytes
	}
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, handler: h}
	n.peers = slices.Clone(cfg.Peers)
	slices.SortFunc(n.peers, func(a, b Peer) int { return int(a.ID) - int(b.ID) })
	for _, p := range n.peers {
		n.knownIDs = append(n.knownIDs, p.ID)
	}
	return n, nil
}

// Start reads the state file and begins to gather. It fails with ErrState when the file cannot be used,
// and with the disk's error when the disk fails.
func (n *Node) Start(e env.Env) error {
	n.env = e
	n.log = e.Log().With("subsys", "TOTEM")
	n.random = e.Rand("totem")
	if err := n.restoreState(); err != nil {
		return err
	}
	var err error
	if n.opener, err = n.cfg.Cipher.NewOpener(n.cfg.Key, n.knownIDs); err != nil {
		return err
	}
	n.current = newRingPackets(wire.RingKey{}, &n.packetPool)
	n.members = setCopy(n.members, []ring.NodeID{n.cfg.Node})
	n.newMembers = setCopy(n.newMembers, n.members)
	n.state = Operational
	n.startReach()
	n.pauseCheckedAt = e.Mono()
	n.setTimer(timerPause, n.pauseEvery())
	n.gather(reasonInterface)
	return nil
}

// State returns the present state.
func (n *Node) State() State { return n.state }

// Ring returns the ring that was installed last, the zero ID before the first.
func (n *Node) Ring() ring.ID {
	if n.oldRing != nil {
		return n.oldRing.ring.ID
	}
	return n.current.ring.ID
}

// Members returns the members of the ring that was installed last. The caller must not change the slice.
func (n *Node) Members() []ring.NodeID { return n.members }

// Stats returns the counts so far.
func (n *Node) Stats() Stats {
	s := n.stats
	if n.opener != nil {
		s.Refused = n.opener.Stats()
	}
	for _, from := range n.refusedFrom {
		if from != (RefusedFrom{Node: from.Node}) {
			s.RefusedFrom = append(s.RefusedFrom, from)
		}
	}
	return s
}

// Multicast queues a message and copies its payload. It fails with ErrTooLong, and with ErrBusy while a
// ring is being formed or when the queue is full.
func (n *Node) Multicast(g cpg.Guarantee, payload []byte) error {
	if len(payload) > MaxMessageBytes {
		return fmt.Errorf("queueing %d bytes: %w of %d", len(payload), ErrTooLong, MaxMessageBytes)
	}
	if n.state != Operational || n.clientQueue.queuedBytes+len(payload)+queueCostBytes > n.cfg.QueueBytes ||
		env.Buggify(n.env, "totem/busy") {
		return ErrBusy
	}
	n.clientQueue.push(outMessage{guarantee: g, payload: slices.Clone(payload)})
	if n.clientsAdmitted {
		n.cancelHold()
	}
	return nil
}

// MulticastFirst queues an agreed message of the node's owner. It is sent before all messages of
// [Node.Multicast], and also before [Node.Open]. When the ring ends, messages that were not ordered are
// dropped. MulticastFirst panics when the queue's limit is exceeded: an owner sends a few messages a ring.
func (n *Node) MulticastFirst(payload []byte) {
	if n.ownerQueue.queuedBytes+len(payload) > n.cfg.QueueBytes || len(payload) > MaxMessageBytes {
		panic("totem: the owner's own messages exceed the queue")
	}
	n.ownerQueue.push(outMessage{payload: slices.Clone(payload)})
	n.cancelHold()
}

// Open lets the messages of [Node.Multicast] be sent in the present ring. Every ring begins closed, so that
// its members can exchange the messages of MulticastFirst before any other message is ordered.
func (n *Node) Open() {
	n.clientsAdmitted = true
	if !n.clientQueue.empty() {
		n.cancelHold()
	}
}

// Reform leaves the present ring and gathers again with all reachable nodes. It does nothing while a ring
// is being formed. A Handler must not call it.
func (n *Node) Reform() {
	n.mustBeOutside("Reform")
	if n.state == Operational {
		n.gather(reasonReform)
	}
}

// mustBeOutside panics when a Handler runs: a method that ends the ring cannot be called in the middle of
// a delivery.
func (n *Node) mustBeOutside(what string) {
	if n.inHandler {
		panic("totem: " + what + " called from within a handler")
	}
}

// Leave notifies the others that this node leaves, and stops the node for good. A Handler must not call it.
func (n *Node) Leave() {
	n.mustBeOutside("Leave")
	if n.state == Stopped {
		return
	}
	n.monitor.Leave(n.env.Mono())
	for t := range NumTimers {
		n.env.StopTimer(n.cfg.FirstTimer + t)
	}
	n.setState(Stopped, "leave")
}

// Step handles an event if it belongs to the node, and reports whether it does.
func (n *Node) Step(ev env.Event) bool {
	switch ev := ev.(type) {
	case env.Received:
		if ev.Link != n.cfg.Link {
			return false
		}
		if n.state != Stopped {
			n.onDatagram(ev)
		}
		return true
	case env.TimerFired:
		if ev.ID < n.cfg.FirstTimer || ev.ID >= n.cfg.FirstTimer+NumTimers {
			return false
		}
		if n.state != Stopped {
			n.onTimer(ev.ID - n.cfg.FirstTimer)
		}
		return true
	}
	return false
}
