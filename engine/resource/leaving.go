package resource

import (
	"fmt"
	"strconv"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// Times of a migration between hosts.
const (
	// repeatEvery is the time between two attempts to get a packet answered. When no attempt was
	// answered for targetTime, the target counts as lost.
	repeatEvery = 500 * time.Millisecond
	targetTime  = 10 * time.Second
	// copyTTL is how long a target keeps a copy after it last heard from the source. After that the copy
	// can no longer run, so copyTTL is longer than any pause of the source between two packets.
	copyTTL  = 30 * time.Second
	holdEach = 5 * time.Second
	// pieceTime is how long a piece takes at most, so that a cancellation takes effect soon. There are
	// at least leastPieces pieces.
	pieceTime   = time.Second
	leastPieces = 20
	// aborts is how many packets inform the target of the end.
	aborts = 3
)

// outgoing is a migration away from this machine.
type outgoing struct {
	id      string
	by      string // the process that asked for it
	sid     string
	to      env.MachineID
	until   time.Duration // 0 for no timeout
	arrived env.Signal    // a packet or a message arrived
	heard   packet        // the last packet of the target
	cancel  bool
	orphan  bool // the process that asked for it has ended
	asked   bool // the commit was requested
	commit  *guestRequest
}

// migrate moves a guest to another machine and returns the answer for the process that requested it.
func (h *Host) migrate(t *env.Task, g *guest, from string, r *guestRequest) guestAnswer {
	o := &outgoing{id: h.env.Self().Name + "/" + strconv.FormatUint(h.env.Self().Boot, 10) + "/" + r.ID,
		by: from, sid: r.SID, to: r.Target}
	if r.Timeout > 0 {
		o.until = h.env.Mono() + r.Timeout
	}
	h.leaving[r.ID] = o
	defer delete(h.leaving, r.ID)
	why, detail := h.transfer(t, g, o, r.ID)
	if why == "" {
		why, detail = h.switchOver(t, g, o, r.ID)
	}
	if why != "" {
		for range aborts {
			h.send(o.to, packet{Kind: packetAbort, ID: o.id, SID: o.sid})
		}
	}
	return guestAnswer{Failed: why, Detail: detail}
}

// givenUp returns why a migration must be given up before its switch-over, "" if it continues.
func (h *Host) givenUp(o *outgoing) string {
	switch {
	case o.cancel || o.orphan:
		return failedCancelled
	case o.until > 0 && h.env.Mono() >= o.until:
		return failedTimeout
	}
	return ""
}

// transfer copies the memory to the target while the guest runs.
func (h *Host) transfer(t *env.Task, g *guest, o *outgoing, request string) (why, detail string) {
	pieces, each := h.splitMemory(g.conf.MemoryBytes)
	conf := g.conf
	why, detail = h.exchange(t, o, packet{Kind: packetPrepare, Pieces: pieces, Conf: &conf}, packetReady)
	reported := 0
	for piece := 1; why == "" && piece <= pieces; piece++ {
		h.sleepUnlessCancelled(t, o, each)
		if why = h.givenUp(o); why != "" {
			break
		}
		why, detail = h.exchange(t, o, packet{Kind: packetPiece, Piece: piece, Pieces: pieces}, packetHave)
		if percent := piece * 100 / pieces; why == "" && percent/10 > reported/10 {
			reported = percent
			h.reply(t, o.by, guestAnswer{ID: request, Stage: stageProgress, Percent: percent})
		}
	}
	if why == "" {
		why = h.givenUp(o)
	}
	return why, detail
}

// splitMemory returns the number of pieces in which memory is transferred, and how long each takes.
func (h *Host) splitMemory(memoryBytes int64) (count int, each time.Duration) {
	total := time.Duration(0)
	if speed := h.opts.BytesPerSecond; speed > 0 {
		// In milliseconds: bytes times nanoseconds would overflow for large memories.
		total = h.takes(time.Duration(memoryBytes/(speed/1000+1)) * time.Millisecond)
	}
	count = min(max(int(total/pieceTime)+1, leastPieces), maxPieces)
	return count, total / time.Duration(count)
}

// sleepUnlessCancelled waits for a time, or less if the migration is given up.
func (h *Host) sleepUnlessCancelled(t *env.Task, o *outgoing, d time.Duration) {
	for until := h.env.Mono() + d; h.givenUp(o) == ""; {
		left := until - h.env.Mono()
		if left <= 0 {
			return
		}
		t.Wait(&o.arrived, left)
	}
}

// switchOver pauses the guest, transfers the rest and requests the commit. If the guest is not handed
// over, it runs here again.
func (h *Host) switchOver(t *env.Task, g *guest, o *outgoing, request string) (why, detail string) {
	g.paused = true
	h.set(g, o.sid, false, WhySwitching)
	defer func() { g.paused = false }()
	t.Sleep(h.takes(h.opts.SwitchTime))
	// From here on only the target's silence counts: a timeout or cancellation no longer applies.
	o.until, o.cancel = 0, false
	why, detail = h.exchange(t, o, packet{Kind: packetFinal}, packetComplete)
	if why == "" && o.orphan {
		why = failedCancelled
	}
	if why == "" {
		o.asked = true
		h.reply(t, o.by, guestAnswer{ID: request, Stage: stageCommit})
		h.awaitCommit(t, o)
		switch {
		case o.orphan:
			// This host can never know whether the guest was handed over.
			h.env.Probe("resource/orphaned-at-switch-over")
			h.env.Log().Error("the guest is dropped: the process that moved it ended during the switch-over",
				"sid", o.sid)
			return failedLost, "the process that moved it has ended"
		case o.commit.Lost:
			return failedLost, ""
		case !o.commit.Handed:
			why = failedCommit
		}
	}
	if why != "" {
		g.incarnations-- // the same incarnation continues
		h.set(g, o.sid, true, WhyResumed)
		return why, detail
	}
	if lost, what := h.exchange(t, o, packet{Kind: packetResume}, packetRuns); lost != "" {
		// The guest was handed over all the same: the new node's LRM will start it.
		h.env.Probe("resource/not-resumed")
		h.env.Log().Warn("the target does not continue the guest and must start it again",
			"sid", o.sid, "reason", what)
	}
	return "", ""
}

// awaitCommit waits for the decision of the process that requested the migration. Meanwhile it keeps the
// target's copy alive.
func (h *Host) awaitCommit(t *env.Task, o *outgoing) {
	for o.commit == nil && !o.orphan {
		if !t.Wait(&o.arrived, holdEach) {
			h.send(o.to, packet{Kind: packetHold, ID: o.id, SID: o.sid})
		}
	}
}

// exchange repeats a packet until it gets the wanted answer.
func (h *Host) exchange(t *env.Task, o *outgoing, p packet, want string) (why, detail string) {
	p.ID, p.SID = o.id, o.sid
	o.heard = packet{}
	started := h.env.Mono()
	for {
		h.send(o.to, p)
		for until := h.env.Mono() + repeatEvery; ; {
			switch {
			case o.heard.Kind == want && o.heard.Piece == p.Piece:
				return "", ""
			case o.heard.Kind == packetGone:
				return failedTarget, "the target says: " + o.heard.Why
			}
			if why := h.givenUp(o); why != "" && p.Kind != packetResume && p.Kind != packetFinal {
				return why, ""
			}
			left := until - h.env.Mono()
			if left <= 0 {
				break
			}
			t.Wait(&o.arrived, left)
		}
		if h.env.Mono()-started >= targetTime {
			return failedTarget, fmt.Sprintf("the target did not answer %s within %v", p.Kind, targetTime)
		}
	}
}

func (h *Host) send(to env.MachineID, p packet) { h.env.Send(to, 0, env.EncodeJSON(p)) }

// onDecision takes the decision of the process that requested a migration.
func (h *Host) onDecision(r *guestRequest) {
	o := h.leaving[r.ID]
	switch {
	case o == nil:
		return // the migration has ended
	case r.Op == opCancel:
		o.cancel = true
	case o.asked:
		o.commit = r
	}
	o.arrived.Raise()
}

// onRequesterEnded gives up the migrations that an ended process had requested.
func (h *Host) onRequesterEnded(process string) {
	for _, id := range sorted(h.leaving) {
		if o := h.leaving[id]; o != nil && o.by == process {
			o.orphan = true
			o.arrived.Raise()
		}
	}
}
