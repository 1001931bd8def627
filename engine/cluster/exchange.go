package cluster

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/totem"
)

// MaxInfoBytes bounds the info that one node sends to all others when a ring begins.
const MaxInfoBytes = 64 << 10

// SyncService decides about quorum from the infos of all members of a new ring.
type SyncService interface {
	// Info returns what this node sends to all members of the ring, at most MaxInfoBytes.
	Info(c totem.Configuration) []byte
	// Done takes the infos of all members, ascending by node, once all members have all of them, and
	// returns the decision for the clients; its ring is filled in. The infos belong to the service.
	Done(c totem.Configuration, infos []NodeInfo) cpg.Quorum
}

// NodeInfo is the info of one member.
type NodeInfo struct {
	Node ring.NodeID
	Info []byte
}

// The messages of an exchange begin with one of these.
const (
	exchangeInfo    = 1
	exchangeBarrier = 2
)

// exchange is the phase that opens a ring. Every member sends its info, and a barrier once it has the
// infos of all others; the last barrier ends the phase. All of that is ordered on the ring, so the phase
// ends at the same position of the order on every member. A new ring starts it again.
type exchange struct {
	service   SyncService
	host      Host
	log       *slog.Logger
	config    totem.Configuration
	infos     []NodeInfo // ascending by node
	barriers  []ring.NodeID
	isRunning bool
	quorate   bool
}

// Start implements Service.
func (x *exchange) Start(h Host) error {
	x.host = h
	x.log = h.Env().Log().With("subsys", "QUORUM")
	return nil
}

// Fired implements Service. An exchange has no timers: a member that stalls also stalls the ring.
func (x *exchange) Fired(uint32) {}

// Ring implements Service.
func (x *exchange) Ring(c totem.Configuration) {
	x.beginPhase(c)
	x.log.Info(fmt.Sprintf("Sync members[%d]:%s", len(c.Members), idList(c.Members)))
	if len(c.Joined) > 0 {
		x.log.Info(fmt.Sprintf("Sync joined[%d]:%s", len(c.Joined), idList(c.Joined)))
	}
	if len(c.Left) > 0 {
		x.log.Info(fmt.Sprintf("Sync left[%d]:%s", len(c.Left), idList(c.Left)))
	}
	info := x.service.Info(c)
	if len(info) > MaxInfoBytes {
		panic("cluster: the sync service's info exceeds MaxInfoBytes")
	}
	x.host.Multicast(append([]byte{exchangeInfo}, info...))
}

// Deliver implements Service.
func (x *exchange) Deliver(id ring.ID, from ring.NodeID, payload []byte) {
	if id != x.config.Ring || len(payload) == 0 {
		return
	}
	switch payload[0] {
	case exchangeInfo:
		if x.onInfo(from, payload[1:]) {
			x.host.Multicast([]byte{exchangeBarrier})
		}
	case exchangeBarrier:
		if x.onBarrier(from) {
			x.finishPhase()
		}
	}
}

func (x *exchange) finishPhase() {
	q := x.service.Done(x.config, x.infos)
	q.Ring = x.config.Ring
	if q.Quorate != x.quorate {
		x.quorate = q.Quorate
		if q.Quorate {
			x.log.Info("This node is within the primary component and will provide service.")
		} else {
			x.log.Info("This node is within the non-primary component and will NOT provide any services.")
		}
	}
	x.log.Info(fmt.Sprintf("Members[%d]:%s", len(x.config.Members), idList(x.config.Members)))
	x.host.Announce(q)
}

// beginPhase starts the phase for a ring.
func (x *exchange) beginPhase(c totem.Configuration) {
	x.config, x.isRunning = c, true
	x.infos, x.barriers = nil, nil
}

// onInfo takes a member's info and reports whether it was the last one.
func (x *exchange) onInfo(from ring.NodeID, data []byte) bool {
	at, there := slices.BinarySearchFunc(x.infos, from, func(i NodeInfo, id ring.NodeID) int {
		return int(int64(i.Node) - int64(id))
	})
	if !x.isRunning || there || !slices.Contains(x.config.Members, from) {
		return false
	}
	x.infos = slices.Insert(x.infos, at, NodeInfo{Node: from, Info: slices.Clone(data)})
	return len(x.infos) == len(x.config.Members)
}

// onBarrier takes a member's barrier and reports whether it was the last one.
func (x *exchange) onBarrier(from ring.NodeID) bool {
	if !x.isRunning || slices.Contains(x.barriers, from) || !slices.Contains(x.config.Members, from) {
		return false
	}
	x.barriers = append(x.barriers, from)
	if len(x.barriers) < len(x.config.Members) || len(x.infos) < len(x.config.Members) {
		return false
	}
	x.isRunning = false
	return true
}

func idList(ids []ring.NodeID) string {
	var b strings.Builder
	for _, id := range ids {
		fmt.Fprintf(&b, " %d", id)
	}
	return b.String()
}
