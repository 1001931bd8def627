package reach

import "github.com/holdfast-sim/holdfast/engine/ring"

// Host is what a Monitor uses of its node. A message is valid until the method returns.
type Host interface {
	Send(to ring.NodeID, message []byte)
	LinkChanged(to ring.NodeID, isUp bool)
}

// outbox sends a node's messages.
type outbox struct {
	host   Host
	self   int
	table  *Table
	buffer []byte // the message being sent
}

// sendAll sends what is in buffer to all other nodes.
func (o *outbox) sendAll() {
	for i, id := range o.table.nodes {
		if i != o.self {
			o.host.Send(id, o.buffer)
		}
	}
}

// sendRows sends the rows of some nodes to another node.
func (o *outbox) sendRows(to int, of Set) {
	o.buffer = o.table.AppendRows(append(o.buffer[:0], KindRows), of)
	o.host.Send(o.table.nodes[to], o.buffer)
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
