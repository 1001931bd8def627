package store

import (
	"errors"
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/state"
)

// A ring in which a new disk's vote is missing for quorum cannot carry out the change that gives the vote
// back: in a cluster of two nodes every new disk is such a case. Then the decision itself can accept the
// operator's request, as the first change of its epoch. Two things must hold. The stores that take part are
// so many that one of them has confirmed any acknowledged change, so nothing is missed. And with the node
// whose vote is given back they are a quorum of the new configuration; the old one can raise none without
// them, because the old disk is gone for good, which is what the operator declares by the request.
//
// For example, nodes 1 and 2 have one vote each, so changes are acknowledged when both have them on disk.
// Node 2's disk is replaced. Node 1 has everything, and the ring with the new disk has one vote of two.
// With the operator's request node 1 alone takes part in the decision, the epoch begins with node 1's state
// and the new disk's vote, and the next change needs both disks again. With three nodes of one vote each
// and two new disks this must not be done: what the two lost disks had confirmed is not on the third one.

var errMissesAcks = errors.New("the stores that are here may lack changes that were acknowledged: bring a " +
	"node back that still has its disk")

// maxReplacements bounds the requests that a ring without a decision remembers.
const maxReplacements = 16

// acceptedReplacement returns the first request for a replacement that makes a decision of these participants
// possible; nil if there is none.
func (x *reportExchange) acceptedReplacement(c *state.Config, participants []*orderedReport) *state.Command {
	for _, cmd := range x.replacements {
		if x.checkReplacement(c, participants, cmd) == nil {
			return cmd
		}
	}
	return nil
}

// checkReplacement returns why a replacement cannot be part of a decision of these participants.
func (x *reportExchange) checkReplacement(c *state.Config, participants []*orderedReport,
	cmd *state.Command) error {
	m, r := c.Member(cmd.Replace.Node), x.reportOf(cmd.Replace.Node)
	votes := votesOf(c, participants)
	switch {
	case m == nil:
		return fmt.Errorf("node %d is not in the store's configuration", cmd.Replace.Node)
	case r == nil || r.Incarnation != cmd.Replace.Incarnation || x.wentBack(r) != nil:
		return fmt.Errorf("no store with this incarnation runs on node %d now: start it first", m.Node)
	case m.Incarnation == cmd.Replace.Incarnation:
		return fmt.Errorf("node %d has this incarnation already", m.Node)
	case !c.MeetsEveryAck(votes):
		return errMissesAcks
	case votes+m.Votes < c.Quorum():
		return errNoQuorum
	}
	return nil
}

// reportOf returns the report of a node, nil if it has not reported.
func (x *reportExchange) reportOf(node ring.NodeID) *orderedReport {
	for _, r := range x.reports {
		if r.node == node {
			return r
		}
	}
	return nil
}

// without returns the exchange as the sender of a decision must have seen it: with the reports of the stores
// that take part, and with the replacement that it names and the report of the store that gets the vote.
func (x *reportExchange) without(d *decide, participants []*orderedReport) *reportExchange {
	y := &reportExchange{epoch: x.epoch, members: x.members, reports: participants}
	for _, cmd := range x.replacements {
		if d.Replacement == "" || cmd.Request != d.Replacement {
			continue
		}
		if r := x.reportOf(cmd.Replace.Node); r != nil && x.wentBack(r) == nil {
			y.reports = append(y.reports[:len(y.reports):len(y.reports)], r)
			y.replacements = []*state.Command{cmd}
		}
		break
	}
	return y
}

// replacementDecision is the part of the decide stage that is about replacements in a ring without quorum.
type replacementDecision struct{ *epoch }

// onRequest takes an operator's request for a replacement that was ordered before the decision.
func (e replacementDecision) onRequest(cmd *state.Command) {
	if len(e.replacements) >= env.Limit(e.env, "store/few-replacements", maxReplacements, 1) {
		e.env.Probe("store/too-many-replacements")
		return
	}
	e.replacements = append(e.replacements, cmd)
	if e.waitIsOver {
		e.proposeInTurn()
	}
}

// check returns why the present ring cannot decide with a replacement as its first change.
func (e replacementDecision) check(cmd *state.Command) error {
	if !e.ring.seenFromStart || e.ring.decision != nil || e.disk.failure != nil {
		return errNoQuorum
	}
	if reason := e.votesReason(); reason != nil {
		return reason
	}
	x := e.exchange()
	x.replacements = []*state.Command{cmd}
	d, err := x.concludeDecision()
	switch {
	case err == nil && (d.replacement != nil || !d.Genesis):
		return nil
	case err == nil:
		return errUninitialized
	case errors.Is(err, errNoQuorum):
		if reason := x.replacementReason(cmd); reason != nil {
			return reason
		}
	}
	return err
}

// replacementReason returns why the newest state's configuration does not allow a replacement; nil if nothing
// of that is known.
func (x *reportExchange) replacementReason(cmd *state.Command) error {
	trusted := x.trustedReports()
	var born []*orderedReport
	for _, r := range trusted {
		if r.Config.Initialized() && r.Config.IsVoter(r.node, r.Incarnation) {
			born = append(born, r)
		}
	}
	if len(born) == 0 {
		return nil
	}
	c := bestSource(born).Config
	return x.checkReplacement(c, voterReports(c, trusted), cmd)
}

// offerReplacements asks the ring, which has no quorum without them, to decide with the replacements that
// this node's clients have asked for.
func (o *operations) offerReplacements() {
	for _, p := range o.inArrivalOrder {
		if !p.isAnswered && p.isReplacement() && p.sentInRing != o.ring.id &&
			(replacementDecision{o.epoch}).check(p.command) == nil {
			o.offerReplacement(p)
		}
	}
}

// offerReplacement puts a replacement into the order of a ring without a decision. It is sent again once the
// epoch is installed, and finds then that it was carried out.
func (o *operations) offerReplacement(p *pendingOperation) {
	o.env.Probe("store/replacement-without-quorum")
	o.sendInOrder(p)
	p.sentBeforeDecision = true
}

// replacedNode returns the node to whose present store the decision gives the vote; 0 for none.
func (d *decision) replacedNode() ring.NodeID {
	if d.replacement == nil {
		return 0
	}
	return d.replacement.Replace.Node
}

// noteUndecided remembers which nodes run a store without a vote although their ring has no decision, unless
// another member's configuration is newer than this store's.
func (e replacementDecision) noteUndecided() {
	own := e.disk.replica.Config
	if own == nil || !own.Initialized() {
		return
	}
	for _, r := range e.reports {
		if r.Config.Version > own.Version {
			return
		}
	}
	e.noteVoteless(e.reports)
}

// isReplacement reports whether an operation gives a node's vote to another store.
func (p *pendingOperation) isReplacement() bool {
	return p.command != nil && p.command.Replace.Node != 0
}
