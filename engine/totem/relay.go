package totem

import (
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/totem/reach"
	"github.com/holdfast-sim/holdfast/engine/totem/wire"
)

const (
	// relayBytesPerSecond and relayBurstBytes bound what a node relays for others, so that a pair that cannot
	// reach each other does not take the whole network of a third machine. It is more than a ring orders, as
	// less would make the ring lose its token.
	relayBytesPerSecond = 64 << 20
	relayBurstBytes     = 8 << 20
)

// errRelayedTwice is returned for a frame that was relayed and is for another node: a route has one relay at
// most, otherwise frames could go in circles.
var errRelayedTwice = fmt.Errorf("%w: it has been relayed before", errRefused)

// errWrongSender is returned for a relayed frame that another node has sealed than the one it names.
var errWrongSender = fmt.Errorf("%w: its sender is another node than its header names", errRefused)

// RelayStats counts what a node has relayed for others.
type RelayStats struct {
	Frames, Bytes uint64
	// Dropped are frames above the limit of bytes for each second.
	Dropped uint64
}

// byteBudget limits bytes over time.
type byteBudget struct {
	left int
	at   time.Duration // when left was computed
}

// take reports whether so many bytes are within the limit, and counts them.
func (b *byteBudget) take(now time.Duration, size int) bool {
	gained := int64(min(now-b.at, time.Second)) * relayBytesPerSecond / int64(time.Second)
	b.at, b.left = now, min(b.left+int(gained), relayBurstBytes)
	if size > b.left {
		return false
	}
	b.left -= size
	return true
}

// relaying is what a node keeps as a relay of others.
type relaying struct {
	relayBuffer []byte // scratch: a frame for a relay, or from this relay
	relayBudget byteBudget
}

// onFrame takes a relayed frame. It passes a frame on to its receiver, and returns the packet in a frame that
// is for this node, with the node that sealed it.
func (n *Node) onFrame(frame []byte) (packet []byte, from ring.NodeID, err error) {
	var h wire.RelayHeader
	if packet, err = h.Decode(frame); err != nil {
		return nil, 0, err
	}
	switch {
	case !contains(n.knownIDs, h.From) || !contains(n.knownIDs, h.To) || h.From == n.cfg.Node:
		return nil, 0, errRefused
	case h.To != n.cfg.Node && h.IsRelayed:
		return nil, 0, errRelayedTwice
	case h.To != n.cfg.Node:
		n.relay(h, packet)
		return nil, 0, nil
	case !h.IsRelayed:
		return nil, 0, errRefused // a sender that reaches this node needs no relay
	}
	return packet, h.From, nil
}

// relay sends a frame of another node directly to its receiver.
func (n *Node) relay(h wire.RelayHeader, packet []byte) {
	if !n.relayBudget.take(n.env.Mono(), wire.RelayHeaderBytes+len(packet)) {
		n.env.Probe("totem/relay-limit")
		n.stats.Relay.Dropped++
		return
	}
	n.stats.Relay.Frames++
	n.stats.Relay.Bytes += uint64(wire.RelayHeaderBytes + len(packet))
	h.IsRelayed = true
	n.relayBuffer = append(h.Append(n.relayBuffer[:0]), packet...)
	n.env.Send(n.machineOf(h.To), n.cfg.Link, n.relayBuffer)
}

// post sends a sealed packet, directly if via is 0 and otherwise over that node.
func (n *Node) post(to, via ring.NodeID, packet []byte) {
	if via == 0 {
		n.env.Send(n.machineOf(to), n.cfg.Link, packet)
		return
	}
	h := wire.RelayHeader{From: n.cfg.Node, To: to}
	n.relayBuffer = append(h.Append(n.relayBuffer[:0]), packet...)
	n.env.Send(n.machineOf(via), n.cfg.Link, n.relayBuffer)
}

// routeChanged records and logs a change of a route. It is a fault that the operator must see: the ring is
// whole, but it depends on the relay. The token may wait for the other node, so it is repeated.
func (n *Node) routeChanged(to, via ring.NodeID) {
	n.env.Probe("totem/route")
	if !n.cfg.Quiet {
		n.env.Emit(RouteChange{Node: n.cfg.Node, To: to, Via: via})
	}
	log := n.env.Log().With("subsys", "KNET")
	if via == 0 {
		log.Info(fmt.Sprintf("host: %d is reached directly again", to))
	} else {
		log.Warn(fmt.Sprintf("host: %d is reached over host: %d only: repair the link to it", to, via))
	}
	inRing := n.state == Operational || n.state == Commit || n.state == Recovery
	if inRing && to == n.successor && !n.tokenHeld && len(n.tokenToRepeat) > 0 {
		n.sendTo(n.successor, n.tokenToRepeat)
	}
}

// Relayed returns the routes of this node that lead over another node because the direct link does not work.
func (n *Node) Relayed() []reach.Route {
	if n.monitor == nil {
		return nil
	}
	return n.monitor.Relayed()
}

// openFrame opens a datagram, which is a sealed packet or a relayed frame. The message is empty if there is
// nothing more to do.
func (n *Node) openFrame(ev env.Received) (from ring.NodeID, message []byte, err error) {
	packet, sender := ev.Payload, ring.NodeID(0)
	if n.cfg.Relay && wire.IsRelayFrame(packet) {
		if packet, sender, err = n.onFrame(packet); err != nil || packet == nil {
			return 0, nil, err
		}
	}
	from, message, err = n.opener.Open(n.openBuffer[:0], packet)
	n.openBuffer = message[:0]
	switch {
	case err == nil && sender != 0 && sender != from:
		err = errWrongSender
	case err == nil && len(message) == 0:
		err = wire.ErrMalformed
	}
	return from, message, err
}
