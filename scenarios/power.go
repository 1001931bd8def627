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
	Cause string `json:"cause,omitempty"`
}

// Causes of a machine's being switched off.
const (
	CauseFault    = "power cut"
	CauseWatchdog = "watchdog"
	CauseShutdown = "shutdown"
	CauseReboot   = "reboot"
	CauseDevice   = "fence device"
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
