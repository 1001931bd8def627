package store

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// plantedBug is a rule of DESIGN.md broken on purpose by replacing one piece of source text.
type plantedBug struct {
	Name    string `json:"name"`
	File    string `json:"file"` // relative to this package
	Search  string `json:"search"`
	Replace string `json:"replace"`
}

var mutantsOut = flag.String("mutants.out", "", "write the planted bugs as JSON to this file")

// TestPlantedBugsStillFit keeps every planted bug applicable: its text occurs exactly once.
func TestPlantedBugsStillFit(t *testing.T) {
	for _, b := range plantedBugs {
		source, err := os.ReadFile(b.File)
		require.NoError(t, err)
		require.Equal(t, 1, strings.Count(string(source), b.Search), "%s in %s", b.Name, b.File)
		require.NotEqual(t, b.Search, b.Replace)
	}
	if *mutantsOut != "" {
		data, err := json.MarshalIndent(plantedBugs, "", "  ")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(*mutantsOut, data, 0o644))
	}
}

var plantedBugs = []plantedBug{
	{"quorum counted over ring members", "decision.go",
		`	return votesOf(c, participants) >= c.Quorum()`,
		`	var votes uint32
	for _, n := range x.members {
		if m := c.Member(n); m != nil {
			votes += m.Votes
		}
	}
	return votes >= c.Quorum()`},
	{"a vote given where acknowledged changes may be missing", "replacement.go",
		`	case !c.MeetsEveryAck(votes):`,
		`	case false:`},
	{"one disk of two acknowledges", "acknowledge.go",
		`	return votes >= c.AckVotes()`,
		`	return votes >= min(c.AckVotes(), c.ExpectedVotes()-c.Quorum()+1)`},
	{"every member chooses its own X", "epoch.go",
		`	e.outbox.send(&d.decide)
`,
		`	e.adoptDecision(e.reports[len(e.reports)-1].position, d)
`},
	{"W minus 1", "state/config.go",
		`return least`,
		`return least - 1`},
	{"old ring's messages applied after reporting", "ring.go",
		`func (s *Store) closeRing() {
	s.applier.applyDelivered()
}`,
		`func (s *Store) closeRing() {
}`},
	{"acknowledge before install", "apply.go",
		`		a.catchUp.deferOrdered(o)
`,
		`		a.catchUp.deferOrdered(o)
		a.acks.sendAck(o.position)
`},
	{"epoch before state", "sqldb/write.go",
		`	return d.transaction(func() error {
		if err := d.putState(i); err != nil {
			return err
		}
		return d.putEpoch(i.Epoch)
	})`,
		`	if err := d.transaction(func() error { return d.putEpoch(i.Epoch) }); err != nil {
		return err
	}
	return d.transaction(func() error { return d.putState(i) })`},
	{"state first, epoch with the first write", "sqldb/write.go",
		`		return d.putConfig(b.Config)
	})
}

// Install implements state.Backend: the epoch and the state that it starts from are one
// transaction.
func (d *DB) Install(i *state.Installation) error {
	return d.transaction(func() error {
		if err := d.putState(i); err != nil {
			return err
		}
		return d.putEpoch(i.Epoch)
	})
}`,
		`		if err := d.putEpoch(b.Log[len(b.Log)-1].Epoch); err != nil {
			return err
		}
		return d.putConfig(b.Config)
	})
}

// Install implements state.Backend: the epoch follows with the first write.
func (d *DB) Install(i *state.Installation) error {
	return d.transaction(func() error { return d.putState(i) })
}`},
	{"source by revision only", "decision.go",
		`	if c := a.Epoch.Compare(b.Epoch); c != 0 {
		return c > 0
	}
	return`,
		`	return`},
	{"acknowledge before fsync", "apply.go",
		`	if err := a.disk.commit(&batch); err != nil {
		a.lifecycle.onDiskError(err)
		return
	}
	a.watches.wakeChanged(batch.Log)
	a.acks.sendAck(group[len(group)-1].position)
`,
		`	a.acks.sendAck(group[len(group)-1].position)
	if err := a.disk.commit(&batch); err != nil {
		a.lifecycle.onDiskError(err)
		return
	}
	a.watches.wakeChanged(batch.Log)
`},
	{"no fsync", "sqlitevfs/db.go", `PRAGMA synchronous=full`, `PRAGMA synchronous=off`},
	{"restarted store goes on in the same ring", "ring.go",
		`		s.env.Probe("store/ring-entered-late")
`,
		`		s.env.Probe("store/ring-entered-late")
		if s.disk.replica != nil && s.disk.replica.Epoch == c.Ring {
			s.ring.seenFromStart, s.ring.installed = true, true
			s.ring.decision = &decision{config: s.disk.replica.Config}
			return
		}
`},
	{"wiped store votes at once", "state/config.go",
		`	return m != nil && m.Incarnation == inc && !inc.IsZero()`,
		`	return m != nil`},
	{"linearizable read answered locally", "request.go",
		`		return req.Local
`,
		`		return true
`},
	{"read confirmed by its own marker alone", "acknowledge.go",
		`		if !a.isConfirmed(p.configAtPosition, p.position) {`,
		`		if p.command != nil && !a.isConfirmed(p.configAtPosition, p.position) {`},
	{"read confirmed by old acknowledgements", "apply.go",
		`a.acks.awaitConfirmation(p, answerQuery(a.disk.replica, p.request), o.position,
				a.disk.replica.Config)`,
		`a.acks.awaitConfirmation(p, answerQuery(a.disk.replica, p.request), 0, a.disk.replica.Config)`},
	{"messages behind the transitional configuration applied", "ring.go",
		`		s.ring.isClosed = true
`,
		``},
	{"failed fsync trusted after a restart of the process", "sqldb/sqldb.go",
		`	if uint64(boot) == o.Boot || o.AfterError {`,
		`	if false {`},
	{"retried request carried out again", "state/replica.go",
		`	if e := r.remembered(cmd); e != nil {`,
		`	if e := r.remembered(cmd); e != nil && cmd.Since == 0 {`},
}
