package resource

import "encoding/json"

// StartRequest and EndRequest are messages to [HostProcess] of somebody who starts a guest by hand,
// or ends it at once, behind the back of whoever looks after it.
func StartRequest(sid string) []byte { return requestOf(opStart, sid) }

// EndRequest: see StartRequest.
func EndRequest(sid string) []byte { return requestOf(opStop, sid) }

func requestOf(op, sid string) []byte {
	b, err := json.Marshal(guestRequest{ID: "by-hand", Op: op, SID: sid})
	if err != nil {
		panic("resource: encoding a request: " + err.Error())
	}
	return b
}
