package totem

import (
	"encoding/binary"
	"math/bits"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/ring"
)

// Started is the record of a node's start.
type Started struct {
	Node    ring.NodeID `json:"node"`
	Boot    uint64      `json:"boot"`
	RingSeq uint64      `json:"ring_seq"` // read from the state file
	Fresh   bool        `json:"fresh"`    // there was no state file
}

// Membership is the record of an installed configuration.
type Membership struct {
	Node    ring.NodeID   `json:"node"`
	Kind    cpg.Kind      `json:"kind"`
	Ring    ring.ID       `json:"ring"` // of a transitional configuration: the ring that it closes
	Members []ring.NodeID `json:"members"`
}

// Sent is the record of a message that was given its place in the order.
type Sent struct {
	Node      ring.NodeID   `json:"node"`
	Ring      ring.ID       `json:"ring"`
	Ordinal   uint64        `json:"ordinal"`
	Guarantee cpg.Guarantee `json:"guarantee"`
	Digest    uint64        `json:"digest"`
}

// Delivered is the record of a delivered message.
type Delivered struct {
	Node         ring.NodeID   `json:"node"`
	Ring         ring.ID       `json:"ring"`
	Ordinal      uint64        `json:"ordinal"`
	From         ring.NodeID   `json:"from"`
	Guarantee    cpg.Guarantee `json:"guarantee"`
	Transitional bool          `json:"transitional"`
	Digest       uint64        `json:"digest"`
}

// StateChange is the record of a change between the protocol's states.
type StateChange struct {
	Node   ring.NodeID `json:"node"`
	From   State       `json:"from"`
	To     State       `json:"to"`
	Reason string      `json:"reason"`
}

// Excluded is the record of a node that cannot be in the ring with the most votes of the nodes to which it is
// connected, or that can again: then From is empty.
type Excluded struct {
	Node    ring.NodeID   `json:"node"`
	Ring    ring.ID       `json:"ring"`              // the node's own
	From    []ring.NodeID `json:"from,omitempty"`    // the members of the other ring
	Missing []ring.NodeID `json:"missing,omitempty"` // those of From to which it has no link
}

// RouteChange is the record of a node that is reached over another one from now on, because the direct link
// does not work, or directly again.
type RouteChange struct {
	Node ring.NodeID `json:"node"`
	To   ring.NodeID `json:"to"`
	Via  ring.NodeID `json:"via"` // 0: directly
}

// RecordKind implements env.Record.
func (RouteChange) RecordKind() string { return "totem-route" }

// RecordKind implements env.Record.
func (Excluded) RecordKind() string { return "totem-excluded" }

// RecordKind implements env.Record.
func (Started) RecordKind() string { return "totem-started" }

// RecordKind implements env.Record.
func (Membership) RecordKind() string { return "totem-membership" }

// RecordKind implements env.Record.
func (Sent) RecordKind() string { return "totem-sent" }

// RecordKind implements env.Record.
func (Delivered) RecordKind() string { return "totem-delivered" }

// RecordKind implements env.Record.
func (StateChange) RecordKind() string { return "totem-state" }

// fingerprint returns a 64-bit digest of a payload, so that records can be compared without payloads. It
// is fast and not cryptographic.
func fingerprint(b []byte) uint64 {
	const k0, k1 = 0x9e3779b97f4a7c15, 0xd6e8feb86659fd93
	h := uint64(len(b)) * k0
	for ; len(b) >= 8; b = b[8:] {
		hi, lo := bits.Mul64(h^binary.LittleEndian.Uint64(b), k1)
		h = hi ^ lo ^ k0
	}
	var tail [8]byte
	copy(tail[:], b)
	hi, lo := bits.Mul64(h^binary.LittleEndian.Uint64(tail[:]), k1)
	return hi ^ lo
}

// setState changes the state and emits the change.
func (n *Node) setState(to State, reason string) {
	if !n.cfg.Quiet {
		n.env.Emit(StateChange{Node: n.cfg.Node, From: n.state, To: to, Reason: reason})
	}
	n.state = to
}
