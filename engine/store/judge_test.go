package store

import (
	"fmt"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/state"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

// judge watches a test cluster from outside and fails the test when a promise is broken:
// everything acknowledged or read lies on one chain, nothing acknowledged is missing from a later
// epoch's state (I2), time runs forward for clients, and a request is carried out once.
type judge struct {
	t        require.TestingT
	c        *testCluster
	chain    map[uint64]exposed // by revision
	top      uint64             // highest revision that a client has seen
	begun    map[env.OpID]begun
	requests map[string]Request
	answers  []given
	installs []seenRecord
	acks     []Acknowledged
}

type exposed struct {
	chain   [32]byte
	request string
	epoch   ring.ID
}

type begun struct {
	req  Request
	seen uint64 // highest revision that any client had seen before
}

type given struct {
	begun
	*Response
}

func watch(t require.TestingT, c *testCluster) *judge {
	j := &judge{t: t, c: c, chain: map[uint64]exposed{}, begun: map[env.OpID]begun{},
		requests: map[string]Request{}}
	c.onRecord = j.onRecord
	c.onAnswer = j.onAnswer
	return j
}

// begin notes an operation before it is handed to the node.
func (j *judge) begin(op env.OpID, req Request) {
	j.begun[op] = begun{req: req, seen: j.top}
	j.requests[req.ID] = req
}

func (j *judge) failf(format string, args ...any) { require.Fail(j.t, fmt.Sprintf(format, args...)) }

// expose records that a client has seen a node's history up to a revision.
func (j *judge) expose(n *testNode, revision uint64) {
	log := &n.store.disk.replica.Log
	for rev := uint64(1); rev <= revision; rev++ {
		e := log.At(rev)
		if e == nil {
			continue
		}
		was, seen := j.chain[rev]
		if seen && was.chain != e.Chain {
			j.failf(
				"node %d shows another history at revision %d: request %s of epoch %s, seen before: %s of %s",
				n.id, rev, e.Request, e.Epoch, was.request, was.epoch)
		}
		if !seen {
			j.chain[rev] = exposed{chain: e.Chain, request: e.Request, epoch: e.Epoch}
		}
	}
}

func (j *judge) onAnswer(n *testNode, op env.OpID, r *Response) {
	b, ok := j.begun[op]
	if !ok || r.Code == CodeReadOnly || r.Code == CodeNoQuorum || r.Code == CodeTryAgain ||
		r.Code == CodeFailed ||
		r.Code == CodeUnknown || b.req.Local {
		if ok {
			j.answers = append(j.answers, given{b, r})
		}
		return
	}
	change := b.req.Op != OpRead && b.req.Op != OpList
	if change && r.OK && !r.Remembered && r.Revision <= b.seen {
		j.failf("node %d: %s made revision %d, but %d was seen before it began", n.id, r.ID, r.Revision,
			b.seen)
	}
	if !(change && r.OK) && r.Revision < b.seen {
		j.failf("node %d: %s was judged at revision %d, but %d was seen before it began", n.id, r.ID,
			r.Revision, b.seen)
	}
	j.expose(n, r.Revision)
	if change && r.OK {
		if e := n.store.disk.replica.Log.At(r.Revision); e == nil || e.Request != r.ID {
			j.failf("node %d: revision %d is not %s's", n.id, r.Revision, r.ID)
		}
	}
	j.top = max(j.top, r.Revision)
	j.answers = append(j.answers, given{b, r})
}

func (j *judge) onRecord(n *testNode, r env.Record) {
	switch r := r.(type) {
	case Installed:
		j.installs = append(j.installs, seenRecord{node: n.id, Record: r})
		for _, a := range j.acks {
			j.contained(n.id, &r, &a)
		}
		for rev, was := range j.chain {
			if e := n.store.disk.replica.Log.At(rev); e != nil && was.epoch.Compare(r.Epoch) < 0 &&
				e.Chain != was.chain {
				j.failf("node %d installed %s with another history at revision %d", n.id, r.Epoch, rev)
			}
		}
	case Acknowledged:
		j.acks = append(j.acks, r)
		for _, i := range j.installs {
			installed := i.Record.(Installed)
			j.contained(i.node, &installed, &r)
		}
	}
}

// contained is invariant I2: the state of an epoch holds what was acknowledged, before or after,
// in earlier epochs.
func (j *judge) contained(node ring.NodeID, i *Installed, a *Acknowledged) {
	if a.Epoch.Compare(i.Epoch) < 0 && a.Revision > i.Revision {
		j.failf(
			"node %d installed epoch %s at revision %d, but revision %d (%s) was acknowledged in epoch %s",
			node, i.Epoch, i.Revision, a.Revision, a.Request, a.Epoch)
	}
}

// conclude compares the final state with all answers to clients.
func (j *judge) conclude(n *testNode) {
	j.expose(n, n.store.disk.replica.Revision())
	require.GreaterOrEqual(j.t, n.store.disk.replica.Revision(), j.top,
		"acknowledged changes are missing at the end")
	model := tree.New(tree.DefaultLimits())
	states := []map[string]tree.Entry{contents(model)}
	seen := map[string]bool{}
	for rev := uint64(1); rev <= n.store.disk.replica.Revision(); rev++ {
		e := n.store.disk.replica.Log.At(rev)
		if seen[e.Request] {
			j.failf("request %s was carried out twice", e.Request)
		}
		seen[e.Request] = true
		if e.Kind != state.ReplaceMember {
			req := j.requests[e.Request]
			op := tree.Op{Kind: treeKind(req.Op), Path: req.Path, To: req.To, Data: req.Data,
				Expect: req.Expect}
			require.Nil(j.t, model.Check(&op), "revision %d: %+v", rev, op)
			model.Apply(&op, rev)
		}
		states = append(states, contents(model))
	}
	for _, a := range j.answers {
		j.checkAnswer(&a, states, seen)
	}
}

func contents(t *tree.Tree) map[string]tree.Entry {
	m := map[string]tree.Entry{}
	for _, p := range t.Paths() {
		m[p] = *t.Get(p)
	}
	return m
}

func (j *judge) checkAnswer(a *given, states []map[string]tree.Entry, done map[string]bool) {
	switch {
	case a.Code == CodeUnknown:
	case a.Code != "" && a.req.Op != OpRead:
		require.False(j.t, done[a.ID], "%s was refused with %s but is carried out", a.ID, a.Code)
		if a.Code == tree.RevisionMismatch {
			require.Equal(j.t, states[a.Revision][a.req.Path].Mod, a.Actual, "%s", a.ID)
		}
	case a.req.Op == OpRead && a.OK && !a.req.Local:
		e := states[a.Revision][a.req.Path]
		require.Equal(j.t, string(e.Data), string(a.Entry.Data), "read %s at revision %d", a.ID, a.Revision)
		require.Equal(j.t, e.Mod, a.Entry.Mod)
	case a.req.Op == OpRead && a.Code == tree.NotFound && !a.req.Local:
		require.NotContains(j.t, states[a.Revision], a.req.Path, "read %s at revision %d", a.ID, a.Revision)
	case a.OK && a.req.Op != OpRead:
		require.True(j.t, done[a.ID], "%s was acknowledged and is missing", a.ID)
	}
}
