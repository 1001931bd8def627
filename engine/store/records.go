package store

import (
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/state"
)

// Records for checkers. Digests are shortened to 8 bytes of hexadecimal.

// Installed records that a node made an epoch and its state durable.
type Installed struct {
	Epoch   ring.ID       `json:"epoch"`
	Members []ring.NodeID `json:"members"` // X
	Source  ring.NodeID   `json:"source"`
	// Replaced is the node to whose present store the decision itself gave the vote; 0 for none.
	Replaced ring.NodeID `json:"replaced,omitempty"`
	Revision uint64      `json:"revision"`
	Chain    string      `json:"chain"`
	Tree     string      `json:"tree"`
	How      string      `json:"how"` // same, delta, full
	Role     Role        `json:"role"`
	// Received are the latest changes that became durable here with the state.
	Received []Applied `json:"received,omitempty"`
}

// maxReceived is how many changes an installation records: the older ones were recorded by the nodes that had
// them before.
const maxReceived = 1024

func recordsOf(log []state.LogEntry) []Applied {
	log = log[max(0, len(log)-maxReceived):]
	out := make([]Applied, len(log))
	for i := range log {
		out[i] = appliedRecord(&log[i])
	}
	return out
}

func appliedRecord(e *state.LogEntry) Applied {
	return Applied{Revision: e.Revision, Epoch: e.Epoch, Request: e.Request, Op: opName(e.Kind),
		Path: e.Path, To: e.To, Digest: shortHex(e.Digest), Chain: shortHex(e.Chain)}
}

// Opened records what a store found on its disk when it started, or after a disk error. Records of the
// last changes follow, whether they were recorded before or not.
type Opened struct {
	Revision uint64  `json:"revision"`
	Epoch    ring.ID `json:"epoch"`
	Chain    string  `json:"chain"`
}

// Applied records that a change is durable on this node.
type Applied struct {
	Revision uint64  `json:"revision"`
	Epoch    ring.ID `json:"epoch"`
	Request  string  `json:"request"`
	Op       string  `json:"op"`
	Path     string  `json:"path"`
	To       string  `json:"to,omitempty"`
	Digest   string  `json:"digest"`
	Chain    string  `json:"chain"`
}

// Acknowledged records that a change was answered with success.
type Acknowledged struct {
	Revision uint64  `json:"revision"`
	Epoch    ring.ID `json:"epoch"`
	Request  string  `json:"request"`
	Op       string  `json:"op"`
}

// Answered records that a read, or the refusal of a change, was answered.
type Answered struct {
	Revision uint64  `json:"revision"`
	Epoch    ring.ID `json:"epoch"`
	Request  string  `json:"request"`
	Op       string  `json:"op"`
	Local    bool    `json:"local,omitempty"`
	Code     string  `json:"code,omitempty"`
}

// Watching records that a client's watch waits for a change.
type Watching struct {
	Request string `json:"request"`
	Path    string `json:"path"`
	Since   uint64 `json:"since"`
	// SinceChain is the chain at Since as the client named it, shortened; "" if it named none.
	SinceChain string `json:"since_chain,omitempty"`
	Revision   uint64 `json:"revision"` // of this node
}

// WatchAnswered records that a client's watch was answered. A watch that was refused has no such record.
type WatchAnswered struct {
	Request string `json:"request"`
	Path    string `json:"path"`
	Since   uint64 `json:"since"`
	// SinceChain is as in Watching.
	SinceChain string  `json:"since_chain,omitempty"`
	Changed    bool    `json:"changed"`
	Revision   uint64  `json:"revision"`
	Chain      string  `json:"chain"`
	Epoch      ring.ID `json:"epoch"`
}

// RoleChanged records whether a node's store votes.
type RoleChanged struct {
	Role        Role   `json:"role"`
	Incarnation string `json:"incarnation"`
	Revision    uint64 `json:"revision"`
}

// Writable records that this node's store has started or stopped accepting changes.
type Writable struct {
	Ring     ring.ID       `json:"ring"`
	Members  []ring.NodeID `json:"members"`
	Writable bool          `json:"writable"`
}

// WentBack records that a store found its disk put back to an older state: it had confirmed a revision that
// it no longer has, and goes on under another identity, without a vote.
type WentBack struct {
	Revision    uint64  `json:"revision"`  // what it has
	Confirmed   uint64  `json:"confirmed"` // what another store remembers
	Epoch       ring.ID `json:"epoch"`     // of Confirmed
	Incarnation string  `json:"incarnation"`
}

// Dropped records that this store dropped changes which enough disks had confirmed: they are lost.
type Dropped struct {
	From      uint64  `json:"from"`
	To        uint64  `json:"to"`
	Confirmed uint64  `json:"confirmed"` // how many, counted from From, were confirmed by enough votes
	Epoch     ring.ID `json:"epoch"`     // the epoch that does not contain them
	File      string  `json:"file,omitempty"`
}

// Left records that this node's store has ended its part in a ring, and that the node leaves the ring next.
type Left struct {
	Ring    ring.ID       `json:"ring"`
	Members []ring.NodeID `json:"members"`
	// WasWritable reports whether the store had quorum until then.
	WasWritable bool `json:"was_writable"`
}

// Failed records that a store stopped serving because of its disk.
type Failed struct {
	Reason string `json:"reason"`
}

// RecordKind implements env.Record.
func (Installed) RecordKind() string { return "store-installed" }

// RecordKind implements env.Record.
func (Opened) RecordKind() string { return "store-opened" }

// ReportsDurable implements env.DurableRecord: a store works only with what a power cut cannot take.
func (Opened) ReportsDurable() {}

// RecordKind implements env.Record.
func (Applied) RecordKind() string { return "store-applied" }

// ReportsDurable implements env.DurableRecord.
func (Applied) ReportsDurable() {}

// RecordKind implements env.Record.
func (Acknowledged) RecordKind() string { return "store-acknowledged" }

// RecordKind implements env.Record.
func (Answered) RecordKind() string { return "store-answered" }

// RecordKind implements env.Record.
func (Watching) RecordKind() string { return "store-watching" }

// RecordKind implements env.Record.
func (WatchAnswered) RecordKind() string { return "store-watch-answered" }

// RecordKind implements env.Record.
func (RoleChanged) RecordKind() string { return "store-role-changed" }

// RecordKind implements env.Record.
func (Writable) RecordKind() string { return "store-writable" }

// RecordKind implements env.Record.
func (WentBack) RecordKind() string { return "store-went-back" }

// RecordKind implements env.Record.
func (Dropped) RecordKind() string { return "store-dropped" }

// RecordKind implements env.Record.
func (Left) RecordKind() string { return "store-left" }

// RecordKind implements env.Record.
func (Failed) RecordKind() string { return "store-failed" }
