package totem

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/totem/wire"
)

// operating is what a node keeps of the token between two visits.
type operating struct {
	token            wire.Token // the one being handled
	myTokenSeq       uint64     // token.tokenSeq of the last token accepted (my_token_seq)
	lastSeenSeq      uint64     // token.seq when the token came last
	lastForwardedSeq uint64     // token.seq when this node forwarded the token last
	lastForwardedAru uint64     // token.aru when this node forwarded the token last (my_last_aru)
	safeSeq          uint64     // every member has all packets up to here
	seqUnchanged     int        // visits in a row that found token.seq unchanged
	aruHeldBack      int        // visits in a row at which this node alone held token.aru back (my_aru_count)

	tokenHeld       bool   // the representative keeps the token of an idle ring
	tokenToRepeat   []byte // the last token or commit token sent, to be sent again when it is lost
	tokenReceivedAt time.Duration

	sentLastVisit uint32 // packets sent at the last visit
	myBacklog     uint32 // packets that waited after the last visit
}

// onToken handles the token in n.token: it retransmits, requests what it misses, multicasts, updates the
// token's aru, forwards the token and delivers. (The paper, section 4, "The Total Ordering Protocol".)
//
// Worked example of aru and safe delivery. Members A, B, C; A multicasts packet 7 and B misses it
// (miss_count_const is 0 here, so B requests it at once):
//
//	visit  aru in -> out  what happens
//	A1     6 -> 7         A sends 7 and has it: my_aru is 7
//	B1     7 -> 6         B misses 7: it lowers aru to its my_aru, names itself, and requests 7
//	C1     6 -> 6         C sends 7 again; only B may raise the aru
//	A2     6 -> 6
//	B2     6 -> 7         B has 7 now and raises the aru that it had lowered
//	C2     7 -> 7         C delivered 7 long ago if it is agreed, but cannot know whether all have it
//	A3     7 -> 7
//	B3     7 -> 7         aru was 7 when B forwarded the token and is 7 when it returns: 7 is safe
//	C3, A4 7 -> 7         the same for C and A
//
// One token with aru 7 proves nothing: B1 received it too. A node that sees aru >= 7 at two visits in a
// row knows that every member had the token in between and did not lower it. Therefore safeSeq is the
// lower one of the aru received now and the aru forwarded at the last visit.
func (n *Node) onToken() error {
	t := &n.token
	if n.state != Operational && n.state != Recovery ||
		t.Ring != n.current.ring || t.TokenSeq <= n.myTokenSeq {
		return nil
	}
	if t.Seq < n.lastForwardedSeq || t.Seq-n.current.releasedUpTo > MaxStoredPackets ||
		t.Seq < n.current.highSeq ||
		t.AruNode != 0 && !contains(n.newMembers, t.AruNode) {
		return errRefused
	}
	n.stats.Tokens++
	n.myTokenSeq = t.TokenSeq
	if n.state == Recovery && env.Buggify(n.env, "totem/broken-recovery") {
		n.gather(reasonRecoveryLost)
		return nil
	}
	n.watchTraffic(t)
	n.safeSeq = max(n.safeSeq, min(t.Aru, n.lastForwardedAru))
	if n.state == Recovery {
		n.skipEncapsulated()
	}
	n.current.releaseUpTo(min(n.safeSeq, n.current.highDelivered))

	room, allowed := n.current.releasedUpTo+MaxStoredPackets-t.Seq, n.sendAllowance(t)
	resent := n.retransmitRequested(t, allowed)
	n.requestMissing(t)
	sent := 0
	if room > uint64(n.cfg.Timers.WindowSize) {
		sent = n.sendNew(t, allowed-resent)
	}
	n.accountVisit(t, uint32(resent+sent))
	aruBefore := n.lastForwardedAru
	n.updateAru(t)
	if n.checkFailedToReceive(t, aruBefore) {
		return nil
	}
	install := n.state == Recovery && n.recoveryVisit(t)
	n.lastForwardedSeq, n.lastForwardedAru = t.Seq, t.Aru
	n.forwardOrHold(t, resent+sent > 0)
	if install {
		n.install()
	} else if n.state == Operational {
		n.deliverReady()
	}
	return nil
}

// watchTraffic counts visits without new packets.
func (n *Node) watchTraffic(t *wire.Token) {
	if t.Seq != n.lastSeenSeq {
		n.lastSeenSeq = t.Seq
		n.seqUnchanged = 0
		return
	}
	n.seqUnchanged++
}

