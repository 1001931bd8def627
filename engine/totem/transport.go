package totem

import (
	"errors"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/wire"
)

const (
	// refusalLogEvery is the least time between two log lines on refused packets.
	refusalLogEvery = 10 * time.Second
	// hintEvery is the least time between two boot hints that a node sends.
	hintEvery = 50 * time.Millisecond
)

// errRefused is a message that is well formed and yet impossible for this node to use.
var errRefused = errors.New("ring message refused")

func (n *Node) machine(id ring.NodeID) env.MachineID {
	for i := range n.peers {
		if n.peers[i].ID == id {
			return n.peers[i].Machine
		}
	}
	panic("totem: sending to a node that is not configured")
}

func (n *Node) seal(message []byte) []byte {
	n.sealed = n.sealer.Seal(n.sealed[:0], message)
	return n.sealed
}

func (n *Node) sendTo(m env.MachineID, message []byte) {
	n.env.Send(m, n.cfg.Link, n.seal(message))
}

// sendAll sends to every configured node but this one: nodes outside of the ring learn so that
// there is one.
func (n *Node) sendAll(message []byte) {
	sealed := n.seal(message)
	for i := range n.peers {
		if n.peers[i].ID != n.cfg.Node {
			n.env.Send(n.peers[i].Machine, n.cfg.Link, sealed)
		}
	}
}

// sendOthers sends to every configured node that is not in the ring.
func (n *Node) sendOthers(message []byte) {
	if len(n.members) == len(n.peers) {
		return
	}
	sealed := n.seal(message)
	for i := range n.peers {
		if !has(n.members, n.peers[i].ID) {
			n.env.Send(n.peers[i].Machine, n.cfg.Link, sealed)
		}
	}
}

func (n *Node) receive(ev env.Received) {
	from, message, err := n.opener.Open(n.in[:0], ev.Payload)
	n.in = message[:0]
	if err != nil {
		if errors.Is(err, wire.ErrStaleBoot) {
			n.hint(from)
		}
		n.refused(from, err)
		return
	}
	if len(message) == 0 {
		err = ErrMalformed
	} else {
		err = n.handle(from, message[0], message[1:])
	}
	if err != nil {
		n.stats.Malformed++
		n.refused(from, err)
	}
}

func (n *Node) handle(from ring.NodeID, kind byte, body []byte) error {
	if kind == typeJoin || kind == typeMcast || kind == typeMergeDetect {
		if kind == typeJoin {
			n.checkPause()
		}
		if n.flushing {
			return nil
		}
	}
	switch kind {
	case typeToken:
		if err := n.tok.decode(body); err != nil {
			return err
		}
		return n.onToken()
	case typeMcast:
		return n.onMcast(from, body)
	case typeMergeDetect:
		id, err := decodeRingMessage(body)
		if err == nil {
			n.onForeign(from, id, reasonMergeOperational, reasonMergeGather)
		}
		return err
	case typeJoin:
		return n.onJoin(from, body)
	case typeCommit:
		return n.onCommit(body)
	case typeHoldCancel:
		id, err := decodeRingMessage(body)
		if err == nil {
			n.onHoldCancel(id)
		}
		return err
	case typeBootHint:
		return n.onBootHint(body)
	case typeFlushEnd:
		return n.onFlushEnd(from, body)
	default:
		return ErrMalformed
	}
}

// refused notes a packet that changed nothing; the log hears of it at a limited rate.
func (n *Node) refused(from ring.NodeID, err error) {
	now := n.env.Mono()
	if n.badLogAt != 0 && now-n.badLogAt < refusalLogEvery || errors.Is(err, wire.ErrReplayed) {
		return
	}
	n.badLogAt = now
	n.log.Warn("packet refused", "from", uint32(from), "err", err.Error())
}

// hint tells a node whose genuine packet is of an earlier boot which boot is known here. It is of
// use only to a node that lost its disk and counts boots from one again.
func (n *Node) hint(to ring.NodeID) {
	now := n.env.Mono()
	if n.hintedAt != 0 && now-n.hintedAt < hintEvery {
		return
	}
	n.hintedAt = now
	boot, ok := n.opener.Newest(to)
	if !ok {
		panic("totem: a stale boot without a newer one")
	}
	h := bootHint{count: boot.Count, id: boot.ID}
	n.out = h.append(n.out[:0])
	n.sendTo(n.machine(to), n.out)
}

func (n *Node) onBootHint(body []byte) error {
	var h bootHint
	if err := h.decode(body); err != nil {
		return err
	}
	mine := n.sealer.Boot()
	if h.count < mine.Count || h.count == mine.Count && wire.BootID(h.id) == mine.ID {
		return nil
	}
	if h.count == 1<<64-1 {
		return ErrMalformed
	}
	n.env.Probe("totem/boot-hint")
	n.log.Warn("others know a later boot of this node, so its disk was replaced: counting on from there",
		"boot", mine.Count, "known", h.count)
	return n.newBoot(h.count + 1)
}
