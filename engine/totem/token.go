package totem

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
)

// onToken handles the token in n.tok.
func (n *Node) onToken() error {
	t := &n.tok
	if n.state != Operational && n.state != Recovery || t.ring != n.cur.ring || t.tokenSeq <= n.tokenSeq {
		return nil
	}
	if t.seq < n.lastSeq || t.seq-n.cur.base > MaxStoredPackets || t.seq < n.cur.high ||
		t.aruNode != 0 && !has(n.newMembers, t.aruNode) {
		return errRefused
	}
	n.stats.Tokens++
	n.tokenSeq = t.tokenSeq
	n.watchTraffic(t)
	n.safeUpTo = max(n.safeUpTo, min(t.aru, n.lastAru))
	if n.state == Recovery {
		n.skipEncapsulated()
	}
	n.cur.release(min(n.safeUpTo, n.cur.delivered))

	room, allowed := n.cur.base+MaxStoredPackets-t.seq, n.allowed(t)
	resent := n.serveRetransmits(t, allowed)
	n.askForMissing(t)
	sent := 0
	if room > uint64(n.cfg.Timers.WindowSize) {
		sent = n.sendNew(t, allowed-resent)
	}
	n.account(t, uint32(resent+sent))
	aruBefore := n.lastAru
	n.setAru(t)
	if n.checkStuck(t, aruBefore) {
		return nil
	}
	install := n.state == Recovery && n.recoveryVisit(t)
	n.lastSeq, n.lastAru = t.seq, t.aru
	n.passOn(t, resent+sent > 0)
	if install {
		n.install()
	} else if n.state == Operational {
		n.deliverReady()
	}
	return nil
}

// watchTraffic counts the rotations without traffic and starts the search for other rings.
func (n *Node) watchTraffic(t *token) {
	if t.seq != n.seenSeq {
		n.seenSeq = t.seq
		n.unchanged = 0
		if n.merging {
			n.merging = false
			n.stopTimer(timerMerge)
		}
		return
	}
	n.unchanged++
	if !n.merging && n.state == Operational {
		n.merging = true
		n.setTimer(timerMerge, n.cfg.Timers.Merge)
	}
}

// allowed is how many packets this visit may send: flow control over the whole ring, fair by
// backlog.
func (n *Node) allowed(t *token) int {
	window := uint64(n.cfg.Timers.WindowSize)
	allowed := min(uint64(n.cfg.Timers.MaxMessages), window-min(window, uint64(t.fcc)))
	if total := uint64(t.backlog) + uint64(n.pending()); total > uint64(n.backlog) {
		share := window * uint64(n.backlog) / (total - uint64(n.backlog))
		if share > 0 {
			allowed = min(allowed, share)
		}
	}
	return int(allowed)
}

// pending is how many packets this node would like to send.
func (n *Node) pending() uint32 {
	if n.state == Recovery {
		return n.recoveryBacklog()
	}
	room := maxBodyBytes(n.cfg.MTUBytes)
	packets := n.first.packets(room)
	if n.open {
		packets += n.queue.packets(room)
	}
	return packets
}

// account tells the ring what this visit sent and what is left.
func (n *Node) account(t *token, sent uint32) {
	t.fcc = t.fcc - min(t.fcc, n.sentLast) + sent
	n.sentLast = sent
	backlog := n.pending()
	t.backlog = t.backlog - min(t.backlog, n.backlog) + backlog
	n.backlog = backlog
}

// serveRetransmits sends what others miss and this node has, and takes it off the list.
func (n *Node) serveRetransmits(t *token, allowed int) int {
	if len(t.rtr) == 0 {
		return 0
	}
	n.env.Probe("totem/retransmit")
	n.logRetransmits(t.rtr)
	served, keep := 0, t.rtr[:0]
	for _, seq := range t.rtr {
		pk := n.cur.get(seq)
		if pk == nil || served >= allowed {
			if seq > n.cur.base { // nobody misses what everybody had
				keep = append(keep, seq)
			}
			continue
		}
		n.sendAll(pk.buf)
		n.stats.Resent++
		served++
	}
	t.rtr = keep
	return served
}

func (n *Node) logRetransmits(list []uint64) {
	if !n.log.Enabled(context.Background(), slog.LevelInfo) {
		return
	}
	text := append(n.out[:0], "Retransmit List: "...)
	for _, seq := range list {
		text = append(strconv.AppendUint(text, seq, 16), ' ')
	}
	n.out = text
	n.log.Info(string(text))
}

