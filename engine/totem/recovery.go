package totem

import (
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/totem/wire"
)

// The exchange of old packets ends in three steps, counted in visits of the token at this node. The
// numbers follow Corosync (my_retrans_flg_count, my_install_seq in the paper).
const (
	// quietVisitsToFix is after how many visits in a row without the token's retransFlag the last packet
	// of the exchange is known.
	quietVisitsToFix = 2
	// quietVisitsToInstall is after how many such visits the ring may be installed.
	quietVisitsToInstall = 3
	// completeVisitsToInstall is for how many visits in a row everybody must have all these packets.
	completeVisitsToInstall = 2
)

// recovery is what a node keeps while it exchanges the packets of its old ring on the new one.
type recovery struct {
	// The old packets that this node still has to send: those it has from nextOldSeq to lastOldSeq.
	nextOldSeq, lastOldSeq uint64
	flagSetHere            bool   // this node set token.retransFlag
	visitsWithoutFlag      int    // in a row
	installSeq             uint64 // the last packet of the exchange
	visitsComplete         int    // in a row, at which everybody had all up to installSeq
	isComplete             bool   // this node has every old packet that a member of transMembers has
	// deliverMembers are the authors whose packets are delivered behind a gap: transMembers and the
	// obligations of all of them (my_deliver_memb).
	deliverMembers []ring.NodeID
	// highRingDelivered is the highest old packet that any of transMembers, or a node that one of them
	// recovered with, has delivered in the regular configuration (high_ring_delivered).
	highRingDelivered uint64
}

// enterRecovery opens the new ring beside the old one. The complete commit token holds which members come
// from the same old ring and which of its packets each has. (The paper, section 6, "Recovery".)
//
// Worked example. A, B and D come from ring 8, whose packets end at 9; C, the author of 7 and 9, crashed:
//
//	       my_aru  has          delivered in ring 8
//	A      6       8            6
//	B      7       7 and 9      6 (7 is safe, and B does not know whether all have it)
//	D      6       nothing more 6
//
// The lowest my_aru is 6, so packets 7, 8 and 9 are sent again on the new ring, each by the first
// member that has it.
// Then all three have 7, 8 and 9. They deliver up to the first packet that is not known to be safe in the
// old regular configuration {A,B,C,D}, install the transitional configuration {A,B,D}, and deliver 7, 8
// and 9 in it. If no member had 7, it would be a gap: 9 is dropped, because its author C may have built it
// on 7; 8 is delivered if its author is A, B or D, because that author did not have 7 either.
func (n *Node) enterRecovery() {
	n.setState(Recovery, "commit token complete")
	n.log.Debug("entering RECOVERY state.")
	c := &n.commitToken
	n.oldRing = n.current
	n.current = newRingPackets(c.Ring, &n.packetPool)
	n.transMembers = append(n.transMembers[:0], n.cfg.Node)
	r := &n.recovery
	*r = recovery{deliverMembers: r.deliverMembers[:0], highRingDelivered: max(n.oldRing.highDelivered,
		n.highRingDelivered)}
	low, high, same := n.oldRing.myAru, n.oldRing.highSeq, true
	if !n.oldRing.ring.IsZero() {
		n.transMembers = n.transMembers[:0]
		for i := range c.Entries {
			e := &c.Entries[i]
			if e.OldRing != n.oldRing.ring {
				continue
			}
			n.transMembers = append(n.transMembers, c.Members[i])
			r.highRingDelivered = max(r.highRingDelivered, e.HighRingDelivered)
			low, high = min(low, e.MyAru), max(high, e.HighSeq)
		}
		same = low == high || len(n.transMembers) == 1
	}
	r.deliverMembers = union(setCopy(r.deliverMembers, c.ObligationOf(n.oldRing.ring)), n.transMembers)
	r.nextOldSeq, r.lastOldSeq = low+1, n.oldRing.highSeq
	if same {
		r.lastOldSeq = low
	}
	n.resetToken()
	n.forwardCommit()
}

// abandonRecovery makes the old ring the current one again. Packets of the old ring that were received
// meanwhile are kept: other nodes may have installed the new ring because this node acknowledged them.
func (n *Node) abandonRecovery() {
	n.current.dropAll()
	n.current, n.oldRing = n.oldRing, nil
}

// resetToken clears the state of the last ring's token.
func (n *Node) resetToken() {
	n.myTokenSeq, n.lastSeenSeq, n.lastForwardedSeq, n.lastForwardedAru, n.safeSeq = 0, 0, 0, 0, 0
	n.seqUnchanged, n.aruHeldBack, n.sentLastVisit, n.myBacklog = 0, 0, 0, 0
	n.tokenHeld = false
}

// originate makes the first token of a ring. The representative calls it when the commit token has come
// back from its second round: all members are in Recovery then.
func (n *Node) originate() {
	n.token = wire.Token{Ring: n.current.ring, TokenSeq: 1,
		RetransmitRequests: n.token.RetransmitRequests[:0]}
	if err := n.onToken(); err != nil {
		panic(fmt.Sprintf("totem: own token refused: %v", err))
	}
}

// recoveryBacklog returns an upper bound of the old packets that this node still has to send.
func (n *Node) recoveryBacklog() uint32 {
	r := &n.recovery
	for r.nextOldSeq <= r.lastOldSeq {
		if pk := n.oldRing.packetAt(r.nextOldSeq); pk != nil && pk.resentOnRing != n.current.ring.Seq {
			break
		}
		r.nextOldSeq++
	}
	if r.nextOldSeq > r.lastOldSeq {
		return 0
	}
	return uint32(r.lastOldSeq - r.nextOldSeq + 1)
}

