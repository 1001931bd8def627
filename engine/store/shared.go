package store

import (
	"log/slog"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/state"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

// shared is what every stage of one store works with. A stage changes only its own fields; of these here,
// the ring is changed by Store and the epoch stage, the replica by the apply stage and by installations.
type shared struct {
	opts      Options
	env       env.Env
	log       *slog.Logger
	ring      ringState
	disk      durableState
	outbox    outbox
	lifecycle lifecycle
}

// lifecycle is what happens to a store as a whole. A stage reports it here, and Store carries it out in
// every stage that it concerns.
type lifecycle interface {
	// onDiskError stops service after a disk error.
	onDiskError(err error)
	// onUndecided reports that the reports so far allow no decision in this ring.
	onUndecided()
	// onInstalled reports that the ring's epoch is durable here with everything up to a position in the
	// order, and the log entries that came with it.
	onInstalled(position uint64, how string, received []state.LogEntry)
	// onWentBack ends this store's part in the ring and gives it another identity: it has confirmed a place
	// that its disk no longer has.
	onWentBack(confirmed *state.PeerMark)
	// onLeft ends this store's part in the ring, because the node is about to leave it.
	onLeft()
}

// ringState is the ring that the machine is in, as far as more than one stage needs it.
type ringState struct {
	id      ring.ID
	members []ring.NodeID
	// seenFromStart reports that this store has seen the ring's messages from the first one on. A store that
	// started within the ring has not: it stays silent and asks for a new ring.
	seenFromStart bool
	// isClosed reports that the ring is over for this store: its transitional configuration was seen.
	isClosed bool
	// delivered is the position of the last message in the ring's order.
	delivered uint64
	// decision is the ring's decision; nil before it was delivered.
	decision *decision
	// untrusted are the members whose disks were put back to an older state: their confirmations count for
	// nothing. They are the same on all members at each place in the order.
	untrusted []ring.NodeID
	// installed reports that the epoch and its state are durable here.
	installed bool
	// votes is votequorum's decision on this ring; nil before it was announced.
	votes *cpg.Quorum
}

// node returns this node's id.
func (s *shared) node() ring.NodeID { return s.opts.Node }

// hasInstalled reports whether this store has the state of the ring's epoch.
func (s *shared) hasInstalled() bool {
	return s.ring.seenFromStart && s.ring.installed && s.disk.failure == nil
}

// writable reports whether changes are accepted and can be acknowledged in this ring.
func (s *shared) writable() bool { return s.hasInstalled() && s.votesReason() == nil }

// toCluster sends a local message to the cluster process and reports whether it was taken.
func (s *shared) toCluster(m cpg.Message) bool {
	return s.env.Local(cpg.Process, cpg.Encode(m)) == nil
}

// replyTo sends an answer to its client. A process that has ended or that does not take its messages gets
// none: like every client it gives up after a while, and learns the outcome by a retry.
func (s *shared) replyTo(to client, r *Response) {
	if to.localProcess == "" {
		s.env.Complete(to.opID, r.Encode())
		return
	}
	output := r.EncodeCompact()
	if len(output) > env.MaxLocalBytes {
		s.log.Error("an answer is too long for a local message", "process", to.localProcess, "bytes",
			len(output))
		return
	}
	if err := s.env.Local(to.localProcess, output); err != nil {
		s.env.Probe("store/local-answer-refused")
	}
}

// replyRefused answers a request that was not carried out and will not be.
func (s *shared) replyRefused(to client, req *Request, code tree.Code, message string) {
	s.replyTo(to, &Response{ID: req.ID, Code: code, Message: message, Revision: s.disk.revision()})
}
