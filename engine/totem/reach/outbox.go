package reach

import "github.com/holdfast-sim/holdfast/engine/ring"

// Host is what a Monitor uses of its node. A message is valid until the method returns.
type Host interface {
	// Send sends a message to a node, directly if via is 0 and otherwise over that node.
	Send(to, via ring.NodeID, message []byte)
	// LinkChanged reports that the link between this node and another one is up, or no longer.
	LinkChanged(to ring.NodeID, isUp bool)
	// Reached reports that another node is reached, over whatever route, or no longer.
	Reached(to ring.NodeID, isReached bool)
	// RouteChanged reports that messages to a node go over another node from now on, or directly (via is 0).
	RouteChanged(to, via ring.NodeID)
}

// outbox sends a node's messages, by the routes that the prober has found.
type outbox struct {
	host   Host
	routes *prober
	buffer []byte // the message being sent
}

// sendAll sends what is in buffer to all other nodes.
func (o *outbox) sendAll() {
	for i := range o.routes.table.nodes {
		if i != o.routes.self {
			o.send(i)
		}
	}
}

// send sends what is in buffer to a node.
func (o *outbox) send(to int) { o.host.Send(o.routes.table.nodes[to], o.routes.Via(to), o.buffer) }

// sendRows sends the rows of some nodes to another node.
func (o *outbox) sendRows(to int, of Set) {
	o.buffer = o.routes.table.AppendRows(append(o.buffer[:0], KindRows), of)
	o.send(to)
}

// passOn sends rows to those of some nodes that their origins do not reach, which is those outside of the
// rows' links. from is where the rows came from.
func (o *outbox) passOn(up Set, from int, news []NumberedRow) {
	up.Remove(from)
	for to := up.Next(0); to >= 0; to = up.Next(to + 1) {
		var of Set
		for i := range news {
			if to != news[i].Node && !news[i].Links.Has(to) {
				of.Add(news[i].Node)
			}
		}
		if !of.IsEmpty() {
			o.sendRows(to, of)
		}
	}
}
