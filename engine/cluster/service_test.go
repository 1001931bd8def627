package cluster

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/totem"
)

// slowVote is a service of another kind: it announces a second after the ring has begun, on a
// message that its timer sends, and takes operations.
type slowVote struct {
	host Host
	ring totem.Configuration
	seen []string
}

func (s *slowVote) Start(h Host) error { s.host = h; return nil }

func (s *slowVote) Ring(c totem.Configuration) {
	s.ring = c
	s.host.StopTimer(3)
	if c.Ring.Rep == ring.NodeID(s.host.Env().Self().Machine)+1 {
		s.host.SetTimer(3, time.Second)
	}
}

func (s *slowVote) Fired(timer uint32) {
	if timer == 3 {
		s.host.Multicast([]byte("vote"))
	}
}

func (s *slowVote) Deliver(id ring.ID, _ ring.NodeID, payload []byte) {
	s.seen = append(s.seen, string(payload))
	if id == s.ring.Ring {
		s.host.Announce(cpg.Quorum{Ring: id, Quorate: true, Votes: uint32(len(s.seen))})
	}
}

func (s *slowVote) Invoked(ev env.Invoked) {
	s.host.Multicast(ev.Input)
	s.host.Env().Complete(ev.Op, nil)
}

func TestAServiceOfAnotherKind(t *testing.T) {
	services := []*slowVote{{}, {}}
	w := newWorldWith(t, 2, func(i int) Service { return services[i] })
	w.RunFor(1200 * time.Millisecond)
	c := w.clients[1]
	require.Equal(t, []string{"config 1 2.4 [2] greeting=false", "config 0 2.4 [2] greeting=false",
		"config 1 1.8 [1 2] greeting=false"}, c.texts())
	c.got = nil
	c.multicast("waits for the announcement")
	w.RunFor(200 * time.Millisecond)
	require.Empty(t, c.got)
	w.RunFor(200 * time.Millisecond)
	require.Equal(t, []string{"quorum 1.8 true", "1.8 2: waits for the announcement"}, c.texts())
	c.got = nil
	w.Invoke(w.Find(0, Name), 9, []byte("expected 1"))
	w.RunFor(200 * time.Millisecond)
	require.Equal(t, []string{"quorum 1.8 true"}, c.texts(), "a changed word comes again")
	require.Equal(t, services[0].seen, services[1].seen)
	require.Panics(t, func() { services[0].host.SetTimer(MaxServiceTimers, 0) })
	require.Panics(t, func() { services[0].host.Announce(cpg.Quorum{}) })
}
