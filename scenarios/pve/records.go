package pve

import (
	"encoding/json"
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/fence"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/host"
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

// decodeRecord reads a record that a daemon wrote.
func decodeRecord(kind string, data []byte) (env.Record, error) {
	switch kind {
	case totem.Started{}.RecordKind():
		return decodeAs[totem.Started](data)
	case totem.Membership{}.RecordKind():
		return decodeAs[totem.Membership](data)
	case totem.Sent{}.RecordKind():
		return decodeAs[totem.Sent](data)
	case totem.Delivered{}.RecordKind():
		return decodeAs[totem.Delivered](data)
	case totem.StateChange{}.RecordKind():
		return decodeAs[totem.StateChange](data)
	case node.QuorumView{}.RecordKind():
		return decodeAs[node.QuorumView](data)
	case store.Installed{}.RecordKind():
		return decodeAs[store.Installed](data)
	case store.Opened{}.RecordKind():
		return decodeAs[store.Opened](data)
	case store.Applied{}.RecordKind():
		return decodeAs[store.Applied](data)
	case store.Acknowledged{}.RecordKind():
		return decodeAs[store.Acknowledged](data)
	case store.Answered{}.RecordKind():
		return decodeAs[store.Answered](data)
	case store.RoleChanged{}.RecordKind():
		return decodeAs[store.RoleChanged](data)
	case store.Writable{}.RecordKind():
		return decodeAs[store.Writable](data)
	case store.Failed{}.RecordKind():
		return decodeAs[store.Failed](data)
	}
	return decodeHARecord(kind, data)
}

// decodeHARecord reads a record of the HA manager and what it needs.
func decodeHARecord(kind string, data []byte) (env.Record, error) {
	switch kind {
	case scenarios.Power{}.RecordKind():
		return decodeAs[scenarios.Power](data)
	case resource.HostStarted{}.RecordKind():
		return decodeAs[resource.HostStarted](data)
	case host.ProgramHeartbeat{}.RecordKind():
		return decodeAs[host.ProgramHeartbeat](data)
	case resource.Active{}.RecordKind():
		return decodeAs[resource.Active](data)
	case lock.Taken{}.RecordKind():
		return decodeAs[lock.Taken](data)
	case lock.TakenOver{}.RecordKind():
		return decodeAs[lock.TakenOver](data)
	case lock.Released{}.RecordKind():
		return decodeAs[lock.Released](data)
	case watchdog.Guarded{}.RecordKind():
		return decodeAs[watchdog.Guarded](data)
	case watchdog.Late{}.RecordKind():
		return decodeAs[watchdog.Late](data)
	case watchdog.Expired{}.RecordKind():
		return decodeAs[watchdog.Expired](data)
	case haproc.CRMState{}.RecordKind():
		return decodeAs[haproc.CRMState](data)
	case haproc.LRMState{}.RecordKind():
		return decodeAs[haproc.LRMState](data)
	case haproc.FenceStep{}.RecordKind():
		return decodeAs[haproc.FenceStep](data)
	case haproc.CommandBegun{}.RecordKind():
		return decodeAs[haproc.CommandBegun](data)
	case haproc.CommandDone{}.RecordKind():
		return decodeAs[haproc.CommandDone](data)
	case haproc.CommandAccepted{}.RecordKind():
		return decodeAs[haproc.CommandAccepted](data)
	case haproc.CommandRefused{}.RecordKind():
		return decodeAs[haproc.CommandRefused](data)
	case haproc.CommandsTaken{}.RecordKind():
		return decodeAs[haproc.CommandsTaken](data)
	case haproc.MoveProgress{}.RecordKind():
		return decodeAs[haproc.MoveProgress](data)
	case initd.GoingDown{}.RecordKind():
		return decodeAs[initd.GoingDown](data)
	case fence.Started{}.RecordKind():
		return decodeAs[fence.Started](data)
	case fence.Attempt{}.RecordKind():
		return decodeAs[fence.Attempt](data)
	case fence.Ended{}.RecordKind():
		return decodeAs[fence.Ended](data)
	case haspec.OperatorDid{}.RecordKind():
		return decodeAs[haspec.OperatorDid](data)
	}
	return nil, fmt.Errorf("unknown record %q: the daemon is of another version than the harness", kind)
}

func decodeAs[R env.Record](data []byte) (env.Record, error) {
	var r R
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("reading a %s record: %w", r.RecordKind(), err)
	}
	return r, nil
}
