package resource

import "encoding/json"

// StartRequest and LeaveRequest are messages to [HostProcess] of somebody who starts a guest by
// hand, or takes it away from this machine, behind the back of whoever looks after it.
func StartRequest(sid string) []byte { return requestOf(opStart, sid) }

// LeaveRequest: see StartRequest.
func LeaveRequest(sid string) []byte { return requestOf(opLeave, sid) }

func requestOf(op, sid string) []byte {
	b, err := json.Marshal(guestRequest{ID: "by-hand", Op: op, SID: sid})
	if err != nil {
		panic("resource: encoding a request: " + err.Error())
	}
	return b
}
