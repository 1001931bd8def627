package resource

import "github.com/holdfast-sim/holdfast/engine/env"

// StartRequest returns the message to [HostProcess] that starts a guest by hand, without the knowledge
// of the HA manager.
func StartRequest(sid string) []byte { return encodeRequest(opStart, sid) }

// LeaveRequest returns the message to [HostProcess] that takes a guest away from this machine by hand,
// without the knowledge of the HA manager.
func LeaveRequest(sid string) []byte { return encodeRequest(opLeave, sid) }

func encodeRequest(op, sid string) []byte {
	return env.EncodeJSON(guestRequest{ID: "by-hand", Op: op, SID: sid})
}
