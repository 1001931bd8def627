package scenarios

import (
	"encoding/json"
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// Power is the record of a machine that was switched on or off: it comes from the backend, not from
// a process. Nothing runs on a machine from off to on.
type Power struct {
	On   bool   `json:"on"`
	Boot uint64 `json:"boot"` // counts the machine's power-ups, from 1
	// Cause of an off: a fault, the machine's own watchdog, its own wish or a device outside.
	Cause PowerCause `json:"cause,omitempty"`
}

// PowerCause is why a machine was switched off; "" in the record of a machine that was switched on.
type PowerCause string

// Causes of a machine's being switched off.
const (
	CauseFault    PowerCause = "power cut"
	CauseWatchdog PowerCause = "watchdog"
	CauseShutdown PowerCause = "shutdown"
	CauseReboot   PowerCause = "reboot"
	CauseDevice   PowerCause = "fence device"
)

// RecordKind implements env.Record.
func (Power) RecordKind() string { return "machine-power" }

// DecodeRecord reads a record of a run: one of the world's own, or one of the subject's.
func DecodeRecord(j Judge, kind string, data []byte) (env.Record, error) {
	switch kind {
	case Power{}.RecordKind():
		return decodeAs[Power](kind, data)
	case Switched{}.RecordKind():
		return decodeAs[Switched](kind, data)
	}
	return j.DecodeRecord(kind, data)
}

func decodeAs[R env.Record](kind string, data []byte) (env.Record, error) {
	var r R
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("reading a %s record: %w", kind, err)
	}
	return r, nil
}
