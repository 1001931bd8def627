package totem

import (
	"slices"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

const (
	// ringSeqStep is by how much a new ring's sequence exceeds the highest one heard of.
	ringSeqStep = 4
	// maxRingSeq bounds what is believed of a ring sequence: far above any real one, far below
	// the point where adding would run over.
	maxRingSeq = 1 << 62
)

// createCommit makes the commit token of a new ring. This node is its representative.
func (n *Node) createCommit(members []ring.NodeID) {
	c := &n.commit
	c.ring = ringKey{ID: ring.ID{Seq: max(n.highRing, n.ringSeq) + ringSeqStep, Rep: members[0]},
		nonce: n.random.Uint64()}
	c.tokenSeq = 0
	c.index = 0
	c.members = setCopy(c.members, members)
	c.entries = slices.Grow(c.entries[:0], len(members))[:len(members)]
	clear(c.entries)
	c.owed = nil
	n.enterCommit()
}

// enterCommit adds this node's entry to the commit token, makes the ring durable and passes the
// token on.
func (n *Node) enterCommit() {
	c := &n.commit
	if !n.persistRing(c.ring.Seq) {
		return
	}
	n.setState(Commit, "commit token")
	n.log.Debug("entering COMMIT state.")
	n.newMembers = setCopy(n.newMembers, c.members)
	c.entries[c.index] = commitEntry{filled: true, old: n.cur.ring, aru: n.cur.aru, high: n.cur.high,
		delivered: max(n.cur.delivered, n.knownSafe)}
	c.owe(n.cur.ring, n.obliged)
	c.index++
	n.originated = false
	n.stopTimer(timerJoin)
	n.stopTimer(timerSendJoin)
	n.stopTimer(timerConsensus)
	n.setNext(c.members)
	n.forwardCommit()
}

// forwardCommit sends the commit token to the next member and watches over its return.
func (n *Node) forwardCommit() {
	n.commit.tokenSeq++
	n.lastToken = n.commit.append(n.lastToken[:0])
	n.sendTo(n.next, n.lastToken)
	n.setTimer(timerToken, n.cfg.Timers.Token)
	n.setTimer(timerRetransmit, n.cfg.Timers.TokenRetransmit)
}

// setNext finds the machine that tokens go to.
func (n *Node) setNext(members []ring.NodeID) {
	at, ok := slices.BinarySearch(members, n.cfg.Node)
	if !ok {
		panic("totem: this node is not a member of its ring")
	}
	n.next = n.machine(members[(at+1)%len(members)])
}

// onCommit handles a commit token. It is read into n.commit only when it is going to be used.
func (n *Node) onCommit(body []byte) error {
	var c commit
	if err := c.decode(body); err != nil {
		return err
	}
	at, member := slices.BinarySearch(c.members, n.cfg.Node)
	if !member || !subset(c.members, n.known) || c.ring.Seq >= maxRingSeq {
		return errRefused
	}
	for i := range c.owed {
		if !subset(c.owed[i].nodes, n.known) {
			return errRefused
		}
	}
	switch n.state {
	case Gather:
		if c.index != at || c.ring.Seq <= n.ringSeq || !slices.Equal(c.members, n.proposed()) {
			return nil
		}
		n.commit = c
		n.enterCommit()
	case Commit:
		if c.ring.Seq != n.ringSeq || c.ring != n.commit.ring || c.index != len(c.members) {
			return nil
		}
		if !slices.Equal(c.members, n.commit.members) || c.entries[at] != n.commit.entries[at] ||
			!subset(n.obliged, c.owedOf(n.cur.ring)) {
			return errRefused
		}
		n.commit = c
		n.enterRecovery()
	case Recovery:
		if c.ring == n.cur.ring && n.cfg.Node == c.ring.Rep && !n.originated {
			n.originated = true
			n.originate()
		}
	}
	return nil
}
