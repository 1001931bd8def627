package store

import (
	"bytes"
	"cmp"
	"errors"
	"slices"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/state"
)

// catchUp is the catch-up stage: it fetches the state that an epoch starts from where this store does not
// have it, and serves it to others.
type catchUp struct {
	*shared
	acks *acknowledgements

	// pieces puts snapshots together. Those of all other messages are kept apart: every member of the ring
	// must complete the same ones at the same positions, whether or not it fetches.
	pieces        reassembly
	fetching      bool
	fetchTries    int
	backlog       []orderedRequest // since backlogFrom, while fetching
	backlogBytes  int
	backlogFrom   uint64
	fetchRequests []fetchRequest // to be served
}

// fetchRequest is another member's request for a snapshot.
type fetchRequest struct {
	fetch
	from ring.NodeID
}

// reset drops the state of the closed ring.
func (c *catchUp) reset() {
	c.fetching, c.fetchTries, c.backlog, c.backlogBytes, c.backlogFrom, c.fetchRequests = false, 0, nil, 0, 0,
		nil
	c.pieces.dropAll()
}

// startFetch asks for the state of the epoch whose decision is at a position in the order.
func (c *catchUp) startFetch(at uint64) {
	c.fetching, c.backlogFrom = true, at
	c.sendFetch()
}

// endFetch ends the fetch and returns the messages that were ordered meanwhile.
func (c *catchUp) endFetch() []orderedRequest {
	backlog := c.backlog
	c.fetching, c.backlog, c.backlogBytes = false, nil, 0
	c.pieces.dropAll()
	c.env.StopTimer(timerFetch)
	return backlog
}

// deferOrdered appends a message to the backlog, until the state that it applies to has arrived. A backlog
// that grows beyond maxBacklogBytes is dropped, and the state is requested again from a later position.
func (c *catchUp) deferOrdered(o orderedRequest) {
	c.backlog = append(c.backlog, o)
	c.backlogBytes += o.bytes()
	if c.backlogBytes <= env.Limit(c.env, "store/small-backlog", maxBacklogBytes, 0) {
		return
	}
	c.env.Probe("store/backlog-overflow")
	c.backlog, c.backlogBytes, c.backlogFrom = nil, 0, o.position
	c.pieces.dropAll()
	c.sendFetch()
}

// eagerFetches is how many times a store that is eager requests the state in the usual time.
const eagerFetches = 100

// fetchTriesBeforeReform is how often the state is requested before the store requests a new ring.
const fetchTriesBeforeReform = 3

// sendFetch asks for the state: first the decision's source, then any store that has installed.
func (c *catchUp) sendFetch() {
	if !c.fetching || c.ring.isClosed {
		return
	}
	f := &fetch{Target: c.fetchTarget(), Mark: c.disk.replica.Mark()}
	if c.disk.replica.Config != nil {
		f.Genesis = c.disk.replica.Config.Genesis
	}
	if c.fetchTries > 0 {
		c.env.Probe("store/fetch-retried")
	}
	if c.fetchTries >= fetchTriesBeforeReform {
		// No member that has the state serves it. A new ring leaves silent members out.
		c.env.Probe("store/fetch-given-up")
		c.toCluster(cpg.Reform{})
	}
	c.fetchTries++
	c.outbox.send(f)
	retry := c.opts.Timers.FetchRetry
	c.env.SetTimer(timerFetch, env.Limit(c.env, "store/eager-fetch", retry, retry/eagerFetches))
}

func (c *catchUp) fetchTarget() ring.NodeID {
	var able []ring.NodeID
	for _, m := range c.ring.members {
		if m != c.node() && c.acks.hasConfirmed(m) {
			able = append(able, m)
		}
	}
	if c.fetchTries == 0 || len(able) == 0 {
		return c.ring.decision.Source
	}
	return able[c.fetchTries%len(able)]
}

// onFetch notes a request for the state; requests that arrive together are served together.
func (c *catchUp) onFetch(from ring.NodeID, f *fetch) {
	if f.Target != c.node() || c.ring.decision == nil {
		return
	}
	c.fetchRequests = append(c.fetchRequests, fetchRequest{*f, from})
	c.env.SetTimer(timerServe, c.opts.Timers.ServeGather)
}

// sendSnapshot sends one snapshot that fits every request: the difference from the least advanced one if all
// are in this store's past, else everything.
func (c *catchUp) sendSnapshot() {
	if !c.hasInstalled() {
		return // asked again, perhaps of another member
	}
	c.fetchRequests = slices.DeleteFunc(c.fetchRequests,
		func(r fetchRequest) bool { return c.acks.hasConfirmed(r.from) })
	if len(c.fetchRequests) == 0 {
		return
	}
	least := slices.MinFunc(c.fetchRequests, func(a, b fetchRequest) int {
		return cmp.Compare(a.Mark.Revision, b.Mark.Revision)
	})
	snap := c.disk.replica.SnapshotFrom(least.Mark, least.Genesis, c.acks.durablePosition)
	for _, r := range c.fetchRequests {
		if snap.Full {
			break
		}
		snap = c.widenedFor(snap, r.fetch)
	}
	c.fetchRequests = nil
	data := snap.Encode()
	if len(data) > maxSnapshotBytes {
		c.log.Error("critical: the state is too large to be copied", "bytes", len(data))
		return
	}
	c.log.Info("start sending inode updates", "full", snap.Full, "entries", len(snap.Entries),
		"bytes", len(data))
	c.outbox.send(&snapshot{Data: data})
}

// widenedFor returns the snapshot if it also serves another request, and everything if not.
func (c *catchUp) widenedFor(snap *state.Snapshot, f fetch) *state.Snapshot {
	if alone := c.disk.replica.SnapshotFrom(f.Mark, f.Genesis, c.acks.durablePosition); alone.Full {
		return alone
	}
	return snap
}

// onSnapshot installs the epoch with the state that another member sent, if it fits.
func (c *catchUp) onSnapshot(from ring.NodeID, m *snapshot) {
	if !c.fetching {
		return
	}
	snap, err := state.DecodeSnapshot(bytes.Clone(m.Data)) // its contents stay
	if err != nil {
		c.log.Error("undecodable snapshot", "from", from, "error", err)
		return
	}
	if snap.Epoch != c.ring.id || snap.Position < c.backlogFrom {
		c.env.Probe("store/snapshot-too-old")
		return
	}
	next, inst, err := c.disk.replica.Receive(snap)
	if errors.Is(err, state.ErrOtherHistory) {
		return // made for another member
	}
	if err != nil {
		c.log.Error("critical: snapshot refused", "from", from, "error", err)
		return
	}
	if err := c.keepDropped(snap); err != nil {
		c.lifecycle.onDiskError(err)
		return
	}
	if err := c.disk.install(inst); err != nil {
		c.lifecycle.onDiskError(err)
		return
	}
	c.disk.replica = next
	how := "delta"
	if snap.Full {
		how = "full"
	}
	c.log.Info("update complete - trying to commit", "entries", len(snap.Entries), "from", from)
	c.lifecycle.onInstalled(snap.Position, how, inst.Log)
}