// sendAllowance returns how many packets this visit may send. One rotation of the ring may carry
// window_size packets and one visit max_messages; nodes share the window in proportion to their backlogs.
// (The paper, section 4, on flow control.)
func (n *Node) sendAllowance(t *wire.Token) int {
	window := uint64(env.Limit(n.env, "totem/narrow-window", n.cfg.Timers.WindowSize, 1))
	allowed := min(uint64(n.cfg.Timers.MaxMessages), window-min(window, uint64(t.FlowControl)))
	if total := uint64(t.Backlog) + uint64(n.wantToSend()); total > uint64(n.myBacklog) {
		share := window * uint64(n.myBacklog) / (total - uint64(n.myBacklog))
		if share > 0 {
			allowed = min(allowed, share)
		}
	}
	return int(allowed)
}

// wantToSend returns how many packets wait here to be sent.
func (n *Node) wantToSend() uint32 {
	if n.state == Recovery {
		return n.recoveryBacklog()
	}
	room := maxBodyBytes(&n.cfg)
	packets := n.ownerQueue.packetsNeeded(room)
	if n.clientsAdmitted {
		packets += n.clientQueue.packetsNeeded(room)
	}
	return packets
}

// accountVisit replaces this node's share of the token's flow control count and backlog.
func (n *Node) accountVisit(t *wire.Token, sent uint32) {
	t.FlowControl = t.FlowControl - min(t.FlowControl, n.sentLastVisit) + sent
	n.sentLastVisit = sent
	backlog := n.wantToSend()
	t.Backlog = t.Backlog - min(t.Backlog, n.myBacklog) + backlog
	n.myBacklog = backlog
}

// retransmitRequested sends the requested packets that this node has, takes them off the token's list and
// returns how many it sent.
func (n *Node) retransmitRequested(t *wire.Token, allowed int) int {
	if len(t.RetransmitRequests) == 0 {
		return 0
	}
	n.env.Probe("totem/retransmit")
	n.logRetransmits(t.RetransmitRequests)
	served, keep := 0, t.RetransmitRequests[:0]
	for _, seq := range t.RetransmitRequests {
		pk := n.current.packetAt(seq)
		if pk == nil || served >= allowed {
			// a released packet is with everybody: the request is out of date
			if seq > n.current.releasedUpTo {
				keep = append(keep, seq)
			}
			continue
		}
		n.sendToSet(n.newMembers, pk.buf)
		n.stats.Resent++
		served++
	}
	t.RetransmitRequests = keep
	return served
}

func (n *Node) logRetransmits(list []uint64) {
	if !n.log.Enabled(context.Background(), slog.LevelInfo) {
		return
	}
	text := append(n.composeBuffer[:0], "Retransmit List: "...)
	for _, seq := range list {
		text = append(strconv.AppendUint(text, seq, 16), ' ')
	}
	n.composeBuffer = text
	n.log.Info(string(text))
}

// requestMissing adds to the token's list the packets that were missing at more than miss_count_const
// visits, so that a packet that is only a little late is not requested. A packet that was requested is given
// as many visits to arrive before it is requested again: where it cannot arrive, because its way is cut, it
// would otherwise be sent again in every rotation until the node gives up (fail_recv_const).
func (n *Node) requestMissing(t *wire.Token) {
	if n.current.myAru == t.Seq {
		return
	}
	most := env.Limit(n.env, "totem/few-retransmits", wire.MaxRetransmits, 1)
	for seq := n.current.myAru + 1; seq <= t.Seq && len(t.RetransmitRequests) < most; seq++ {
		if n.current.packetAt(seq) != nil {
			continue
		}
		if n.current.countMiss(seq) <= n.cfg.Timers.MissCount {
			continue
		}
		n.current.forgetMisses(seq)
		if !slices.Contains(t.RetransmitRequests, seq) {
			t.RetransmitRequests = append(t.RetransmitRequests, seq)
		}
	}
}

// sendNew multicasts at most allowed waiting packets and returns how many it sent.
func (n *Node) sendNew(t *wire.Token, allowed int) int {
	if n.state == Recovery {
		return n.sendRecovered(t, allowed)
	}
	sent := 0
	for ; sent < allowed; sent++ {
		q := &n.ownerQueue
		if n.clientsAdmitted && (q.empty() || n.clientQueue.headBytesSent > 0) {
			q = &n.clientQueue
		}
		if q.empty() {
			break
		}
		n.sendPacket(t, q)
	}
	return sent
}

