package state

import (
	"crypto/sha256"
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/bin"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

// Codes of refusals that depend on more than the tree.
const (
	// Unknown is not a refusal: the request is so old that the store cannot know whether it was
	// carried out.
	Unknown tree.Code = "unknown"
)

// Replica is a store's state in memory.
type Replica struct {
	Incarnation Incarnation
	// Epoch is the epoch whose state is installed, zero before the first.
	Epoch  ring.ID
	Config *Config
	Tree   *tree.Tree
	Log    RecentLog
	// Memory is this store's own, and not part of the replicated state.
	Memory *Memory
}

// Revision counts the successful changes since genesis.
func (r *Replica) Revision() uint64 { return r.Log.Revision() }

// Command is what is ordered: a change to the tree, or to the configuration.
type Command struct {
	Request string
	// Since is the lowest revision that the request can have made in an earlier attempt, 0 if
	// there was none. It distinguishes a request that was never carried out from a forgotten one.
	Since uint64
	Op    tree.Op
	// ReplaceMember, with Node > 0, asks for a new incarnation of that node instead of Op.
	Replace Member
}

// Digest identifies what is asked for, as in [tree.Op.Digest].
func (c *Command) Digest() [32]byte {
	if c.Replace.Node == 0 {
		return c.Op.Digest()
	}
	var w bin.Writer
	w.U8(uint8(ReplaceMember))
	w.U32(uint32(c.Replace.Node))
	w.Raw(c.Replace.Incarnation[:])
	return sha256.Sum256(w.B)
}

// Kind is the kind that the log records.
func (c *Command) Kind() tree.OpKind {
	if c.Replace.Node != 0 {
		return ReplaceMember
	}
	return c.Op.Kind
}

// Outcome is the result of a command, the same on every replica.
type Outcome struct {
	Refusal *tree.Refusal // nil: done
	// Revision is the revision of the command; for a refusal, the revision at which the command was
	// evaluated.
	Revision uint64
	// Remembered reports that the request had been carried out before.
	Remembered bool
	Entry      *LogEntry // the new log entry; nil when nothing changed
}

// Present returns which incarnation of a node takes part in the present ring.
type Present func(node ring.NodeID) Incarnation

// Apply carries out a command and adds what must be persisted to the batch.
func (r *Replica) Apply(cmd *Command, present Present, batch *Batch) Outcome {
	if e := r.remembered(cmd); e != nil {
		if e.Digest != cmd.Digest() {
			return r.refuse(tree.Invalid, "the request id was used before for another operation")
		}
		return Outcome{Revision: e.Revision, Remembered: true}
	}
	if cmd.Since > 0 && cmd.Since <= Floor(r.Revision(), r.Config.LogKeep) {
		return r.refuse(Unknown, "the request is older than what the store remembers")
	}
	revision := r.Revision() + 1
	if cmd.Replace.Node != 0 {
		if refusal := r.checkReplace(cmd, present); refusal != nil {
			return Outcome{Refusal: refusal, Revision: r.Revision()}
		}
		return Outcome{Revision: revision, Entry: r.Replace(cmd, batch)}
	}
	if refusal := r.Tree.Check(&cmd.Op); refusal != nil {
		return Outcome{Refusal: refusal, Revision: r.Revision()}
	}
	batch.Changes = append(batch.Changes, r.Tree.Apply(&cmd.Op, revision))
	return Outcome{Revision: revision, Entry: r.record(cmd, revision, batch)}
}

// Replace carries out the replacement of a member that a decision has accepted, and adds what must be
// persisted to the batch. The replica's epoch must be the decision's.
func (r *Replica) Replace(cmd *Command, batch *Batch) *LogEntry {
	revision := r.Revision() + 1
	r.Config = r.Config.ReplaceMember(cmd.Replace.Node, cmd.Replace.Incarnation, revision)
	batch.Config = r.Config
	return r.record(cmd, revision, batch)
}

// record adds the log entry of a change that was carried out.
func (r *Replica) record(cmd *Command, revision uint64, batch *Batch) *LogEntry {
	entry := LogEntry{Revision: revision, Epoch: r.Epoch, Request: cmd.Request, Kind: cmd.Kind(),
		Path: cmd.Op.Path, To: cmd.Op.To, Digest: cmd.Digest()}
	entry.Chain = chainAfter(r.Log.Chain(), &entry, r.Tree.Digest())
	r.Log.Append(entry, Floor(revision, r.Config.LogKeep))
	batch.Log = append(batch.Log, entry)
	batch.Floor = Floor(revision, r.Config.LogKeep)
	return &entry
}

// remembered finds the request among those that must be remembered, no matter how many more the
// log happens to hold: every replica must come to the same answer.
func (r *Replica) remembered(cmd *Command) *LogEntry {
	e := r.Log.ByRequest(cmd.Request)
	if e == nil || e.Revision <= Floor(r.Revision(), r.Config.LogKeep) {
		return nil
	}
	return e
}

func (r *Replica) refuse(code tree.Code, message string) Outcome {
	return Outcome{Refusal: &tree.Refusal{Code: code, Message: message}, Revision: r.Revision()}
}

// checkReplace allows a node's new incarnation only while the new store itself takes part in the
// ring: then the machine runs the new disk, and the old one can vote no longer.
func (r *Replica) checkReplace(cmd *Command, present Present) *tree.Refusal {
	node, inc := cmd.Replace.Node, cmd.Replace.Incarnation
	m := r.Config.Member(node)
	switch {
	case m == nil:
		return &tree.Refusal{Code: tree.NotFound,
			Message: fmt.Sprintf("node %d is not in the store's configuration", node)}
	case m.Incarnation == inc:
		return &tree.Refusal{Code: tree.Exists,
			Message: fmt.Sprintf("node %d has this incarnation already", node)}
	case inc.IsZero() || present(node) != inc:
		return &tree.Refusal{Code: tree.Invalid,
			Message: fmt.Sprintf("no store with this incarnation runs on node %d now: start it first", node)}
	}
	return nil
}
