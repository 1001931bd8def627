package storecheck

import (
	"context"
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/engine/store/tree"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios/check"
)

// checkGuests checks, at every revision of the log that won, that no guest has two configurations,
// and that no guest's configuration was replaced by another one's. The store promises both: a guest with two
// configurations belongs to two nodes, and the next move from one to the other destroys one of them.
type checkGuests struct{ Cluster }

// Name implements check.Check.
func (checkGuests) Name() string { return "guests" }

// Judge implements check.Check.
func (c checkGuests) Judge(_ context.Context, e *Evidence) linearizability.Verdict {
	witness, err := e.Log.Witness()
	if err != nil {
		return check.Unknown(c.Name(), err)
	}
	g := guestFiles{pathByGuest: map[string]string{}, seen: map[string]bool{}}
	for _, entry := range witness.Log() {
		g.carryOut(entry)
	}
	summary := "no guest was configured"
	if len(g.seen) > 0 {
		summary = fmt.Sprintf("one configuration for each of %d guests, at every revision", len(g.seen))
	}
	return check.Verdict(c.Name(), g.violations, summary)
}

// guestFiles are the configurations of guests at one revision.
type guestFiles struct {
	revision    uint64
	pathByGuest map[string]string
	seen        map[string]bool // every guest that ever had one
	violations  []linearizability.Violation
}

// carryOut carries out the next change of the log. Behind a gap nothing is known of earlier files: real nodes
// lose their last records.
func (g *guestFiles) carryOut(e *history.WitnessEntry) {
	if g.revision != 0 && e.Rev != g.revision+1 {
		clear(g.pathByGuest)
	}
	g.revision = e.Rev
	switch e.F {
	case tree.Create.String(), tree.Write.String(), tree.CAS.String():
		g.put(e, e.Key)
	case tree.Delete.String():
		g.remove(e.Key)
	case tree.Rename.String():
		if guest, is := tree.GuestOf(e.Key); is && g.pathByGuest[guest] == e.Key {
			g.checkTarget(e)
		}
		g.remove(e.Key)
		g.put(e, e.To)
	}
}

// checkTarget reports a move of a guest over another configuration.
func (g *guestFiles) checkTarget(e *history.WitnessEntry) {
	if guest, is := tree.GuestOf(e.To); is && g.pathByGuest[guest] == e.To {
		g.addViolation(linearizability.LostWrite, e, "%s replaces the configuration %s", e.Key, e.To)
	}
}

// put notes a file that is there from a change on.
func (g *guestFiles) put(e *history.WitnessEntry, path string) {
	guest, is := tree.GuestOf(path)
	if !is {
		return
	}
	if other := g.pathByGuest[guest]; other != "" && other != path {
		g.addViolation(linearizability.SplitBrain, e, "guest %s is configured by %s and by %s", guest, other,
			path)
	}
	g.pathByGuest[guest], g.seen[guest] = path, true
}

// remove notes a file that is gone.
func (g *guestFiles) remove(path string) {
	if guest, is := tree.GuestOf(path); is && g.pathByGuest[guest] == path {
		delete(g.pathByGuest, guest)
	}
}

func (g *guestFiles) addViolation(kind linearizability.Kind, e *history.WitnessEntry, format string,
	args ...any) {
	g.violations = append(g.violations, linearizability.Violation{Kind: kind, Revisions: []uint64{e.Rev},
		Explain: fmt.Sprintf("at revision %d, durable first on %s at %v: ", e.Rev, e.Node,
			time.Duration(e.Time)) + fmt.Sprintf(format, args...)})
}
