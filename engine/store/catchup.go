package store

import (
	"bytes"
	"cmp"
	"errors"
	"slices"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/state"
)

// keepBacklog keeps what is ordered while the state that it applies to is on its way. When that
// grows too long, it is dropped and the state asked for again, from a later place.
func (s *Store) keepBacklog(o ordered) {
	v := &s.ring
	v.backlog = append(v.backlog, o)
	v.backlogBytes += o.bytes()
	if v.backlogBytes <= maxBacklogBytes {
		return
	}
	s.env.Probe("store/backlog-overflow")
	v.backlog, v.backlogBytes, v.backlogFrom = nil, 0, o.at
	s.in.clear()
	s.sendFetch()
}

// fetchTriesBeforeReform is how often the state is asked for before a new ring is.
const fetchTriesBeforeReform = 3

// sendFetch asks for the state: first the decision's source, then any store that has installed.
func (s *Store) sendFetch() {
	v := &s.ring
	if !v.fetching || v.fenced {
		return
	}
	f := &fetch{Target: s.fetchTarget(), Mark: s.replica.Mark()}
	if s.replica.Config != nil {
		f.Genesis = s.replica.Config.Genesis
	}
	if v.fetchTries > 0 {
		s.env.Probe("store/fetch-retried")
	}
	if v.fetchTries >= fetchTriesBeforeReform {
		// Nobody who has the state serves it. In a new ring those who are silent are left out.
		s.env.Probe("store/fetch-given-up")
		s.toCluster(cpg.Reform{})
	}
	v.fetchTries++
	s.out.send(f)
	s.env.SetTimer(timerFetch, s.opts.Timers.FetchRetry)
}

func (s *Store) fetchTarget() ring.NodeID {
	v := &s.ring
	var able []ring.NodeID
	for _, m := range v.members {
		if m != s.node() && v.hasAck(m) {
			able = append(able, m)
		}
	}
	if v.fetchTries == 0 || len(able) == 0 {
		return v.decision.Source
	}
	return able[v.fetchTries%len(able)]
}

// want is a request for a snapshot.
type want struct {
	fetch
	from ring.NodeID
}

// onFetch notes who needs the state; requests that come together are served together.
func (s *Store) onFetch(from ring.NodeID, f *fetch) {
	if f.Target != s.node() || s.ring.decision == nil {
		return
	}
	s.ring.wanted = append(s.ring.wanted, want{*f, from})
	s.env.SetTimer(timerServe, s.opts.Timers.ServeGather)
}

// serve sends one snapshot that fits everybody who asked: the difference from the least advanced
// if all are in this store's past, else everything.
func (s *Store) serve() {
	if !s.writable() {
		return // asked again, perhaps of somebody else
	}
	s.flush()
	s.ring.wanted = slices.DeleteFunc(s.ring.wanted, func(w want) bool { return s.ring.hasAck(w.from) })
	if s.failed != nil || len(s.ring.wanted) == 0 {
		return
	}
	least := slices.MinFunc(s.ring.wanted, func(a, b want) int {
		return cmp.Compare(a.Mark.Revision, b.Mark.Revision)
	})
	snap := s.replica.SnapshotFrom(least.Mark, least.Genesis, s.ring.position)
	for _, f := range s.ring.wanted {
		if snap.Full {
			break
		}
		snap = s.fitting(snap, f.fetch)
	}
	s.ring.wanted = nil
	data := snap.Encode()
	if len(data) > maxSnapshotBytes {
		s.log.Error("critical: the state is too large to be copied", "bytes", len(data))
		return
	}
	s.log.Info("start sending inode updates", "full", snap.Full, "entries", len(snap.Entries),
		"bytes", len(data))
	s.out.send(&snapshot{Data: data})
}

// fitting keeps a difference if it also serves another request, and turns to everything if not.
func (s *Store) fitting(snap *state.Snapshot, f fetch) *state.Snapshot {
	if alone := s.replica.SnapshotFrom(f.Mark, f.Genesis, s.ring.position); alone.Full {
		return alone
	}
	return snap
}

// onSnapshot installs the epoch with the state that another member sent, if it fits.
func (s *Store) onSnapshot(from ring.NodeID, m *snapshot) {
	v := &s.ring
	if !v.fetching {
		return
	}
	snap, err := state.DecodeSnapshot(bytes.Clone(m.Data)) // its contents stay
	if err != nil {
		s.log.Error("undecodable snapshot", "from", from, "error", err)
		return
	}
	if snap.Epoch != v.id || snap.Position < v.backlogFrom {
		s.env.Probe("store/snapshot-too-old")
		return
	}
	next, inst, err := s.replica.Receive(snap)
	if errors.Is(err, state.ErrOtherHistory) {
		return // meant for somebody else
	}
	if err != nil {
		s.log.Error("critical: snapshot refused", "from", from, "error", err)
		return
	}
	if err := s.backend.Install(inst); err != nil {
		s.fail(err)
		return
	}
	s.replica = next
	how := "delta"
	if snap.Full {
		how = "full"
	}
	s.log.Info("update complete - trying to commit", "entries", len(snap.Entries), "from", from)
	s.onInstalled(snap.Position, how, inst.Log)
}
