package store

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/holdfast-sim/holdfast/engine/cpg"
)

// The store counts the votes of its replicated configuration, votequorum those of corosync.conf. Both can be
// right and differ: expected_votes above the sum of the votes, or a node in the file that the store's
// configuration does not list. The store acknowledges only where both have quorum. So an operator who
// configures a higher quorum gets it, and the cluster never has two answers about its quorum.

var (
	errVotesUnknown  = errors.New("votequorum has not decided on this ring yet")
	errVotesTooLow   = errors.New("votequorum has no quorum")
	errStoreBehind   = errors.New("the store waits for the other members' states")
	errStoreFetching = errors.New("the store waits for the state of another member")
	errStoreLate     = errors.New("the store entered the ring late and waits for a new one")
)

// votesReason returns why votequorum does not let this ring acknowledge anything; nil if it does.
func (s *shared) votesReason() error {
	v := s.ring.votes
	switch {
	case !s.opts.Votequorum:
		return nil
	case v == nil:
		return errVotesUnknown
	case !v.Quorate:
		return fmt.Errorf("%w: %s", errVotesTooLow, votesText(v))
	}
	return nil
}

func votesText(v *cpg.Quorum) string {
	return fmt.Sprintf("%d of %d expected votes are present, %d are needed", v.Votes, v.Expected,
		v.QuorumVotes)
}

// onVotes takes votequorum's decision on the present ring.
func (s *Store) onVotes(q *cpg.Quorum) {
	if q.Ring != s.ring.id {
		return
	}
	was := s.writable()
	s.ring.votes = q
	if reason := s.votesReason(); reason != nil {
		s.quorumLog.logChange(s.log, false, reason)
	}
	s.noteWritable(was)
	s.epoch.onVotes()
	switch now := s.writable(); {
	case now && !was:
		s.ops.sendAllInOrder()
	case !now:
		s.ops.refuseUnsent()
	}
}

// quorumLog is the last line of the log about quorum.
type quorumLog struct{ hasQuorum bool }

// logChange logs a change of quorum. A new ring alone is none: while its members exchange their states,
// operations wait, and only a ring that turns out to lack quorum has lost it.
func (q *quorumLog) logChange(log *slog.Logger, has bool, reason error) {
	switch {
	case has == q.hasQuorum:
		return
	case has:
		log.Info("node has quorum")
	default:
		log.Info("node lost quorum", "reason", reason)
	}
	q.hasQuorum = has
}

// onVotes proposes the decision that waited for votequorum, or finds that there can be none.
func (e *epoch) onVotes() {
	if e.waitsForVotes {
		e.sendDecide()
	}
}

// differenceReason returns why the store has no quorum in a ring in which votequorum has; nil if there is no
// such difference.
func (e *epoch) differenceReason() error {
	if v := e.ring.votes; v == nil || !v.Quorate || e.writable() {
		return nil
	}
	switch {
	case e.disk.failure != nil:
		return e.disk.failure
	case !e.ring.seenFromStart:
		return errStoreLate
	case e.catchUp.fetching:
		return errStoreFetching
	case e.noDecisionReason != nil:
		return e.noDecisionReason
	}
	return errStoreBehind
}
