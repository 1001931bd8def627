package resource

import (
	"fmt"
	"strconv"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// Times of a migration between hosts.
const (
	// resendInterval is the time between two attempts to get a packet answered. When no attempt was
	// answered for targetTime, the target counts as lost.
	resendInterval = 500 * time.Millisecond
	targetTimeout  = 10 * time.Second
	// copyTTL is how long a target keeps a copy after it last heard from the source. After that the copy
	// can no longer run, so copyTTL is longer than any pause of the source between two packets.
	copyTTL      = 30 * time.Second
	holdInterval = 5 * time.Second
	// timePerPiece is how long a piece takes at most, so that a cancellation takes effect soon. There are
	// at least leastPieces pieces.
	timePerPiece = time.Second
	minPieces    = 20
	// maxAborts is how many packets inform the target of the end.
	maxAborts = 3
)

// outgoingGuest is a migration away from this machine.
type outgoingGuest struct {
	requestID       string
	requester       string // the process that asked for it
	sid             string
	target          env.MachineID
	deadline        time.Duration // 0 for no timeout
	messageArrived  env.Signal    // a packet or a message arrived
	lastPacket      packet        // the last packet of the target
	cancelRequested bool
	requesterEnded  bool // the process that asked for it has ended
	commitRequested bool // the commit was requested
	commitAnswer    *guestRequest
}

// migrateGuest moves a guest to another machine and returns the answer for the process that requested it.
func (h *Host) migrateGuest(t *env.Task, g *guest, from string, r *guestRequest) guestAnswer {
	o := &outgoingGuest{requestID: h.env.Self().Name + "/" + strconv.FormatUint(h.env.Self().Boot,
		10) + "/" + r.ID,
		requester: from, sid: r.SID, target: r.Target}
	if r.Timeout > 0 {
		o.deadline = h.env.Mono() + r.Timeout
	}
	h.outgoing[r.ID] = o
	defer delete(h.outgoing, r.ID)
	why, detail := h.transferMemory(t, g, o, r.ID)
	if why == "" {
		why, detail = h.switchOver(t, g, o, r.ID)
	}
	if why != "" {
		for range maxAborts {
			h.sendPacket(o.target, packet{Kind: packetAbort, ID: o.requestID, SID: o.sid})
		}
	}
	return guestAnswer{Failed: why, Detail: detail}
}

// giveUpReason returns why a migration must be given up before its switch-over, "" if it continues.
func (h *Host) giveUpReason(o *outgoingGuest) string {
	switch {
	case o.cancelRequested || o.requesterEnded:
		return failedCancelled
	case o.deadline > 0 && h.env.Mono() >= o.deadline:
		return failedTimeout
	}
	return ""
}

// transferMemory copies the memory to the target while the guest runs.
func (h *Host) transferMemory(t *env.Task, g *guest, o *outgoingGuest, request string) (why, detail string) {
	pieces, each := h.splitMemory(g.conf.MemoryBytes)
	conf := g.conf
	why, detail = h.exchangePackets(t, o, packet{Kind: packetPrepare, Pieces: pieces, Conf: &conf},
		packetReady)
	reported := 0
	for piece := 1; why == "" && piece <= pieces; piece++ {
		h.sleepUnlessCancelled(t, o, each)
		if why = h.giveUpReason(o); why != "" {
			break
		}
		why, detail = h.exchangePackets(t, o, packet{Kind: packetPiece, Piece: piece, Pieces: pieces},
			packetHave)
		if percent := piece * 100 / pieces; why == "" && percent/10 > reported/10 {
			reported = percent
			h.reply(t, o.requester, guestAnswer{ID: request, Stage: stageProgress, Percent: percent})
		}
	}
	if why == "" {
		why = h.giveUpReason(o)
	}
	return why, detail
}

// splitMemory returns the number of pieces in which memory is transferred, and how long each takes.
func (h *Host) splitMemory(memoryBytes int64) (count int, each time.Duration) {
	total := time.Duration(0)
	if speed := h.opts.BytesPerSecond; speed > 0 {
		// In milliseconds: bytes times nanoseconds would overflow for large memories.
		total = h.drawDuration(time.Duration(memoryBytes/(speed/1000+1)) * time.Millisecond)
	}
	count = min(max(int(total/timePerPiece)+1, minPieces), maxPieces)
	return count, total / time.Duration(count)
}

// sleepUnlessCancelled waits for a time, or less if the migration is given up.
func (h *Host) sleepUnlessCancelled(t *env.Task, o *outgoingGuest, d time.Duration) {
	for until := h.env.Mono() + d; h.giveUpReason(o) == ""; {
		left := until - h.env.Mono()
		if left <= 0 {
			return
		}
		t.Wait(&o.messageArrived, left)
	}
}

// switchOver pauses the guest, transfers the rest and requests the commit. If the guest is not handed
// over, it runs here again.
func (h *Host) switchOver(t *env.Task, g *guest, o *outgoingGuest, request string) (why, detail string) {
	g.paused = true
	h.setRunning(g, o.sid, false, CauseSwitching)
	defer func() { g.paused = false }()
	t.Sleep(h.drawDuration(h.opts.SwitchTime))
	// From here on only the target's silence counts: a timeout or cancellation no longer applies.
	o.deadline, o.cancelRequested = 0, false
	why, detail = h.exchangePackets(t, o, packet{Kind: packetFinal}, packetComplete)
	if why == "" && o.requesterEnded {
		why = failedCancelled
	}
	if why == "" {
		o.commitRequested = true
		h.reply(t, o.requester, guestAnswer{ID: request, Stage: stageCommit})
		h.awaitCommit(t, o)
		switch {
		case o.requesterEnded:
			// This host can never know whether the guest was handed over.
			h.env.Probe("resource/orphaned-at-switch-over")
			h.env.Log().Error("the guest is dropped: the process that moved it ended during the switch-over",
				"sid", o.sid)
			return failedLost, "the process that moved it has ended"
		case o.commitAnswer.Lost:
			return failedLost, ""
		case !o.commitAnswer.Handed:
			why = failedCommit
		}
	}
	if why != "" {
		g.incarnations-- // the same incarnation continues
		h.setRunning(g, o.sid, true, CauseResumed)
		return why, detail
	}
	if lost, what := h.exchangePackets(t, o, packet{Kind: packetResume}, packetRuns); lost != "" {
		// The guest was handed over all the same: the new node's LRM will start it.
		h.env.Probe("resource/not-resumed")
		h.env.Log().Warn("the target does not continue the guest and must start it again",
			"sid", o.sid, "reason", what)
	}
	return "", ""
}

// awaitCommit waits for the decision of the process that requested the migration. Meanwhile it keeps the
// target's copy alive.
func (h *Host) awaitCommit(t *env.Task, o *outgoingGuest) {
	for o.commitAnswer == nil && !o.requesterEnded {
		if !t.Wait(&o.messageArrived, holdInterval) {
			h.sendPacket(o.target, packet{Kind: packetHold, ID: o.requestID, SID: o.sid})
		}
	}
}

// exchangePackets repeats a packet until it gets the wanted answer.
func (h *Host) exchangePackets(t *env.Task, o *outgoingGuest, p packet, want string) (why, detail string) {
	p.ID, p.SID = o.requestID, o.sid
	o.lastPacket = packet{}
	started := h.env.Mono()
	for {
		h.sendPacket(o.target, p)
		for until := h.env.Mono() + resendInterval; ; {
			switch {
			case o.lastPacket.Kind == want && o.lastPacket.Piece == p.Piece:
				return "", ""
			case o.lastPacket.Kind == packetGone:
				return failedTarget, "the target says: " + o.lastPacket.Why
			}
			if why := h.giveUpReason(o); why != "" && p.Kind != packetResume && p.Kind != packetFinal {
				return why, ""
			}
			left := until - h.env.Mono()
			if left <= 0 {
				break
			}
			t.Wait(&o.messageArrived, left)
		}
		if h.env.Mono()-started >= targetTimeout {
			return failedTarget, fmt.Sprintf("the target did not answer %s within %v", p.Kind, targetTimeout)
		}
	}
}

func (h *Host) sendPacket(to env.MachineID, p packet) { h.env.Send(to, 0, env.EncodeJSON(p)) }

// onDecision takes the decision of the process that requested a migration.
func (h *Host) onDecision(r *guestRequest) {
	o := h.outgoing[r.ID]
	switch {
	case o == nil:
		return // the migration has ended
	case r.Op == opCancel:
		o.cancelRequested = true
	case o.commitRequested:
		o.commitAnswer = r
	}
	o.messageArrived.Raise()
}

// onRequesterEnded gives up the migrations that an ended process had requested.
func (h *Host) onRequesterEnded(process string) {
	for _, id := range sortedKeys(h.outgoing) {
		if o := h.outgoing[id]; o != nil && o.requester == process {
			o.requesterEnded = true
			o.messageArrived.Raise()
		}
	}
}
