package totem

import (
	"slices"

	"github.com/holdfast-sim/holdfast/engine/ring"
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
	commitToken     commitToken   // the last one received, or the one being built
	newMembers      []ring.NodeID // of the ring being formed (my_new_memb)
	transMembers    []ring.NodeID // of newMembers, those that come from this node's old ring (my_trans_memb)
	tokenOriginated bool          // the representative has made the new ring's first token
	recovery        recovery

	// obligationSet are the authors whose packets of the old ring this node must deliver even behind a
	// gap, because an earlier attempt to form a ring may have delivered them. See obligation.
	obligationSet []ring.NodeID
	// highRingDelivered is the highest packet of the old ring that a node which this one recovered with
	// may have delivered in the regular configuration.
	highRingDelivered uint64
}

// createCommit makes the commit token of a new ring. This node is its representative, the lowest id.
func (n *Node) createCommit(members []ring.NodeID) {
	c := &n.commitToken
	c.ring = ringKey{ID: ring.ID{Seq: max(n.highRingSeq, n.ringSeq) + ringSeqStep, Rep: members[0]},
		nonce: n.random.Uint64()}
	c.tokenSeq = 0
	c.entriesFilled = 0
	c.members = setCopy(c.members, members)
	c.entries = slices.Grow(c.entries[:0], len(members))[:len(members)]
	clear(c.entries)
	c.obligations = nil
	n.enterCommit()
}

// enterCommit stores the ring sequence, adds this node's entry to the commit token and forwards it.
func (n *Node) enterCommit() {
	c := &n.commitToken
	if !n.persistRing(c.ring.Seq) {
		return
	}
	n.setState(Commit, "commit token")
	n.log.Debug("entering COMMIT state.")
	n.newMembers = setCopy(n.newMembers, c.members)
	c.entries[c.entriesFilled] = commitEntry{isFilled: true, oldRing: n.current.ring,
		myAru: n.current.myAru, highSeq: n.current.highSeq,
		highRingDelivered: max(n.current.highDelivered, n.highRingDelivered)}
	c.addObligation(n.current.ring, n.obligationSet)
	c.entriesFilled++
	n.tokenOriginated = false
	n.stopTimer(timerJoin)
	n.stopTimer(timerSendJoin)
	n.stopTimer(timerConsensus)
	n.setNext(c.members)
	n.forwardCommit()
}

// forwardCommit sends the commit token to the next member and arms the timers for its return.
func (n *Node) forwardCommit() {
	n.commitToken.tokenSeq++
	n.tokenToRepeat = n.commitToken.append(n.tokenToRepeat[:0])
	n.sendTo(n.successor, n.tokenToRepeat)
	n.setTimer(timerToken, n.cfg.Timers.Token)
	n.setTimer(timerRetransmit, n.cfg.Timers.TokenRetransmit)
}

// setNext sets the successor, the machine to which this node forwards tokens.
func (n *Node) setNext(members []ring.NodeID) {
	at, ok := slices.BinarySearch(members, n.cfg.Node)
	if !ok {
		panic("totem: this node is not a member of its ring")
	}
	n.successor = n.machineOf(members[(at+1)%len(members)])
}

// onCommit handles a commit token. The commit token goes around twice: in the first round each member adds
// its entry (from Gather to Commit), in the second all members read the complete token (from Commit to
// Recovery). When the representative gets it a third time, all are in Recovery and it makes the first
// token. A commit token that is not used leaves n.commitToken unchanged.
func (n *Node) onCommit(body []byte) error {
	var c commitToken
	if err := c.decode(body); err != nil {
		return err
	}
	at, member := slices.BinarySearch(c.members, n.cfg.Node)
	if !member || !subset(c.members, n.knownIDs) || c.ring.Seq >= maxRingSeq {
		return errRefused
	}
	for i := range c.obligations {
		if !subset(c.obligations[i].authors, n.knownIDs) {
			return errRefused
		}
	}
	switch n.state {
	case Gather:
		if c.entriesFilled != at || c.ring.Seq <= n.ringSeq || !slices.Equal(c.members, n.target) {
			return nil
		}
		n.commitToken = c
		n.enterCommit()
	case Commit:
		if c.ring.Seq != n.ringSeq || c.ring != n.commitToken.ring || c.entriesFilled != len(c.members) {
			return nil
		}
		if !slices.Equal(c.members, n.commitToken.members) || c.entries[at] != n.commitToken.entries[at] ||
			!subset(n.obligationSet, c.obligationOf(n.current.ring)) {
			return errRefused
		}
		n.commitToken = c
		n.enterRecovery()
	case Recovery:
		if c.ring == n.current.ring && n.cfg.Node == c.ring.Rep && !n.tokenOriginated {
			n.tokenOriginated = true
			n.originate()
		}
	}
	return nil
}
