package store

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/state"
)

// A decision fixes, once per epoch and in the ring's total order, which stores take part (X) and which
// state the epoch starts from. Everything here is a pure function of the reports that precede it
// in the order, so all members of the ring get the same result.

// orderedReport is a report and its place in the ring's order.
type orderedReport struct {
	report
	node     ring.NodeID
	position uint64
}

// decision is a valid DECIDE.
type decision struct {
	decide
	config *state.Config // of the source, or made by genesis
	// replacement is the epoch's first change; nil for none.
	replacement *state.Command
}

var (
	errNoQuorum      = errors.New("the reports do not add up to a quorum")
	errTwoClusters   = errors.New("stores of different clusters meet in one ring: remove the strangers")
	errUninitialized = errors.New("the store is new and waits for all configured nodes")
	errWrongDecision = errors.New("the decision does not follow from the reports")
	errWentBack      = errors.New("a disk was put back to an older state, so its store has no vote")
)

// isNewer reports whether a state wins over another as source: epoch first, then revision.
func isNewer(a, b *orderedReport) bool {
	if c := a.Epoch.Compare(b.Epoch); c != 0 {
		return c > 0
	}
	return a.Mark.Revision > b.Mark.Revision
}

// reportExchange is what a ring's members have reported.
type reportExchange struct {
	epoch   ring.ID
	members []ring.NodeID    // of the ring: they count for nothing by being there
	reports []*orderedReport // in the order of their arrival
	// replacements are what operators have asked for in this ring, in the order of their arrival.
	replacements []*state.Command
}

// wentBack returns the place that the store of a report has confirmed and no longer has, by what the other
// stores of the exchange remember of it; nil if there is none. Whatever a store has confirmed is on its disk
// for good, so a store that reports less runs on an older state of its disk. It may have confirmed anything
// since, and it has forgotten which rings it had reported to, so it counts as little as one with a new disk.
//
// For example, nodes 1 and 2 acknowledge revision 52 while node 3 is off. Node 1 is switched off, and node
// 2's disk is put back to revision 34. Without this rule nodes 2 and 3 would go on without the revisions 35
// to 52 as soon as node 3 is back; with node 1 in the exchange it is known that node 2 had them.
func (x *reportExchange) wentBack(r *orderedReport) *state.PeerMark {
	var highest *state.PeerMark
	for _, other := range x.reports {
		for i := range other.Peers {
			p := &other.Peers[i]
			if p.Node == r.node && p.Incarnation == r.Incarnation && p.IsAbove(r.Epoch, r.Mark.Revision) &&
				(highest == nil || p.IsAbove(highest.Epoch, highest.Revision)) {
				highest = p
			}
		}
	}
	return highest
}

// trustedReports are the reports of stores that have everything that they confirmed, as far as this
// exchange knows.
func (x *reportExchange) trustedReports() []*orderedReport {
	var out []*orderedReport
	for _, r := range x.reports {
		if x.wentBack(r) == nil {
			out = append(out, r)
		}
	}
	return out
}

// voterReports are the reports of stores that a configuration lists, by incarnation.
func voterReports(c *state.Config, reports []*orderedReport) []*orderedReport {
	var out []*orderedReport
	for _, r := range reports {
		if c.IsVoter(r.node, r.Incarnation) {
			out = append(out, r)
		}
	}
	return out
}

// isQuorate reports whether the votes of the stores that take part, not of the ring, are a quorum.
func (x *reportExchange) isQuorate(c *state.Config, participants []*orderedReport) bool {
	return votesOf(c, participants) >= c.Quorum()
}

// votesOf sums the votes of stores.
func votesOf(c *state.Config, reports []*orderedReport) (votes uint32) {
	for _, r := range reports {
		votes += c.Votes(r.node, r.Incarnation)
	}
	return votes
}

// bestSource is the newest state among the reports; among equals the lowest node.
func bestSource(reports []*orderedReport) *orderedReport {
	best := reports[0]
	for _, r := range reports[1:] {
		if isNewer(r, best) || !isNewer(best, r) && r.node < best.node {
			best = r
		}
	}
	return best
}

