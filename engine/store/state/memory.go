package state

import (
	"cmp"
	"slices"

	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/bin"
)

// Memory is what one store keeps about the others and about itself, beside the replicated state: no other
// store has the same. It is how a disk that was put back to an older state is found: the disk itself cannot
// know, but others remember what it confirmed.
type Memory struct {
	// Peers are by node, ascending.
	Peers []PeerMark
	// Voteless are the nodes whose store has no vote, by node, ascending.
	Voteless []VotelessNode
	// Losses are the latest losses that this store has noticed, oldest first.
	Losses []Loss
}

// PeerMark is the highest place that a store of another node has confirmed.
type PeerMark struct {
	Node        ring.NodeID
	Incarnation Incarnation
	Epoch       ring.ID
	Revision    uint64
}

// VotelessNode is a node that runs a store without a vote.
type VotelessNode struct {
	Node        ring.NodeID
	Incarnation Incarnation
	// SinceMS is when this store first saw that, by its wall clock, in milliseconds since 1970.
	SinceMS int64
}

// Loss is a part of this store's history that a decision dropped although enough disks had confirmed it:
// only disks that were put back to an older state can cause it.
type Loss struct {
	AtMS int64 // this node's wall clock, in milliseconds since 1970
	// From and To are the revisions that were dropped, Confirmed how many of them were confirmed by enough
	// votes, counted from From.
	From, To, Confirmed uint64
	Epoch               ring.ID // the epoch that dropped them
	File                string  // where they are kept on this node's disk; "" if they are not
}

// MaxLosses bounds the losses that a store remembers.
const MaxLosses = 16

// IsAbove reports whether a place is higher than another one: epoch first, then revision.
func (p *PeerMark) IsAbove(epoch ring.ID, revision uint64) bool {
	if c := p.Epoch.Compare(epoch); c != 0 {
		return c > 0
	}
	return p.Revision > revision
}

// NoteConfirmed notes that a store has confirmed a place, and reports whether that is news. A new
// incarnation of a node replaces the mark of the earlier one.
func (m *Memory) NoteConfirmed(p PeerMark) bool {
	i, known := slices.BinarySearchFunc(m.Peers, p.Node,
		func(a PeerMark, node ring.NodeID) int { return cmp.Compare(a.Node, node) })
	switch {
	case !known:
		m.Peers = slices.Insert(m.Peers, i, p)
	case m.Peers[i].Incarnation == p.Incarnation && !p.IsAbove(m.Peers[i].Epoch, m.Peers[i].Revision):
		return false
	default:
		m.Peers[i] = p
	}
	return true
}

// SetVoteless notes which store without a vote a node runs, or with a zero incarnation that it runs none. It
// reports whether that is news.
func (m *Memory) SetVoteless(node ring.NodeID, inc Incarnation, nowMS int64) bool {
	i, known := slices.BinarySearchFunc(m.Voteless, node,
		func(a VotelessNode, node ring.NodeID) int { return cmp.Compare(a.Node, node) })
	switch {
	case inc.IsZero() && !known || known && m.Voteless[i].Incarnation == inc:
		return false
	case inc.IsZero():
		m.Voteless = slices.Delete(m.Voteless, i, i+1)
	case known:
		m.Voteless[i] = VotelessNode{node, inc, nowMS}
	default:
		m.Voteless = slices.Insert(m.Voteless, i, VotelessNode{node, inc, nowMS})
	}
	return true
}

// VotelessSince returns since when a node runs a store without a vote; 0 if it runs none.
func (m *Memory) VotelessSince(node ring.NodeID) int64 {
	for _, v := range m.Voteless {
		if v.Node == node {
			return v.SinceMS
		}
	}
	return 0
}

// AddLoss notes a loss.
func (m *Memory) AddLoss(l Loss) {
	m.Losses = append(m.Losses, l)
	if more := len(m.Losses) - MaxLosses; more > 0 {
		m.Losses = slices.Delete(m.Losses, 0, more)
	}
}

// AppendPeers writes the marks of peers.
func AppendPeers(w *bin.Writer, peers []PeerMark) {
	w.U32(uint32(len(peers)))
	for i := range peers {
		p := &peers[i]
		w.U32(uint32(p.Node))
		w.Raw(p.Incarnation[:])
		appendRing(w, p.Epoch)
		w.U64(p.Revision)
	}
}

const peerBytes = 4 + 16 + 12 + 8

