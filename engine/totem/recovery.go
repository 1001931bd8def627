package totem

import (
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/ring"
)

// The ring leaves Recovery after nobody had old packets to send for retransDone visits and all of
// what was sent was with everybody at installRotations visits in a row.
const (
	retransFixed     = 2 // quiet visits after which the last packet of the exchange is known
	retransDone      = 3
	installRotations = 2
)

// recoveryState is what a node keeps while it exchanges the packets of its old ring.
type recoveryState struct {
	nextSeq, lastSeq uint64 // old packets still to be sent again: those held from nextSeq to lastSeq
	setFlag          bool   // the token's flag was set by this node
	quiet            int    // visits in a row without the flag
	installSeq       uint64
	rotations        int
	complete         bool // this node has all that the transitional members have
	deliver          []ring.NodeID
	known            uint64
}

// enterRecovery starts the new ring next to the old one; the commit token says who comes along
// from the old ring and what they have of it.
func (n *Node) enterRecovery() {
	n.setState(Recovery, "commit token complete")
	n.log.Debug("entering RECOVERY state.")
	c := &n.commit
	n.old = n.cur
	n.cur = newStore(c.ring, &n.pool)
	n.transitional = append(n.transitional[:0], n.cfg.Node)
	r := &n.recovery
	*r = recoveryState{deliver: r.deliver[:0], known: max(n.old.delivered, n.knownSafe)}
	low, high, same := n.old.aru, n.old.high, true
	if !n.old.ring.IsZero() {
		n.transitional = n.transitional[:0]
		for i := range c.entries {
			e := &c.entries[i]
			if e.old != n.old.ring {
				continue
			}
			n.transitional = append(n.transitional, c.members[i])
			r.known = max(r.known, e.delivered)
			low, high = min(low, e.aru), max(high, e.high)
		}
		same = low == high || len(n.transitional) == 1
	}
	r.deliver = insertAll(setCopy(r.deliver, c.owedOf(n.old.ring)), n.transitional)
	r.nextSeq, r.lastSeq = low+1, n.old.high
	if same {
		r.lastSeq = low
	}
	n.resetToken()
	n.forwardCommit()
}

// abandonRecovery returns to the old ring's state. What was received of the old ring meanwhile
// stays: others may have counted on it.
func (n *Node) abandonRecovery() {
	n.cur.drop()
	n.cur, n.old = n.old, nil
}

// resetToken forgets the last ring's token.
func (n *Node) resetToken() {
	n.tokenSeq, n.seenSeq, n.lastSeq, n.lastAru, n.safeUpTo = 0, 0, 0, 0, 0
	n.unchanged, n.stuck, n.sentLast, n.backlog = 0, 0, 0, 0
	n.held = false
}

// originate makes the first token of a ring. The representative does so when the commit token has
// come back from its second round, and so all are in Recovery.
func (n *Node) originate() {
	n.tok = token{ring: n.cur.ring, tokenSeq: 1, rtr: n.tok.rtr[:0]}
	if err := n.onToken(); err != nil {
		panic(fmt.Sprintf("totem: own token refused: %v", err))
	}
}

// recoveryBacklog is how many old packets are still to be sent, at most.
func (n *Node) recoveryBacklog() uint32 {
	r := &n.recovery
	for r.nextSeq <= r.lastSeq {
		if pk := n.old.get(r.nextSeq); pk != nil && pk.coveredBy != n.cur.ring.Seq {
			break
		}
		r.nextSeq++
	}
	if r.nextSeq > r.lastSeq {
		return 0
	}
	return uint32(r.lastSeq - r.nextSeq + 1)
}

// sendRecovered multicasts old packets inside new ones, at most allowed, and returns how many.
func (n *Node) sendRecovered(t *token, allowed int) int {
	r := &n.recovery
	sent := 0
	for ; sent < allowed && n.recoveryBacklog() > 0; sent++ {
		inner := n.old.get(r.nextSeq)
		r.nextSeq++
		t.seq++
		pk := n.pool.get()
		pk.mcastHeader = mcastHeader{flags: mcastEncapsulated, ring: n.cur.ring, seq: t.seq,
			from: n.cfg.Node, ordinal: t.ordinal + 1}
		pk.buf = append(pk.mcastHeader.append(pk.buf[:0]), inner.buf...)
		pk.body = pk.buf[mcastHeaderBytes:]
		n.cur.put(pk)
		n.stats.Resent++
		n.sendAll(pk.buf)
	}
	return sent
}