// concludeDecision draws the decision that follows from the reports.
func (x *reportExchange) concludeDecision() (*decision, error) {
	var born []*orderedReport // stores that are listed in the configuration that they hold
	trusted := x.trustedReports()
	for _, r := range trusted {
		if r.Config.Initialized() && r.Config.IsVoter(r.node, r.Incarnation) {
			born = append(born, r)
		}
	}
	if len(born) == 0 && len(trusted) < len(x.reports) {
		return nil, errWentBack
	}
	if len(born) == 0 {
		return x.concludeGenesis()
	}
	source := bestSource(born)
	for _, r := range born {
		if r.Config.Genesis != source.Config.Genesis {
			return nil, errTwoClusters
		}
	}
	participants := voterReports(source.Config, trusted)
	if bestSource(participants) != source {
		return nil, errWrongDecision
	}
	d := &decision{config: source.Config, decide: decide{Members: nodesOf(participants),
		Source: source.node, Epoch: source.Epoch, Mark: source.Mark}}
	if !x.isQuorate(source.Config, participants) {
		if d.replacement = x.acceptedReplacement(source.Config, participants); d.replacement != nil {
			d.Replacement = d.replacement.Request
			return d, nil
		}
		if len(trusted) < len(x.reports) {
			return nil, fmt.Errorf("%w: %w", errNoQuorum, errWentBack)
		}
		return nil, errNoQuorum
	}
	return d, nil
}

// concludeGenesis starts a cluster: only if every node of the configured cluster reports, none of
// them has a state, and all were given the same configuration.
func (x *reportExchange) concludeGenesis() (*decision, error) {
	if len(x.reports) == 0 {
		return nil, errUninitialized
	}
	reports := slices.Clone(x.reports)
	slices.SortFunc(reports, func(a, b *orderedReport) int { return cmp.Compare(a.node, b.node) })
	proposal := reports[0].Config
	if len(reports) != len(proposal.Members) {
		return nil, errUninitialized
	}
	incs := make([]state.Incarnation, len(reports))
	for i, r := range reports {
		if r.Config.Initialized() || !r.Config.Equal(proposal) || proposal.Members[i].Node != r.node ||
			!r.Epoch.IsZero() || r.Mark != (state.Mark{}) {
			return nil, errUninitialized
		}
		incs[i] = r.Incarnation
	}
	return &decision{config: proposal.Initialize(x.epoch, incs), decide: decide{Members: nodesOf(reports),
		Source: reports[0].node, Genesis: true}}, nil
}

func nodesOf(reports []*orderedReport) []ring.NodeID {
	nodes := make([]ring.NodeID, len(reports))
	for i, r := range reports {
		nodes[i] = r.node
	}
	return ring.Sorted(nodes)
}

// verifyDecide checks a DECIDE against the reports that precede it: X must have reported, and the rest must
// follow from X.
func (x *reportExchange) verifyDecide(d *decide) (*decision, error) {
	var participants []*orderedReport
	for _, r := range x.reports {
		if _, ok := slices.BinarySearch(d.Members, r.node); ok {
			participants = append(participants, r)
		}
	}
	if len(participants) != len(d.Members) {
		return nil, fmt.Errorf("%w: it names nodes that did not report", errWrongDecision)
	}
	if len(participants) == 0 {
		return nil, fmt.Errorf("%w: it names no node", errWrongDecision)
	}
	for _, r := range participants {
		if x.wentBack(r) != nil {
			return nil, fmt.Errorf("%w: it names node %d: %w", errWrongDecision, r.node, errWentBack)
		}
	}
	own, err := x.without(d, participants).concludeDecision()
	if err != nil {
		return nil, err
	}
	if !slices.Equal(own.Members, d.Members) || own.Source != d.Source || own.Epoch != d.Epoch ||
		own.Mark != d.Mark || own.Genesis != d.Genesis || own.Replacement != d.Replacement {
		return nil, errWrongDecision
	}
	return own, nil
}
