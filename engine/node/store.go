package node

import (
	"cmp"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/corosync"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store"
)

// storeProcess composes the store of a node.
func storeProcess(o Options, conf *corosync.Config, self ring.NodeID) Process {
	so := store.Options{Node: self, DiskDir: o.DiskDir, Timers: scaledStoreTimers(o.Timescale),
		Votequorum: true, PageBytes: o.PageBytes, LogKeep: o.LogKeep}
	for _, n := range conf.Nodes {
		so.Nodes = append(so.Nodes, store.Vote{Node: n.ID, Votes: n.Votes(), Name: n.Name})
	}
	slices.SortFunc(so.Nodes, func(a, b store.Vote) int { return cmp.Compare(a.Node, b.Node) })
	p := newProcess(store.Process, func() env.Process { return store.New(so) })
	p.Operations = Operations{Served: true, ReadOnly: store.IsReadOnly}
	return p
}

// minStoreTimer is the shortest value to which scaling reduces a timer of the store: below it, the store
// would ask again before a healthy node can answer.
const minStoreTimer = 5 * time.Millisecond

func scaledStoreTimers(ts timescale.Ratio) store.Timers {
	t := store.DefaultTimers()
	if ts.IsOne() {
		return t
	}
	for _, d := range []*time.Duration{&t.ReportWait, &t.ProposeStep, &t.FetchRetry, &t.ReformDelay,
		&t.ReformRetry, &t.OperationTimeout, &t.RememberAfter, &t.LeaveWait,
		&t.FailedRetry, &t.DamagedRetry} {
		*d = max(ts.Of(*d), minStoreTimer)
	}
	return t
}
