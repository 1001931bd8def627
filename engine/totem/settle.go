package totem

import (
	"fmt"
	"slices"

	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/totem/reach"
)

// settling is what a node knows of who can be in a ring with it.
type settling struct {
	monitor   *reach.Monitor
	exclusion reach.Exclusion // as recorded last
}

// reachHost is what the monitor uses of the node.
type reachHost struct{ node *Node }

// Send implements reach.Host.
func (h reachHost) Send(to, via ring.NodeID, message []byte) {
	h.node.post(to, via, h.node.seal(message))
}

// LinkChanged implements reach.Host with the log lines that operators know.
func (h reachHost) LinkChanged(to ring.NodeID, isUp bool) {
	log := h.node.env.Log().With("subsys", "KNET")
	if isUp {
		log.Info(fmt.Sprintf("host: %d link: 0 is up", to))
		return
	}
	log.Info(fmt.Sprintf("link: host: %d link: 0 is down", to))
}

// Reached implements reach.Host. That a node is reached again shows in the lines about its link or its route.
func (h reachHost) Reached(to ring.NodeID, isReached bool) {
	if !isReached {
		h.node.env.Log().With("subsys", "KNET").Warn(fmt.Sprintf("host: host: %d has no active links", to))
	}
}

// RouteChanged implements reach.Host.
func (h reachHost) RouteChanged(to, via ring.NodeID) { h.node.routeChanged(to, via) }

// startReach begins to probe the links.
func (n *Node) startReach() {
	n.monitor = reach.NewMonitor(reach.Config{Node: n.cfg.Node, Nodes: n.knownIDs, Votes: n.cfg.Votes,
		Timing: reach.NewTiming(n.cfg.Timers.Token), Relay: n.cfg.Relay, Host: reachHost{n}})
	n.agreedAt = slices.Grow(n.agreedAt[:0], len(n.peers))[:len(n.peers)]
	now := n.env.Mono()
	n.follow(n.monitor.Start(now, n.sealer.Boot().Count))
	n.follow(n.monitor.Advance(now))
}

// follow takes over the monitor's decision if it has changed. A ring is only left when the decision has
// settled; a gathering goes for the new members at once.
func (n *Node) follow(changed bool) {
	n.setTimer(timerReach, n.monitor.NextAt()-n.env.Mono())
	if !changed {
		return
	}
	target := n.monitor.Members()
	isOther := !slices.Equal(target, n.target)
	if isOther || n.isSettled {
		n.setTimer(timerSettle, reach.Settle)
	}
	if !isOther {
		return
	}
	n.isSettled = n.isSettled && !n.inHandler && n.haveLeft(target)
	n.target = target
	if n.isSettled {
		n.stopTimer(timerSettle)
	}
	switch {
	case n.state == Gather:
		n.propose()
	case n.isSettled:
		n.onSettled()
	}
}

// haveLeft reports whether a new target is the old one without nodes that left in order. That is certain, and
// there is nothing to wait for.
func (n *Node) haveLeft(target []ring.NodeID) bool {
	stay := slices.DeleteFunc(slices.Clone(n.target), n.monitor.HasLeft)
	return slices.Equal(stay, target)
}

// onSettled acts on a decision that has stood for reach.Settle.
func (n *Node) onSettled() {
	n.isSettled = true
	switch n.state {
	case Gather:
		n.checkConsensus()
	case Operational:
		if !slices.Equal(n.target, n.members) {
			n.gather(reasonReachability)
		}
	case Commit, Recovery:
		if !slices.Equal(n.target, n.newMembers) {
			n.gather(reasonReachability)
		}
	}
}

// noteExclusion records and logs that this node is excluded from the ring that has the most votes, or is no
// longer.
func (n *Node) noteExclusion() {
	if n.state != Operational {
		return
	}
	now, isCertain := n.monitor.Excluded(n.env.Mono())
	was := &n.exclusion
	if !isCertain || slices.Equal(now.First, was.First) && slices.Equal(now.Missing, was.Missing) {
		return
	}
	*was = now
	if !n.cfg.Quiet {
		n.env.Emit(Excluded{Node: n.cfg.Node, Ring: n.Ring(), From: now.First, Missing: now.Missing})
	}
	if len(now.First) == 0 {
		n.log.Info("This node is no longer excluded from the ring of the others")
		return
	}
	n.env.Probe("totem/excluded")
	n.log.Warn(fmt.Sprintf("This node is excluded from the ring of%s: no link that works both ways with%s",
		nodeList(now.First), nodeList(now.Missing)))
}

// Exclusion returns why this node is not in the ring with the most votes of the nodes to which it is
// connected. It is the zero value for a node that is.
func (n *Node) Exclusion() reach.Exclusion { return n.exclusion }

// MarkQuorum notes whether the present ring is quorate. When links are cut later, the members of the last
// quorate ring are preferred to others with as many votes; in a ring that is not quorate, links that failed
// often are used again as soon as they work. It does nothing while a ring is being formed.
func (n *Node) MarkQuorum(isQuorate bool) {
	if n.state == Operational {
		n.follow(n.monitor.MarkQuorum(n.env.Mono(), n.Ring(), n.members, isQuorate))
	}
}