// onEncapsulated takes an old packet out of a new one.
func (n *Node) onEncapsulated(body []byte) error {
	if body[0] != typeMcast {
		return ErrMalformed
	}
	var h mcastHeader
	inner, err := h.decode(body[1:])
	if err != nil || h.flags&mcastEncapsulated != 0 || checkBody(inner) != nil || !has(n.known, h.from) {
		return ErrMalformed
	}
	if n.old == nil || h.ring != n.old.ring {
		return nil
	}
	if n.old.accepts(h.seq) {
		n.env.Probe("totem/recovered")
		n.old.put(n.newPacket(h, body))
	}
	if pk := n.old.get(h.seq); pk != nil {
		pk.coveredBy = n.cur.ring.Seq
	}
	return nil
}

// recoveryVisit follows the exchange at a visit of the token, after sending. It reports whether
// the ring can be installed.
func (n *Node) recoveryVisit(t *token) bool {
	r := &n.recovery
	if n.recoveryBacklog() > 0 {
		if !t.retransFlag {
			t.retransFlag, r.setFlag = true, true
		}
	} else if r.setFlag {
		t.retransFlag, r.setFlag = false, false
	}
	if t.retransFlag {
		r.quiet = 0
	} else {
		r.quiet++
	}
	if r.quiet == retransFixed {
		r.installSeq = t.seq
	}
	if r.quiet >= retransFixed && n.cur.aru >= r.installSeq && !r.complete {
		// From here on others may install the ring counting on this node's copies, so what
		// they may deliver is owed, whatever becomes of this ring.
		r.complete = true
		n.obliged = setCopy(n.obliged, r.deliver)
		n.knownSafe = max(n.knownSafe, r.known)
	}
	if r.quiet >= retransDone && t.aru >= r.installSeq {
		r.rotations++
	} else {
		r.rotations = 0
	}
	return r.rotations >= installRotations
}

// install ends Recovery: the old ring's messages are delivered, and the new ring begins.
func (n *Node) install() {
	if !n.recovery.complete {
		panic("totem: installing a ring before its old packets are complete")
	}
	n.deliverOld()
	left := minus(nil, n.members, n.transitional)
	joined := minus(nil, n.newMembers, n.transitional)
	if n.old.ring.IsZero() {
		joined = slices.Clone(n.newMembers)
	}
	n.old.drop()
	n.old = nil
	n.assembly.reset()
	n.first, n.queue.sent = outQueue{}, 0
	n.open = false
	n.obliged = n.obliged[:0]
	n.knownSafe = 0
	n.members = setCopy(n.members, n.newMembers)
	n.procs = setCopy(n.procs, n.newMembers)
	n.failed = n.failed[:0]
	n.expiredGathers = 0
	n.stats.Rings++
	n.setState(Operational, "recovered")
	n.logMembership(joined, left)
	n.announced = n.announced[:0]
	n.configure(Configuration{Kind: cpg.Regular, Ring: n.cur.ring.ID,
		Members: slices.Clone(n.members), Joined: joined, Left: left})
	n.deliverReady()
}

func (n *Node) logMembership(joined, left []ring.NodeID) {
	text := fmt.Sprintf("A new membership (%v) was formed. Members", n.cur.ring.ID)
	if len(joined) > 0 {
		text += " joined:" + nodeList(joined)
	}
	if len(left) > 0 {
		text += " left:" + nodeList(left)
	}
	n.log.Info(text)
	if silent := minus(nil, left, n.announced); len(silent) > 0 {
		n.log.Info("Failed to receive the leave message. failed:" + nodeList(silent))
	}
	n.log.Debug("entering OPERATIONAL state.")
}

func nodeList(ids []ring.NodeID) string {
	var b strings.Builder
	for _, id := range ids {
		fmt.Fprintf(&b, " %d", id)
	}
	return b.String()
}