// ReadPeers reads what AppendPeers wrote; it fails the reader unless the nodes ascend.
func ReadPeers(r *bin.Reader) []PeerMark {
	var peers []PeerMark
	for n := r.Count(peerBytes); n > 0; n-- {
		p := PeerMark{Node: ring.NodeID(r.U32())}
		r.Raw(p.Incarnation[:])
		p.Epoch, p.Revision = readRing(r), r.U64()
		k := len(peers)
		if k > 0 && peers[k-1].Node >= p.Node || p.Incarnation.IsZero() || k >= ring.MaxNodes {
			r.Fail()
			return nil
		}
		peers = append(peers, p)
	}
	return peers
}

// Encode writes the memory as it is kept on a disk.
func (m *Memory) Encode() []byte {
	w := &bin.Writer{}
	AppendPeers(w, m.Peers)
	w.U32(uint32(len(m.Voteless)))
	for _, v := range m.Voteless {
		w.U32(uint32(v.Node))
		w.Raw(v.Incarnation[:])
		w.U64(uint64(v.SinceMS))
	}
	w.U32(uint32(len(m.Losses)))
	for i := range m.Losses {
		l := &m.Losses[i]
		w.U64(uint64(l.AtMS))
		w.U64(l.From)
		w.U64(l.To)
		w.U64(l.Confirmed)
		appendRing(w, l.Epoch)
		w.String(l.File)
	}
	return w.B
}

const (
	votelessBytes = 4 + 16 + 8
	leastLoss     = 8 + 8 + 8 + 8 + 12 + 4
	maxFileName   = 256
)

// DecodeMemory reads what Encode wrote. It fails with ErrMalformed.
func DecodeMemory(data []byte) (*Memory, error) {
	r := &bin.Reader{B: data}
	m := &Memory{Peers: ReadPeers(r)}
	for n := r.Count(votelessBytes); n > 0; n-- {
		v := VotelessNode{Node: ring.NodeID(r.U32())}
		r.Raw(v.Incarnation[:])
		v.SinceMS = int64(r.U64())
		if k := len(m.Voteless); k > 0 && m.Voteless[k-1].Node >= v.Node || v.Incarnation.IsZero() {
			r.Fail()
		}
		m.Voteless = append(m.Voteless, v)
	}
	for n := r.Count(leastLoss); n > 0; n-- {
		m.Losses = append(m.Losses, Loss{AtMS: int64(r.U64()), From: r.U64(), To: r.U64(), Confirmed: r.U64(),
			Epoch: readRing(r), File: r.String(maxFileName)})
	}
	if !r.Done() || len(m.Losses) > MaxLosses {
		return nil, ErrMalformed
	}
	return m, nil
}

// Dropped returns the entries of this replica's log that a state which replaces it does not contain: those
// above the last place that both have, as far as both logs reach.
func (r *Replica) Dropped(by *Snapshot) []LogEntry {
	if !by.Full || r.Config == nil || r.Config.Genesis != by.Config.Genesis {
		return nil
	}
	log := r.Log.entries
	if len(by.Log) == 0 {
		return log // the other state is the cluster's first one
	}
	for i := len(log) - 1; i >= 0; i-- {
		e := &log[i]
		if e.Revision < by.Log[0].Revision {
			break // what lies further back is not compared: the other log has forgotten it
		}
		if at := e.Revision - by.Log[0].Revision; at < uint64(len(by.Log)) && by.Log[at].Chain == e.Chain {
			return log[i+1:]
		}
	}
	if by.Log[0].Revision > r.Revision() {
		return nil
	}
	return log[max(0, int(by.Log[0].Revision)-int(log[0].Revision)):]
}

// ConfirmedPrefix returns how many of the first entries were confirmed by enough votes to be acknowledged,
// as far as this store knows: by itself and by the peers that it remembers.
func (r *Replica) ConfirmedPrefix(node ring.NodeID, m *Memory, entries []LogEntry) (n uint64) {
	for i := range entries {
		e := &entries[i]
		votes := r.Config.Votes(node, r.Incarnation)
		for k := range m.Peers {
			if p := &m.Peers[k]; p.Epoch.Compare(e.Epoch) >= 0 && p.Revision >= e.Revision {
				votes += r.Config.Votes(p.Node, p.Incarnation)
			}
		}
		if votes < r.Config.AckVotes() {
			break
		}
		n++
	}
	return n
}
