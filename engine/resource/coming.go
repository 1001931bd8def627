package resource

import (
	"maps"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// incomingGuest is a copy of another machine's guest. It does not run.
type incomingGuest struct {
	migrationID    string
	sourceMachine  env.MachineID
	conf           Conf
	piecesReceived int
	pieceCount     int
	isComplete     bool
	lastHeard      time.Duration // when the source was last heard
}

// onMessage handles a packet of another machine's host.
func (h *Host) onMessage(ev env.Received) {
	p, err := decodePacket(ev.Payload)
	if err != nil {
		h.env.Log().Error("a packet that cannot be read", "machine", int(ev.From), "err", err.Error())
		return
	}
	switch p.Kind {
	case packetReady, packetHave, packetComplete, packetRuns, packetGone:
		for _, id := range sortedKeys(h.outgoing) {
			if o := h.outgoing[id]; o != nil && o.requestID == p.ID && o.target == ev.From {
				o.lastPacket = p
				o.messageArrived.Raise()
			}
		}
	case packetPrepare:
		h.onPrepare(ev.From, &p)
	case packetResume:
		h.onResume(ev.From, &p)
	case packetPiece, packetFinal, packetHold, packetAbort:
		h.addToCopy(ev.From, &p)
	}
}

// onPrepare accepts a guest for which there is room.
func (h *Host) onPrepare(from env.MachineID, p *packet) {
	g := h.guests[p.SID]
	switch {
	case g != nil && (g.running || g.inOperation):
		h.reportGone(from, p, "it runs here")
		return
	case h.incoming[p.SID] == nil && len(h.incoming) >= maxGuests:
		h.reportGone(from, p, "there is no place")
		return
	case h.arrivedBy[p.SID] == p.ID:
		return // an old packet: it is here, or has been
	}
	if c := h.incoming[p.SID]; c == nil || c.migrationID != p.ID {
		h.incoming[p.SID] = &incomingGuest{migrationID: p.ID, sourceMachine: from, conf: *p.Conf,
			pieceCount: p.Pieces}
	}
	h.incoming[p.SID].lastHeard = h.env.Mono()
	h.sendPacket(from, packet{Kind: packetReady, ID: p.ID, SID: p.SID})
}

// findCopy returns the copy to which a packet belongs. A copy of which nothing was heard for copyTTL is
// dropped, because its source may have continued without it.
func (h *Host) findCopy(from env.MachineID, p *packet) *incomingGuest {
	c := h.incoming[p.SID]
	if c == nil || c.migrationID != p.ID || c.sourceMachine != from {
		return nil
	}
	if h.env.Mono()-c.lastHeard > copyTTL {
		h.env.Probe("resource/copy-expired")
		delete(h.incoming, p.SID)
		return nil
	}
	c.lastHeard = h.env.Mono()
	return c
}

// addToCopy extends a copy, keeps it or drops it.
func (h *Host) addToCopy(from env.MachineID, p *packet) {
	c := h.findCopy(from, p)
	switch {
	case p.Kind == packetAbort:
		if c != nil {
			delete(h.incoming, p.SID)
		}
	case c == nil, p.Kind == packetPiece && p.Piece > c.piecesReceived+1,
		p.Kind == packetFinal && c.piecesReceived != c.pieceCount:
		h.reportGone(from, p, "there is no such copy")
	case p.Kind == packetPiece:
		c.piecesReceived = max(c.piecesReceived, p.Piece)
		h.sendPacket(from, packet{Kind: packetHave, ID: p.ID, SID: p.SID, Piece: p.Piece, Pieces: p.Pieces})
	case p.Kind == packetFinal:
		c.isComplete = true
		h.sendPacket(from, packet{Kind: packetComplete, ID: p.ID, SID: p.SID})
	}
}

// onResume starts a copy: the source reports that the guest was handed over.
func (h *Host) onResume(from env.MachineID, p *packet) {
	if h.arrivedBy[p.SID] == p.ID {
		h.sendPacket(from, packet{Kind: packetRuns, ID: p.ID, SID: p.SID}) // the answer was lost
		return
	}
	c := h.findCopy(from, p)
	g, err := h.findGuest(p.SID)
	if c == nil || !c.isComplete || err != nil || g.running || g.inOperation {
		h.reportGone(from, p, "there is no such copy")
		return
	}
	delete(h.incoming, p.SID)
	h.arrivedBy[p.SID] = p.ID
	g.conf = c.conf
	h.setRunning(g, p.SID, true, CauseMigrated)
	h.sendPacket(from, packet{Kind: packetRuns, ID: p.ID, SID: p.SID})
}

func (h *Host) reportGone(to env.MachineID, p *packet, why string) {
	if p.Kind != packetHold {
		h.sendPacket(to, packet{Kind: packetGone, ID: p.ID, SID: p.SID, Why: why})
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
