package totem

import (
	"errors"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/totem/reach"
	"github.com/holdfast-sim/holdfast/engine/totem/wire"
	seal "github.com/holdfast-sim/holdfast/engine/wire"
)

const (
	// refusalLogEvery is the least time between two log lines about refused packets.
	refusalLogEvery = 10 * time.Second
	// hintEvery is the least time between two boot hints that a node sends.
	hintEvery = 50 * time.Millisecond
)

// transport is how a node reaches the others.
type transport struct {
	sealer    *seal.Sealer
	opener    *seal.Opener
	peers     []Peer        // every configured node, ascending by id
	knownIDs  []ring.NodeID // their ids, ascending
	successor ring.NodeID   // to which this node forwards the token

	openBuffer, composeBuffer, sealBuffer []byte // scratch: opened, composed and sealed messages

	refusedFrom     []RefusedFrom // by the index of peers
	refusalLoggedAt time.Duration // 0: never
	hintSentAt      time.Duration // 0: never
}

// errRefused is returned for a well-formed message whose content no correct member can have sent.
var errRefused = errors.New("ring message refused")

// peerIndex returns the index of a configured node in peers.
func (n *Node) peerIndex(id ring.NodeID) int {
	i, ok := slices.BinarySearch(n.knownIDs, id)
	if !ok {
		panic("totem: asking for a node that is not configured")
	}
	return i
}

func (n *Node) machineOf(id ring.NodeID) env.MachineID { return n.peers[n.peerIndex(id)].Machine }

func (n *Node) seal(message []byte) []byte {
	n.sealBuffer = n.sealer.Seal(n.sealBuffer[:0], message)
	return n.sealBuffer
}

func (n *Node) sendTo(to ring.NodeID, message []byte) {
	if n.loses(message[0]) {
		return
	}
	n.post(to, n.monitor.Via(n.peerIndex(to)), n.seal(message))
}

// sendToSet sends to the nodes of a set, without this one.
func (n *Node) sendToSet(set []ring.NodeID, message []byte) {
	sealed := n.seal(message)
	for _, id := range set {
		if id != n.cfg.Node && !n.loses(message[0]) {
			n.post(id, n.monitor.Via(n.peerIndex(id)), sealed)
		}
	}
}

// lossSites are where a message of a kind is lost on its way to one node, as any message may be.
var lossSites = map[byte]string{wire.TypeToken: "totem/lost-token", wire.TypeMcast: "totem/lost-packet",
	wire.TypeJoin: "totem/lost-join", wire.TypeCommit: "totem/lost-commit-token"}

func (n *Node) loses(kind byte) bool {
	site, has := lossSites[kind]
	return has && env.Buggify(n.env, site)
}

func (n *Node) onDatagram(ev env.Received) {
	from, message, err := n.openFrame(ev)
	if errors.Is(err, seal.ErrStaleBoot) {
		n.sendBootHint(from)
	}
	if isUnopened(err) {
		n.countRefusal(ev.From, err)
		return
	}
	if err == nil && len(message) > 0 {
		err = n.handleMessage(from, message[0], message[1:])
	}
	if err != nil {
		n.stats.Malformed++
		n.countRefusal(ev.From, err)
	}
}

// isUnopened reports whether an error means that a packet is not a new one of this cluster's nodes.
func isUnopened(err error) bool {
	return errors.Is(err, seal.ErrForeign) || errors.Is(err, seal.ErrReplayed) ||
		errors.Is(err, seal.ErrStaleBoot)
}

func (n *Node) handleMessage(from ring.NodeID, kind byte, body []byte) error {
	if kind == wire.TypeJoin || kind == wire.TypeMcast {
		if kind == wire.TypeJoin {
			n.checkPause()
		}
		if n.discardQueued {
			return nil
		}
	}
	switch kind {
	case wire.TypeToken:
		if err := n.token.Decode(body); err != nil {
			return err
		}
		return n.onToken()
	case wire.TypeMcast:
		return n.onMcast(body)
	case reach.KindPing, reach.KindPong, reach.KindRows:
		changed, err := n.monitor.Receive(n.env.Mono(), from, kind, body)
		n.follow(changed)
		return err
	case wire.TypeJoin:
		return n.onJoin(from, body)
	case wire.TypeCommit:
		return n.onCommit(body)
	case wire.TypeHoldCancel:
		id, err := wire.DecodeRingMessage(body)
		if err == nil {
			n.onHoldCancel(id)
		}
		return err
	case wire.TypeBootHint:
		return n.onBootHint(body)
	case wire.TypePauseMarker:
		return n.onPauseMarker(from, body)
	default:
		return wire.ErrMalformed
	}
}

// countRefusal counts a packet that changed nothing, and logs one at most once in refusalLogEvery. The
// sender is the node from whose address it came: what the packet says of itself proves nothing.
func (n *Node) countRefusal(machine env.MachineID, err error) {
	from := ring.NodeID(0)
	if i := slices.IndexFunc(n.peers, func(p Peer) bool { return p.Machine == machine }); i >= 0 {
		if n.refusedFrom == nil {
			for _, p := range n.peers {
				n.refusedFrom = append(n.refusedFrom, RefusedFrom{Node: p.ID})
			}
		}
		from = n.peers[i].ID
		count := &n.refusedFrom[i]
		switch {
		case errors.Is(err, seal.ErrForeign):
			count.Foreign++
		case errors.Is(err, seal.ErrReplayed):
			count.Replayed++
		case errors.Is(err, seal.ErrStaleBoot):
			count.StaleBoot++
		default:
			count.Malformed++
		}
	}
	now := n.env.Mono()
	if n.refusalLoggedAt != 0 && now-n.refusalLoggedAt < refusalLogEvery || errors.Is(err, seal.ErrReplayed) {
		return
	}
	n.refusalLoggedAt = now
	n.log.Warn("packet refused", "from", uint32(from), "err", err.Error())
}

// sendBootHint notifies a node, whose genuine packet is of an earlier boot, of the boot that this node has
// accepted. Only a node that lost its disk, and therefore counts boots from one again, makes use of it.
func (n *Node) sendBootHint(to ring.NodeID) {
	now := n.env.Mono()
	if n.hintSentAt != 0 && now-n.hintSentAt < hintEvery {
		return
	}
	n.hintSentAt = now
	boot, ok := n.opener.Newest(to)
	if !ok {
		panic("totem: a stale boot without a newer one")
	}
	h := wire.BootHint{Count: boot.Count, ID: boot.ID}
	n.composeBuffer = h.Append(n.composeBuffer[:0])
	n.sendTo(to, n.composeBuffer)
}

func (n *Node) onBootHint(body []byte) error {
	var h wire.BootHint
	if err := h.Decode(body); err != nil {
		return err
	}
	mine := n.sealer.Boot()
	if h.Count < mine.Count || h.Count == mine.Count && seal.BootID(h.ID) == mine.ID {
		return nil
	}
	if h.Count == 1<<64-1 {
		return wire.ErrMalformed
	}
	n.env.Probe("totem/boot-hint")
	n.log.Warn("others know a later boot of this node, so its disk was replaced: counting on from there",
		"boot", mine.Count, "known", h.Count)
	if err := n.startBoot(h.Count + 1); err != nil {
		return err
	}
	n.follow(n.monitor.Start(n.env.Mono(), n.sealer.Boot().Count))
	return nil
}
