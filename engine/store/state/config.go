package state

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/bin"
)

// Incarnation is the random identity that a store draws when its disk is created. A node whose
// disk is replaced has another incarnation and with it no memory of what it promised.
type Incarnation [16]byte

// IsZero reports that there is no incarnation.
func (i Incarnation) IsZero() bool { return i == Incarnation{} }

// String is the incarnation in hexadecimal.
func (i Incarnation) String() string { return hex.EncodeToString(i[:]) }

// ParseIncarnation reads what String wrote.
func ParseIncarnation(s string) (Incarnation, error) {
	var i Incarnation
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(i) {
		return i, fmt.Errorf("incarnation %q: want 32 hexadecimal digits", s)
	}
	return Incarnation(b), nil
}

// GenesisID identifies the start of a cluster. States with different genesis ids never mix.
type GenesisID [16]byte

// Member is one node of a configuration.
type Member struct {
	Node        ring.NodeID
	Votes       uint32
	Incarnation Incarnation
}

// Config is the replicated configuration: which stores vote, by incarnation. It is part of the state,
// changed only by ordered writes. Before genesis it is only a proposal: then Genesis and the
// incarnations are zero.
type Config struct {
	Genesis GenesisID
	// Version is the revision that last changed the configuration; 0 since genesis.
	Version uint64
	// LogKeep is the number of latest revisions whose requests are remembered.
	LogKeep uint64
	Members []Member // by node, ascending
}

const (
	// MaxVotes bounds a member's votes, so that sums cannot overflow.
	MaxVotes = 1 << 16
	// DefaultLogKeep is the number of revisions whose requests a store remembers.
	DefaultLogKeep = 16384
	// MaxLogKeep bounds LogKeep.
	MaxLogKeep = 1 << 20
)

// Initialized reports whether the configuration has a genesis, that is, is not only a proposal.
func (c *Config) Initialized() bool { return c.Genesis != GenesisID{} }

// ExpectedVotes is E, the sum of all votes; without a device it is N, the votes of the nodes.
func (c *Config) ExpectedVotes() uint32 {
	var sum uint32
	for _, m := range c.Members {
		sum += m.Votes
	}
	return sum
}

// Quorum is Q, the votes that must have reported before an epoch may be decided.
func (c *Config) Quorum() uint32 { return c.ExpectedVotes()/2 + 1 }

// AckVotes is W, the votes that must have made a write durable before it is acknowledged: the
// least number that meets every quorum, W + Q = E + 1. Where one member alone would have as many, as in a
// cluster of two, its disk would be the only one to have what it confirmed; then it takes as many votes as a
// quorum has, which is two disks at least, unless one disk is a quorum.
func (c *Config) AckVotes() uint32 {
	least := c.leastAckVotes()
	if slices.ContainsFunc(c.Members, func(m Member) bool { return m.Votes >= least }) {
		return c.Quorum()
	}
	return least
}

// leastAckVotes is the least number of votes that meets every quorum.
func (c *Config) leastAckVotes() uint32 {
	return c.ExpectedVotes() - c.Quorum() + 1
}

// MeetsEveryAck reports whether stores with these votes are so many that one of them is among those that
// confirmed any acknowledged write.
func (c *Config) MeetsEveryAck(votes uint32) bool { return votes+c.AckVotes() > c.ExpectedVotes() }

// Member finds a node, nil if it is not in the configuration.
func (c *Config) Member(node ring.NodeID) *Member {
	i, ok := slices.BinarySearchFunc(c.Members, node, func(m Member, n ring.NodeID) int {
		return cmp.Compare(m.Node, n)
	})
	if !ok {
		return nil
	}
	return &c.Members[i]
}

// IsVoter reports whether a store is listed, by its incarnation: a disk that was replaced is another
// store. A listed store may have no votes; it takes part.
func (c *Config) IsVoter(node ring.NodeID, inc Incarnation) bool {
	m := c.Member(node)
	return m != nil && m.Incarnation == inc && !inc.IsZero()
}

