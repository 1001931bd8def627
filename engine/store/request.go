package store

import (
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

// client is the receiver of an answer: an operation from outside, or a process of this machine that sent
// the request as a local message. The latter gets its answer as a local message too, and finds its request
// by the request's id. Operations are in JSON, local messages in the compact form.
type client struct {
	opID         env.OpID
	localProcess string // the process's name; "" for an operation
}

// decodeRequest decodes what a client asks for.
func (c client) decodeRequest(input []byte) (*Request, error) {
	if c.localProcess == "" {
		return DecodeRequest(input)
	}
	return DecodeCompactRequest(input)
}

// intake is the request stage: it decodes a client's request, answers at once what this node can answer
// alone, and passes on the rest.
type intake struct {
	*shared
	ops     *operations
	watches *watches
	leaving *orderlyLeave
	status  func() *Status
}

// onRequest handles a client's request.
func (i *intake) onRequest(from client, input []byte) {
	req, err := from.decodeRequest(input)
	if err != nil {
		i.replyTo(from, &Response{Code: tree.Invalid, Message: err.Error()})
		return
	}
	switch {
	case req.Op == OpStatus:
		i.replyTo(from, &Response{ID: req.ID, OK: true, Status: i.status(), Revision: i.disk.revision()})
	case req.Op == OpLeave:
		i.leaving.beginOrJoin(from, req)
	case i.disk.failure != nil:
		i.replyRefused(from, req, CodeFailed,
			fmt.Sprintf("the store of node %d does not serve: %v", i.node(), i.disk.failure))
	case req.Op == OpWatch:
		i.watches.addWatch(from, req)
	case req.Local && from.localProcess == "" && i.disk.replica.Config == nil:
		i.replyRefused(from, req, CodeTryAgain,
			fmt.Sprintf("the store of node %d is new or has lost its disk, and has not been in a cluster yet",
				i.node()))
	case isAnsweredLocally(req):
		i.answerLocally(from, req)
	case i.leaving.refuseWhileLeaving(from, req):
	default:
		i.ops.acceptRequest(from, req)
	}
}

// isAnsweredLocally reports whether a request is answered from this node's replica as it is.
func isAnsweredLocally(req *Request) bool {
	switch req.Op {
	case OpDigest, OpDump, OpWitness:
		return true
	case OpRead, OpList:
		return req.Local
	}
	return false
}

// answerLocally answers from this node's replica as it is. Lookups by processes of this machine are not
// recorded: they are part of no history.
func (i *intake) answerLocally(from client, req *Request) {
	r := answerQuery(i.disk.replica, req)
	if from.localProcess == "" {
		i.env.Emit(Answered{Revision: r.Revision, Epoch: i.disk.replica.Epoch, Request: req.ID, Op: req.Op,
			Local: true, Code: string(r.Code)})
	}
	i.replyTo(from, r)
}
