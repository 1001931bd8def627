package totem

import (
	"slices"

	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/totem/wire"
)

const (
	// ringSeqStep is the difference between a new ring's sequence and the highest one heard of, as in
	// Corosync.
	ringSeqStep = 4
	// maxRingSeq is the first ring sequence that is refused in a message: no real ring gets there, and
	// adding ringSeqStep cannot overflow.
	maxRingSeq = 1 << 62
)

// forming is what a node keeps while a new ring is committed to and recovered.
type forming struct {
	commitToken     wire.CommitToken // the last one received, or the one being built
	newMembers      []ring.NodeID    // of the ring being formed (my_new_memb)
	transMembers    []ring.NodeID    // of newMembers, those from this node's old ring (my_trans_memb)
	tokenOriginated bool             // the representative has made the new ring's first token
	recovery        recovery

	// obligationSet are the authors whose packets of the old ring this node must deliver even behind a
	// gap, because an earlier attempt to form a ring may have delivered them. See wire.Obligation.
	obligationSet []ring.NodeID
	// highRingDelivered is the highest packet of the old ring that a node which this one recovered with
	// may have delivered in the regular configuration.
	highRingDelivered uint64
}

// createCommit makes the commit token of a new ring. This node is its representative, the lowest id.
func (n *Node) createCommit(members []ring.NodeID) {
	c := &n.commitToken
	c.Ring = wire.RingKey{ID: ring.ID{Seq: max(n.highRingSeq, n.ringSeq) + ringSeqStep, Rep: members[0]},
		Nonce: n.random.Uint64()}
	c.TokenSeq = 0
	c.EntriesFilled = 0
	c.Members = setCopy(c.Members, members)
	c.Entries = slices.Grow(c.Entries[:0], len(members))[:len(members)]
	clear(c.Entries)
	c.Obligations = nil
	n.enterCommit()
}

// enterCommit stores the ring sequence, adds this node's entry to the commit token and forwards it.
func (n *Node) enterCommit() {
	c := &n.commitToken
	if !n.persistRing(c.Ring.Seq) {
		return
	}
	n.setState(Commit, "commit token")
	n.log.Debug("entering COMMIT state.")
	n.newMembers = setCopy(n.newMembers, c.Members)
	c.Entries[c.EntriesFilled] = wire.CommitEntry{IsFilled: true, OldRing: n.current.ring,
		MyAru: n.current.myAru, HighSeq: n.current.highSeq,
		HighRingDelivered: max(n.current.highDelivered, n.highRingDelivered)}
	c.AddObligation(n.current.ring, n.obligationSet)
	c.EntriesFilled++
	n.tokenOriginated = false
	n.stopTimer(timerJoin)
	n.stopTimer(timerSendJoin)
	n.stopTimer(timerConsensus)
	n.setNext(c.Members)
	n.forwardCommit()
}

// forwardCommit sends the commit token to the next member and arms the timers for its return.
func (n *Node) forwardCommit() {
	n.commitToken.TokenSeq++
	n.tokenToRepeat = n.commitToken.Append(n.tokenToRepeat[:0])
	n.sendTo(n.successor, n.tokenToRepeat)
	n.setTimer(timerToken, n.cfg.Timers.Token)
	n.setTimer(timerRetransmit, n.cfg.Timers.TokenRetransmit)
}

// setNext sets the successor, the node to which this node forwards tokens.
func (n *Node) setNext(members []ring.NodeID) {
	at, ok := slices.BinarySearch(members, n.cfg.Node)
	if !ok {
		panic("totem: this node is not a member of its ring")
	}
	n.successor = members[(at+1)%len(members)]
}

// onCommit handles a commit token. The commit token goes around twice: in the first round each member adds
// its entry (from Gather to Commit), in the second all members read the complete token (from Commit to
// Recovery). When the representative gets it a third time, all are in Recovery and it makes the first
// token. A commit token that is not used leaves n.commitToken unchanged.
func (n *Node) onCommit(body []byte) error {
	var c wire.CommitToken
	if err := c.Decode(body); err != nil {
		return err
	}
	at, member := slices.BinarySearch(c.Members, n.cfg.Node)
	if !member || !subset(c.Members, n.knownIDs) || c.Ring.Seq >= maxRingSeq {
		return errRefused
	}
	for i := range c.Obligations {
		if !subset(c.Obligations[i].Authors, n.knownIDs) {
			return errRefused
		}
	}
	switch n.state {
	case Gather:
		if c.EntriesFilled != at || c.Ring.Seq <= n.ringSeq || !slices.Equal(c.Members, n.target) {
			return nil
		}
		n.commitToken = c
		n.enterCommit()
	case Commit:
		if c.Ring.Seq != n.ringSeq || c.Ring != n.commitToken.Ring || c.EntriesFilled != len(c.Members) {
			return nil
		}
		if !slices.Equal(c.Members, n.commitToken.Members) || c.Entries[at] != n.commitToken.Entries[at] ||
			!subset(n.obligationSet, c.ObligationOf(n.current.ring)) {
			return errRefused
		}
		n.commitToken = c
		n.enterRecovery()
	case Recovery:
		if c.Ring == n.current.ring && n.cfg.Node == c.Ring.Rep && !n.tokenOriginated {
			n.tokenOriginated = true
			n.originate()
		}
	}
	return nil
}
