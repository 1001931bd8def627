package resource

import (
	"fmt"
	"strconv"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// Times of a migration between hosts.
const (
	// repeatEvery separates attempts to get a packet answered; the target is taken for lost when
	// none was for targetTime.
	repeatEvery = 500 * time.Millisecond
	targetTime  = 10 * time.Second
	// copyLife is how long a target keeps a copy after it last heard of the source. It ends every
	// claim on it, so it is longer than all that a source waits between two packets.
	copyLife = 30 * time.Second
	holdEach = 5 * time.Second
	// pieceTime is how long a piece takes at most, so that a cancellation is heard soon; there are
	// at least leastPieces.
	pieceTime   = time.Second
	leastPieces = 20
	// aborts is how often the target hears that it is over.
	aborts = 3
)

// outgoing is a migration away from here.
type outgoing struct {
	id     string
	by     string // the process that asked for it
	sid    string
	to     env.MachineID
	until  time.Duration // 0: no time-out
	word   env.Signal    // something was heard
	heard  packet        // from the target
	cancel bool
	orphan bool // the process that asked for it has ended
	asked  bool // for the commit
	commit *guestRequest
}

// migrate brings a guest to another machine. It answers what has become of it.
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

// givenUp says why a migration is to be given up before its switch-over.
func (h *Host) givenUp(o *outgoing) string {
	switch {
	case o.cancel || o.orphan:
		return failedCancelled
	case o.until > 0 && h.env.Mono() >= o.until:
		return failedTimeout
	}
	return ""
}

// transfer brings the memory over while the guest runs.
func (h *Host) transfer(t *env.Task, g *guest, o *outgoing, request string) (why, detail string) {
	pieces, each := h.pieces(g.conf.MemoryBytes)
	conf := g.conf
	why, detail = h.exchange(t, o, packet{Kind: packetPrepare, Pieces: pieces, Conf: &conf}, packetReady)
	told := 0
	for piece := 1; why == "" && piece <= pieces; piece++ {
		h.rest(t, o, each)
		if why = h.givenUp(o); why != "" {
			break
		}
		why, detail = h.exchange(t, o, packet{Kind: packetPiece, Piece: piece, Pieces: pieces}, packetHave)
		if percent := piece * 100 / pieces; why == "" && percent/10 > told/10 {
			told = percent
			h.tell(t, o.by, guestAnswer{ID: request, Stage: stageProgress, Percent: percent})
		}
	}
	if why == "" {
		why = h.givenUp(o)
	}
	return why, detail
}

// pieces says in how many pieces memory goes over and how long each takes.
func (h *Host) pieces(memoryBytes int64) (count int, each time.Duration) {
	total := time.Duration(0)
	if speed := h.opts.BytesPerSecond; speed > 0 {
		// In milliseconds: a mebibyte times a second in nanoseconds would not fit for long.
		total = h.takes(time.Duration(memoryBytes/(speed/1000+1)) * time.Millisecond)
	}
	count = min(max(int(total/pieceTime)+1, leastPieces), maxPieces)
	return count, total / time.Duration(count)
}

// rest waits for a time, less when the migration is given up.
func (h *Host) rest(t *env.Task, o *outgoing, d time.Duration) {
	for until := h.env.Mono() + d; h.givenUp(o) == ""; {
		left := until - h.env.Mono()
		if left <= 0 {
			return
		}
		t.Wait(&o.word, left)
	}
}

// switchOver lets the guest stand still, brings the rest over and asks for the guest to change
// hands. It runs here again unless it has.
func (h *Host) switchOver(t *env.Task, g *guest, o *outgoing, request string) (why, detail string) {
	g.still = true
	h.set(g, o.sid, false, WhySwitching)
	defer func() { g.still = false }()
	t.Sleep(h.takes(h.opts.SwitchTime))
	// Only the target's silence counts from here on: what has come so far is soon over.
	o.until, o.cancel = 0, false
	why, detail = h.exchange(t, o, packet{Kind: packetFinal}, packetComplete)
	if why == "" && o.orphan {
		why = failedCancelled
	}
	if why == "" {
		o.asked = true
		h.tell(t, o.by, guestAnswer{ID: request, Stage: stageCommit})
		h.awaitCommit(t, o)
		switch {
		case o.orphan:
			// Whether it has changed hands nobody here will ever know.
			h.env.Probe("resource/orphaned-at-switch-over")
			h.env.Log().Error("the guest is thrown away: who moved it has ended in the middle of it", "sid", o.sid)
			return failedLost, "the process that moved it has ended"
		case o.commit.Lost:
			return failedLost, ""
		case !o.commit.Handed:
			why = failedCommit
		}
	}
	if why != "" {
		g.lives-- // the same life goes on
		h.set(g, o.sid, true, WhyResumed)
		return why, detail
	}
	if lost, what := h.exchange(t, o, packet{Kind: packetResume}, packetRuns); lost != "" {
		// It has changed hands all the same: whoever looks after it there will start it.
		h.env.Probe("resource/not-resumed")
		h.env.Log().Warn("the target does not go on with the guest and must start it anew", "sid", o.sid, "reason", what)
	}
	return "", ""
}

// awaitCommit waits for the word of the one who asked for the migration, and keeps the target's
// copy meanwhile.
func (h *Host) awaitCommit(t *env.Task, o *outgoing) {
	for o.commit == nil && !o.orphan {
		if !t.Wait(&o.word, holdEach) {
			h.send(o.to, packet{Kind: packetHold, ID: o.id, SID: o.sid})
		}
	}
}

// exchange repeats a packet until it is answered as wanted.
func (h *Host) exchange(t *env.Task, o *outgoing, p packet, want string) (why, detail string) {
	p.ID, p.SID = o.id, o.sid
	o.heard = packet{}
	begun := h.env.Mono()
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
			t.Wait(&o.word, left)
		}
		if h.env.Mono()-begun >= targetTime {
			return failedTarget, fmt.Sprintf("the target did not answer %s within %v", p.Kind, targetTime)
		}
	}
}

func (h *Host) send(to env.MachineID, p packet) { h.env.Send(to, 0, encodeMessage(p)) }

// decided takes the word of the one who asked for a migration.
func (h *Host) decided(r *guestRequest) {
	o := h.leaving[r.ID]
	switch {
	case o == nil:
		return // it is over
	case r.Op == opCancel:
		o.cancel = true
	case o.asked:
		o.commit = r
	}
	o.word.Raise()
}

// abandoned gives up what a process has asked for that has ended.
func (h *Host) abandoned(process string) {
	for _, id := range sorted(h.leaving) {
		if o := h.leaving[id]; o != nil && o.by == process {
			o.orphan = true
			o.word.Raise()
		}
	}
}
