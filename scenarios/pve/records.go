package pve

import (
	"encoding/json"
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/fence"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/host/programs"
	"github.com/holdfast-sim/holdfast/engine/initd"
	"github.com/holdfast-sim/holdfast/engine/node"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/store/lock"
	"github.com/holdfast-sim/holdfast/engine/totem"
	"github.com/holdfast-sim/holdfast/engine/watchdog"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// recordDecoder reads the records of one kind.
type recordDecoder struct {
	kind   string
	decode func(data []byte) (env.Record, error)
}

// recordDecoders are the records that a daemon writes, and the operator's.
var recordDecoders = decodersByKind(
	decoderOf[totem.Started](),
	decoderOf[totem.Membership](),
	decoderOf[totem.Sent](),
	decoderOf[totem.Delivered](),
	decoderOf[totem.StateChange](),
	decoderOf[totem.Excluded](),
	decoderOf[totem.RouteChange](),
	decoderOf[node.QuorumView](),
	decoderOf[store.Installed](),
	decoderOf[store.Opened](),
	decoderOf[store.Applied](),
	decoderOf[store.Acknowledged](),
	decoderOf[store.Answered](),
	decoderOf[store.Watching](),
	decoderOf[store.WatchAnswered](),
	decoderOf[store.RoleChanged](),
	decoderOf[store.Writable](),
	decoderOf[store.Failed](),
	decoderOf[store.Left](),
	decoderOf[store.WentBack](),
	decoderOf[store.Dropped](),
	decoderOf[scenarios.Power](),
	decoderOf[resource.HostStarted](),
	decoderOf[programs.Heartbeat](),
	decoderOf[resource.Active](),
	decoderOf[lock.Taken](),
	decoderOf[lock.TakenOver](),
	decoderOf[lock.Released](),
	decoderOf[watchdog.ConnectionChange](),
	decoderOf[watchdog.Late](),
	decoderOf[watchdog.Expired](),
	decoderOf[haproc.CRMStateChange](),
	decoderOf[haproc.LRMStateChange](),
	decoderOf[haproc.FenceStep](),
	decoderOf[haproc.CommandBegun](),
	decoderOf[haproc.CommandDone](),
	decoderOf[haproc.CommandAccepted](),
	decoderOf[haproc.CommandRefused](),
	decoderOf[haproc.CommandsTaken](),
	decoderOf[haproc.MoveProgress](),
	decoderOf[initd.GoingDown](),
	decoderOf[fence.Started](),
	decoderOf[fence.Attempt](),
	decoderOf[fence.Ended](),
	decoderOf[haspec.OperatorDid](),
)

func decodersByKind(list ...recordDecoder) map[string]recordDecoder {
	byKind := map[string]recordDecoder{}
	for _, d := range list {
		if _, twice := byKind[d.kind]; twice {
			panic("pve: two records of kind " + d.kind)
		}
		byKind[d.kind] = d
	}
	return byKind
}

func decoderOf[R env.Record]() recordDecoder {
	var r R
	return recordDecoder{r.RecordKind(), decodeAs[R]}
}

// decodeRecord reads a record that a daemon wrote.
func decodeRecord(kind string, data []byte) (env.Record, error) {
	d, known := recordDecoders[kind]
	if !known {
		return nil, fmt.Errorf("unknown record %q: the daemon is of another version than the harness", kind)
	}
	return d.decode(data)
}

func decodeAs[R env.Record](data []byte) (env.Record, error) {
	var r R
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("reading a %s record: %w", r.RecordKind(), err)
	}
	return r, nil
}
