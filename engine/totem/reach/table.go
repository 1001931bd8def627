package reach

import (
	"encoding/binary"
	"hash/fnv"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

// Table holds the newest row of each node.
type Table struct {
	nodes []ring.NodeID // ascending
	hash  uint64        // of nodes
	rows  []Row         // by node; a version of zero stands for none

	decoded []NumberedRow // reused by DecodeRows
}

// NewTable returns a table without rows for a list of nodes, ascending.
func NewTable(nodes []ring.NodeID) *Table {
	return &Table{nodes: nodes, hash: nodesHash(nodes), rows: make([]Row, len(nodes))}
}

// Row returns the newest row of a node; its version is zero if there is none.
func (t *Table) Row(i int) *Row { return &t.rows[i] }

// Merge takes a node's row if it is newer than the one in the table, and reports whether it is.
func (t *Table) Merge(i int, r Row) bool {
	if !t.rows[i].Version.Before(r.Version) {
		return false
	}
	t.rows[i] = r
	return true
}

// Digest returns a number that is the same on nodes that have the same rows.
func (t *Table) Digest() uint64 {
	h := fnv.New64a()
	b := make([]byte, 8, 8+16*len(t.rows))
	binary.LittleEndian.PutUint64(b, t.hash)
	for i := range t.rows {
		v := t.rows[i].Version
		b = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(b, v.Boot), v.Number)
	}
	h.Write(b)
	return h.Sum64()
}

// AppendRows appends the rows of some nodes as a message: the hash of the list of nodes, and the rows.
func (t *Table) AppendRows(b []byte, of Set) []byte {
	b = binary.LittleEndian.AppendUint64(b, t.hash)
	for i := of.Next(0); i >= 0; i = of.Next(i + 1) {
		if t.rows[i].Version.Boot != 0 {
			b = t.rows[i].append(b, i, len(t.nodes))
		}
	}
	return b
}

// NumberedRow is a row with the place of its node.
type NumberedRow struct {
	Node int
	Row
}

// DecodeRows reads a message of AppendRows. The rows are valid until the next call. It fails with
// ErrMalformed, and with ErrOtherNodes when the sender has another list of nodes.
func (t *Table) DecodeRows(b []byte) ([]NumberedRow, error) {
	if len(b) < 8 {
		return nil, ErrMalformed
	}
	if binary.LittleEndian.Uint64(b) != t.hash {
		return nil, ErrOtherNodes
	}
	b = b[8:]
	rows := t.decoded[:0]
	for len(b) > 0 {
		r, i, rest, err := decodeRow(b, len(t.nodes))
		if err != nil || len(rows) > 0 && rows[len(rows)-1].Node >= i {
			return nil, ErrMalformed
		}
		b = rest
		rows = append(rows, NumberedRow{Node: i, Row: r})
	}
	t.decoded = rows
	return rows, nil
}

// Decision is what follows from the rows for one node.
type Decision struct {
	// Members are the nodes with which this node has to be in a ring, itself included.
	Members Set
	// First is the heaviest clique of the component. If the node is not in it, the node is excluded: others
	// with more votes are connected to it, and not all of them hear it.
	First Set
}

// Decide returns the decision of a node. All nodes of a component that have the same rows get the same
// cliques.
//
// Worked example. 1-2 and 2-3 are linked, 1-3 is cut; each node has one vote, and the last quorate ring was
// that of all three:
//
//	component of 1   {1,2,3}
//	cliques          {1,2} and {2,3}, with the same weight; they differ in 1 and 3, so {1,2} is first
//	what is left     {3}: 3 is excluded, and in a ring of its own
//
// Later 3 restarts and 2 hears it again. The component's rows are those of before, and so is the decision: 1
// and 2 stay as they are.
func (t *Table) Decide(self int) Decision {
	g, component := t.graph(self)
	d := Decision{First: g.heaviest(component)}
	d.Members = d.First
	for !d.Members.Has(self) {
		component = component.Without(&d.Members)
		d.Members = g.heaviest(component)
	}
	return d
}

// graph returns the links that both ends report, with the nodes' weights, and the nodes that a node is
// connected to, itself included.
//
// The weights are such that more votes win, then more votes of the newest quorate ring, then more nodes.
func (t *Table) graph(self int) (*graph, Set) {
	g := &graph{neighbours: make([]Set, len(t.rows)), weights: make([]uint64, len(t.rows))}
	var component Set
	component.Add(self)
	newest := &Primary{}
	for queue := []int{self}; len(queue) > 0; queue = queue[1:] {
		i := queue[0]
		links := t.rows[i].Links
		for j := links.Next(0); j >= 0; j = links.Next(j + 1) {
			if !t.rows[j].Links.Has(i) {
				continue
			}
			g.neighbours[i].Add(j)
			if !component.Has(j) {
				component.Add(j)
				queue = append(queue, j)
			}
		}
		if p := &t.rows[i].Primary; p.after(newest) {
			newest = p
		}
	}
	// The votes of all nodes are less than 1<<25, and there are less than 1<<9 nodes.
	for i := component.Next(0); i >= 0; i = component.Next(i + 1) {
		votes := uint64(t.rows[i].Votes)
		g.weights[i] = votes<<34 + 1
		if newest.Members.Has(i) {
			g.weights[i] += votes << 9
		}
	}
	return g, component
}

func (t *Table) ids(s Set) []ring.NodeID {
	out := make([]ring.NodeID, 0, s.Len())
	for i := s.Next(0); i >= 0; i = s.Next(i + 1) {
		out = append(out, t.nodes[i])
	}
	return out
}