// Votes is the number of votes of a store: none for one that is not listed.
func (c *Config) Votes(node ring.NodeID, inc Incarnation) uint32 {
	if !c.IsVoter(node, inc) {
		return 0
	}
	return c.Member(node).Votes
}

// ReplaceMember returns the configuration in which a node has another incarnation.
func (c *Config) ReplaceMember(node ring.NodeID, inc Incarnation, revision uint64) *Config {
	next := *c
	next.Version = revision
	next.Members = slices.Clone(c.Members)
	next.Member(node).Incarnation = inc
	return &next
}

// Initialize returns the first configuration of a new cluster: the proposal with the incarnations of
// all its nodes, in the order of the proposal's members.
func (c *Config) Initialize(epoch ring.ID, incs []Incarnation) *Config {
	born := &Config{LogKeep: c.LogKeep, Members: slices.Clone(c.Members)}
	for i := range born.Members {
		born.Members[i].Incarnation = incs[i]
	}
	var w bin.Writer
	appendRing(&w, epoch)
	born.append(&w)
	sum := sha256.Sum256(w.B)
	copy(born.Genesis[:], sum[:])
	return born
}

// Validate reports whether a configuration makes sense.
func (c *Config) Validate() error {
	if len(c.Members) == 0 || len(c.Members) > ring.MaxNodes {
		return fmt.Errorf("configuration has %d members: want 1 to %d", len(c.Members), ring.MaxNodes)
	}
	for i, m := range c.Members {
		if m.Node == 0 || i > 0 && c.Members[i-1].Node >= m.Node {
			return fmt.Errorf("configuration member %d: node ids must be positive and ascending", m.Node)
		}
		if m.Votes > MaxVotes {
			return fmt.Errorf("configuration member %d: %d votes is more than %d", m.Node, m.Votes, MaxVotes)
		}
	}
	if c.ExpectedVotes() == 0 {
		return fmt.Errorf("configuration has no votes: give at least one node a vote")
	}
	if c.LogKeep == 0 || c.LogKeep > MaxLogKeep {
		return fmt.Errorf("configuration keeps %d log entries: want 1 to %d", c.LogKeep, MaxLogKeep)
	}
	return nil
}

// Equal reports whether two configurations are equal.
func (c *Config) Equal(o *Config) bool {
	return c.Genesis == o.Genesis && c.Version == o.Version && c.LogKeep == o.LogKeep &&
		slices.Equal(c.Members, o.Members)
}

func (c *Config) append(w *bin.Writer) {
	w.Raw(c.Genesis[:])
	w.U64(c.Version)
	w.U64(c.LogKeep)
	w.U32(uint32(len(c.Members)))
	for _, m := range c.Members {
		w.U32(uint32(m.Node))
		w.U32(m.Votes)
		w.Raw(m.Incarnation[:])
	}
}

// AppendConfig writes a configuration.
func AppendConfig(w *bin.Writer, c *Config) { c.append(w) }

// ReadConfig reads what AppendConfig wrote; it fails the reader if [Config.Validate] refuses the result.
func ReadConfig(r *bin.Reader) *Config {
	c := &Config{}
	r.Raw(c.Genesis[:])
	c.Version, c.LogKeep = r.U64(), r.U64()
	c.Members = make([]Member, r.Count(24))
	for i := range c.Members {
		m := &c.Members[i]
		m.Node, m.Votes = ring.NodeID(r.U32()), r.U32()
		r.Raw(m.Incarnation[:])
	}
	if !r.Failed() && c.Validate() != nil {
		r.Fail()
	}
	return c
}

func appendRing(w *bin.Writer, id ring.ID) {
	w.U64(id.Seq)
	w.U32(uint32(id.Rep))
}

func readRing(r *bin.Reader) ring.ID { return ring.ID{Seq: r.U64(), Rep: ring.NodeID(r.U32())} }