func (n *Node) sendPacket(t *wire.Token, q *outQueue) {
	t.Seq++
	pk := n.packetPool.takePacket()
	guarantee := q.messages[q.headIndex].guarantee
	pk.McastHeader = wire.McastHeader{Flags: byte(guarantee), Ring: n.current.ring, Seq: t.Seq,
		Author: n.cfg.Node, Ordinal: t.Ordinal + 1}
	pk.buf = pk.McastHeader.Append(pk.buf[:0])
	room := maxBodyBytes(&n.cfg)
	room = env.Limit(n.env, "totem/small-packet", room, min(room, smallPacketBytes))
	pk.buf = q.fillPacket(pk.buf, room, func(m *outMessage) {
		t.Ordinal++
		if !n.cfg.Quiet {
			n.env.Emit(Sent{Node: n.cfg.Node, Ring: n.current.ring.ID, Ordinal: t.Ordinal,
				Guarantee: m.guarantee, Digest: fingerprint(m.payload)})
		}
	})
	pk.body = pk.buf[wire.McastHeaderBytes:]
	n.current.addPacket(pk)
	n.stats.Sent++
	n.sendToSet(n.newMembers, pk.buf)
}

// updateAru lowers token.aru to this node's my_aru, or raises it if this node lowered it.
func (n *Node) updateAru(t *wire.Token) {
	if n.current.myAru >= t.Aru && t.AruNode != n.cfg.Node && t.AruNode != 0 {
		return
	}
	t.Aru = n.current.myAru
	t.AruNode = n.cfg.Node
	if t.Aru == t.Seq {
		t.AruNode = 0
	}
}

// checkFailedToReceive makes this node leave the ring when it alone has held token.aru back, without any
// progress, at more than fail_recv_const visits. It reports whether the node left.
func (n *Node) checkFailedToReceive(t *wire.Token, aruBefore uint64) bool {
	if t.AruNode != n.cfg.Node || t.Aru != aruBefore {
		n.aruHeldBack = 0
		return false
	}
	n.aruHeldBack++
	if n.aruHeldBack <= n.cfg.Timers.FailRecvConst {
		return false
	}
	n.env.Probe("totem/failed-to-receive")
	n.log.Error("FAILED TO RECEIVE")
	n.follow(n.monitor.DropLinks(n.env.Mono()))
	n.gather(reasonFailedToReceive)
	return true
}

// forwardOrHold forwards the token. In an idle ring the representative holds it for the hold time first.
func (n *Node) forwardOrHold(t *wire.Token, busy bool) {
	t.TokenSeq++
	n.tokenToRepeat = t.Append(n.tokenToRepeat[:0])
	n.tokenReceivedAt = n.env.Mono()
	n.armTokenTimer()
	idle := n.seqUnchanged > n.cfg.Timers.SeqnoUnchanged && !busy && len(t.RetransmitRequests) == 0 &&
		t.Aru == t.Seq
	if idle && n.current.ring.Rep == n.cfg.Node && n.state == Operational {
		n.tokenHeld = true
		n.stopTimer(timerRetransmit)
		n.setTimer(timerHold, n.cfg.Timers.Hold)
		return
	}
	n.forward()
}

// forward sends the token to the next member.
func (n *Node) forward() {
	if n.tokenHeld {
		n.tokenHeld = false
		n.stopTimer(timerHold)
	}
	n.sendTo(n.successor, n.tokenToRepeat)
	n.setTimer(timerRetransmit, n.cfg.Timers.TokenRetransmit)
}

// cancelHold makes the token of an idle ring move, because this node has something to send.
func (n *Node) cancelHold() {
	if n.state != Operational {
		return
	}
	if n.tokenHeld {
		n.seqUnchanged = 0
		n.forward()
		return
	}
	// The representative may be one visit ahead in counting, so hold-cancel goes out one visit early.
	if n.seqUnchanged < n.cfg.Timers.SeqnoUnchanged || n.current.ring.Rep == n.cfg.Node {
		return
	}
	n.env.Probe("totem/hold-cancel")
	n.seqUnchanged = 0
	n.composeBuffer = wire.AppendRingMessage(n.composeBuffer[:0], wire.TypeHoldCancel, n.current.ring)
	n.sendTo(n.current.ring.Rep, n.composeBuffer)
}

func (n *Node) onHoldCancel(id wire.RingKey) {
	if n.state != Operational || id != n.current.ring {
		return
	}
	n.seqUnchanged = 0
	if n.tokenHeld {
		n.forward()
	}
}