// askForMissing adds to the list what was missing at enough visits.
func (n *Node) askForMissing(t *token) {
	if n.cur.aru == t.seq {
		return
	}
	for seq := n.cur.aru + 1; seq <= t.seq && len(t.rtr) < MaxRetransmits; seq++ {
		if n.cur.get(seq) != nil {
			continue
		}
		if n.cur.miss(seq) > n.cfg.Timers.MissCount && !slices.Contains(t.rtr, seq) {
			t.rtr = append(t.rtr, seq)
		}
	}
}

// sendNew multicasts what waits, at most allowed packets, and returns how many it sent.
func (n *Node) sendNew(t *token, allowed int) int {
	if n.state == Recovery {
		return n.sendRecovered(t, allowed)
	}
	sent := 0
	for ; sent < allowed; sent++ {
		q := &n.first
		if n.open && (q.empty() || n.queue.sent > 0) {
			q = &n.queue
		}
		if q.empty() {
			break
		}
		n.sendPacket(t, q)
	}
	return sent
}

func (n *Node) sendPacket(t *token, q *outQueue) {
	t.seq++
	pk := n.pool.get()
	guarantee := q.messages[q.head].guarantee
	pk.mcastHeader = mcastHeader{flags: byte(guarantee), ring: n.cur.ring, seq: t.seq,
		from: n.cfg.Node, ordinal: t.ordinal + 1}
	pk.buf = pk.mcastHeader.append(pk.buf[:0])
	pk.buf = q.fill(pk.buf, maxBodyBytes(n.cfg.MTUBytes), func(m *outMessage) {
		t.ordinal++
		if !n.cfg.Quiet {
			n.env.Emit(Sent{Node: n.cfg.Node, Ring: n.cur.ring.ID, Ordinal: t.ordinal,
				Guarantee: m.guarantee, Digest: digest(m.payload)})
		}
	})
	pk.body = pk.buf[mcastHeaderBytes:]
	n.cur.put(pk)
	n.stats.Sent++
	n.sendAll(pk.buf)
}

// setAru lowers the token's mark to what this node has, or raises it where this node held it back.
func (n *Node) setAru(t *token) {
	if n.cur.aru >= t.aru && t.aruNode != n.cfg.Node && t.aruNode != 0 {
		return
	}
	t.aru = n.cur.aru
	t.aruNode = n.cfg.Node
	if t.aru == t.seq {
		t.aruNode = 0
	}
}

// checkStuck leaves the ring when this node alone holds it back for too long.
func (n *Node) checkStuck(t *token, aruBefore uint64) bool {
	if t.aruNode != n.cfg.Node || t.aru != aruBefore {
		n.stuck = 0
		return false
	}
	n.stuck++
	if n.stuck <= n.cfg.Timers.FailRecvConst {
		return false
	}
	n.env.Probe("totem/failed-to-receive")
	n.log.Error("FAILED TO RECEIVE")
	n.failedToReceive = true
	n.failed = insert(n.failed, n.cfg.Node)
	n.gather(reasonFailedToReceive)
	return true
}

// passOn forwards the token, or keeps it for a while when the ring is idle and this node is its
// representative.
func (n *Node) passOn(t *token, busy bool) {
	t.tokenSeq++
	n.lastToken = t.append(n.lastToken[:0])
	n.tokenAt = n.env.Mono()
	n.armToken()
	idle := n.unchanged > n.cfg.Timers.SeqnoUnchanged && !busy && len(t.rtr) == 0 && t.aru == t.seq
	if idle && n.cur.ring.Rep == n.cfg.Node && n.state == Operational {
		n.held = true
		n.stopTimer(timerRetransmit)
		n.setTimer(timerHold, n.cfg.Timers.Hold)
		return
	}
	n.forward()
}

// forward sends the last token to the next member.
func (n *Node) forward() {
	if n.held {
		n.held = false
		n.stopTimer(timerHold)
	}
	n.sendTo(n.next, n.lastToken)
	n.setTimer(timerRetransmit, n.cfg.Timers.TokenRetransmit)
}

// cancelHold sees to it that an idle ring's token comes around, because there is something to send.
func (n *Node) cancelHold() {
	if n.state != Operational {
		return
	}
	if n.held {
		n.unchanged = 0
		n.forward()
		return
	}
	// The representative may be one visit ahead in counting.
	if n.unchanged < n.cfg.Timers.SeqnoUnchanged || n.cur.ring.Rep == n.cfg.Node {
		return
	}
	n.env.Probe("totem/hold-cancel")
	n.unchanged = 0
	n.out = appendRingMessage(n.out[:0], typeHoldCancel, n.cur.ring)
	n.sendTo(n.machine(n.cur.ring.Rep), n.out)
}

func (n *Node) onHoldCancel(id ringKey) {
	if n.state != Operational || id != n.cur.ring {
		return
	}
	n.unchanged = 0
	if n.held {
		n.forward()
	}
}
