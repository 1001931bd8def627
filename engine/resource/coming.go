package resource

import (
	"maps"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// incoming is a copy of another machine's guest. It does not run.
type incoming struct {
	id       string
	from     env.MachineID
	conf     Conf
	have     int
	pieces   int
	complete bool
	heard    time.Duration // when the source was last heard
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
		for _, id := range sorted(h.leaving) {
			if o := h.leaving[id]; o != nil && o.id == p.ID && o.to == ev.From {
				o.heard = p
				o.arrived.Raise()
			}
		}
	case packetPrepare:
		h.prepare(ev.From, &p)
	case packetResume:
		h.resume(ev.From, &p)
	case packetPiece, packetFinal, packetHold, packetAbort:
		h.addToCopy(ev.From, &p)
	}
}

// prepare accepts a guest for which there is room.
func (h *Host) prepare(from env.MachineID, p *packet) {
	g := h.guests[p.SID]
	switch {
	case g != nil && (g.running || g.busy):
		h.gone(from, p, "it runs here")
		return
	case h.coming[p.SID] == nil && len(h.coming) >= maxGuests:
		h.gone(from, p, "there is no place")
		return
	case h.arrived[p.SID] == p.ID:
		return // an old packet: it is here, or has been
	}
	if c := h.coming[p.SID]; c == nil || c.id != p.ID {
		h.coming[p.SID] = &incoming{id: p.ID, from: from, conf: *p.Conf, pieces: p.Pieces}
	}
	h.coming[p.SID].heard = h.env.Mono()
	h.send(from, packet{Kind: packetReady, ID: p.ID, SID: p.SID})
}

// copyOf returns the copy to which a packet belongs. A copy of which nothing was heard for copyTTL is
// dropped, because its source may have continued without it.
func (h *Host) copyOf(from env.MachineID, p *packet) *incoming {
	c := h.coming[p.SID]
	if c == nil || c.id != p.ID || c.from != from {
		return nil
	}
	if h.env.Mono()-c.heard > copyTTL {
		h.env.Probe("resource/copy-expired")
		delete(h.coming, p.SID)
		return nil
	}
	c.heard = h.env.Mono()
	return c
}

// addToCopy extends a copy, keeps it or drops it.
func (h *Host) addToCopy(from env.MachineID, p *packet) {
	c := h.copyOf(from, p)
	switch {
	case p.Kind == packetAbort:
		if c != nil {
			delete(h.coming, p.SID)
		}
	case c == nil, p.Kind == packetPiece && p.Piece > c.have+1,
		p.Kind == packetFinal && c.have != c.pieces:
		h.gone(from, p, "there is no such copy")
	case p.Kind == packetPiece:
		c.have = max(c.have, p.Piece)
		h.send(from, packet{Kind: packetHave, ID: p.ID, SID: p.SID, Piece: p.Piece, Pieces: p.Pieces})
	case p.Kind == packetFinal:
		c.complete = true
		h.send(from, packet{Kind: packetComplete, ID: p.ID, SID: p.SID})
	}
}

// resume starts a copy: the source reports that the guest was handed over.
func (h *Host) resume(from env.MachineID, p *packet) {
	if h.arrived[p.SID] == p.ID {
		h.send(from, packet{Kind: packetRuns, ID: p.ID, SID: p.SID}) // the answer was lost
		return
	}
	c := h.copyOf(from, p)
	g, err := h.guest(p.SID)
	if c == nil || !c.complete || err != nil || g.running || g.busy {
		h.gone(from, p, "there is no such copy")
		return
	}
	delete(h.coming, p.SID)
	h.arrived[p.SID] = p.ID
	g.conf = c.conf
	h.set(g, p.SID, true, WhyMigrated)
	h.send(from, packet{Kind: packetRuns, ID: p.ID, SID: p.SID})
}

func (h *Host) gone(to env.MachineID, p *packet, why string) {
	if p.Kind != packetHold {
		h.send(to, packet{Kind: packetGone, ID: p.ID, SID: p.SID, Why: why})
	}
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