// sendRecovered multicasts at most allowed old packets, each inside a packet of the new ring, and returns
// how many it sent.
func (n *Node) sendRecovered(t *wire.Token, allowed int) int {
	r := &n.recovery
	sent := 0
	for ; sent < allowed && n.recoveryBacklog() > 0; sent++ {
		inner := n.oldRing.packetAt(r.nextOldSeq)
		r.nextOldSeq++
		t.Seq++
		pk := n.packetPool.takePacket()
		pk.McastHeader = wire.McastHeader{Flags: wire.McastEncapsulated, Ring: n.current.ring, Seq: t.Seq,
			Author: n.cfg.Node, Ordinal: t.Ordinal + 1}
		pk.buf = append(pk.McastHeader.Append(pk.buf[:0]), inner.buf...)
		pk.body = pk.buf[wire.McastHeaderBytes:]
		n.current.addPacket(pk)
		n.stats.Resent++
		n.sendToSet(n.newMembers, pk.buf)
	}
	return sent
}

// onEncapsulated takes an old ring's packet out of a packet of the new ring.
func (n *Node) onEncapsulated(body []byte) error {
	if body[0] != wire.TypeMcast {
		return wire.ErrMalformed
	}
	var h wire.McastHeader
	inner, err := h.Decode(body[1:])
	if err != nil || h.Flags&wire.McastEncapsulated != 0 || wire.CheckBody(inner) != nil ||
		!contains(n.knownIDs, h.Author) {
		return wire.ErrMalformed
	}
	if n.oldRing == nil || h.Ring != n.oldRing.ring {
		return nil
	}
	if n.oldRing.acceptsSeq(h.Seq) {
		n.env.Probe("totem/recovered")
		n.oldRing.addPacket(n.newPacket(h, body))
	}
	if pk := n.oldRing.packetAt(h.Seq); pk != nil {
		pk.resentOnRing = n.current.ring.Seq
	}
	return nil
}

// recoveryVisit updates the state of the exchange at a visit of the token, after sending. It reports
// whether the ring can be installed.
func (n *Node) recoveryVisit(t *wire.Token) bool {
	r := &n.recovery
	if n.recoveryBacklog() > 0 {
		if !t.RetransFlag {
			t.RetransFlag, r.flagSetHere = true, true
		}
	} else if r.flagSetHere {
		t.RetransFlag, r.flagSetHere = false, false
	}
	if t.RetransFlag {
		r.visitsWithoutFlag = 0
	} else {
		r.visitsWithoutFlag++
	}
	if r.visitsWithoutFlag == quietVisitsToFix {
		r.installSeq = t.Seq
	}
	if r.visitsWithoutFlag >= quietVisitsToFix && n.current.myAru >= r.installSeq && !r.isComplete {
		// This node acknowledges that it has all old packets. From now on others may install the
		// ring and deliver what its members have, so this node must deliver it too, even if the
		// ring breaks before this node installs it. See "Obligations behind a gap" in DESIGN.md.
		// A node that was in no ring has no packets, and a commit token must not name that ring.
		r.isComplete = true
		if !n.oldRing.ring.IsZero() {
			n.obligationSet = setCopy(n.obligationSet, r.deliverMembers)
		}
		n.highRingDelivered = max(n.highRingDelivered, r.highRingDelivered)
	}
	if r.visitsWithoutFlag >= quietVisitsToInstall && t.Aru >= r.installSeq {
		r.visitsComplete++
	} else {
		r.visitsComplete = 0
	}
	return r.visitsComplete >= completeVisitsToInstall
}

// install ends Recovery: it delivers the old ring's messages and begins the new ring.
func (n *Node) install() {
	if !n.recovery.isComplete {
		panic("totem: installing a ring before its old packets are complete")
	}
	n.deliverOldRing()
	left := difference(nil, n.members, n.transMembers)
	joined := difference(nil, n.newMembers, n.transMembers)
	if n.oldRing.ring.IsZero() {
		joined = slices.Clone(n.newMembers)
	}
	n.oldRing.dropAll()
	n.oldRing = nil
	n.assembler.reset()
	n.ownerQueue, n.clientQueue.headBytesSent = outQueue{}, 0
	n.clientsAdmitted = false
	n.obligationSet = n.obligationSet[:0]
	n.highRingDelivered = 0
	n.members = setCopy(n.members, n.newMembers)
	n.expiredGathers = 0
	n.stats.Rings++
	n.setState(Operational, "recovered")
	n.logMembership(joined, left)
	n.noteExclusion()
	n.configure(Configuration{Kind: cpg.Regular, Ring: n.current.ring.ID,
		Members: slices.Clone(n.members), Joined: joined, Left: left})
	n.deliverReady()
}

func (n *Node) logMembership(joined, left []ring.NodeID) {
	text := fmt.Sprintf("A new membership (%v) was formed. Members", n.current.ring.ID)
	if len(joined) > 0 {
		text += " joined:" + nodeList(joined)
	}
	if len(left) > 0 {
		text += " left:" + nodeList(left)
	}
	n.log.Info(text)
	if silent := slices.DeleteFunc(slices.Clone(left), n.monitor.HasLeft); len(silent) > 0 {
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
