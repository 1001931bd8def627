package store

import (
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/state"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

// pending is an operation that is not answered yet.
type pending struct {
	clients []client
	req     *Request
	cmd     *state.Command // nil for a read
	until   time.Duration
	sentIn  ring.ID // the ring in whose order it was last put; zero before the first
	// response is the result of the operation at its position in the order; nil before.
	response *Response
	at       uint64
	config   *state.Config // in force at that position
	done     bool
}

// operations are the unanswered operations of this node's clients, across rings: it puts them into the
// order, again in every ring until they are answered.
type operations struct {
	*shared
	epoch *epoch

	all       []*pending // by arrival; answered ones are dropped from time to time
	live      int
	byRequest map[string]*pending // changes
	reads     []*pending          // not under a marker yet
	marker    uint64              // the last one sent
	marked    []*pending          // under the marker that is on its way
}

// accept starts an operation that needs the other nodes.
func (o *operations) accept(from client, req *Request) {
	p := &pending{clients: []client{from}, req: req, until: o.env.Mono() + o.opts.Timers.OperationTimeout}
	if req.Op != OpRead && req.Op != OpList {
		p.cmd = o.commandOf(req)
		if other := o.byRequest[req.ID]; other != nil {
			o.joinPending(from, p, other)
			return
		}
		if r := o.disk.replica.Tree.CheckForm(&p.cmd.Op); r != nil && p.cmd.Replace.Node == 0 {
			o.refuse(from, req, r.Code, r.Message)
			return
		}
	}
	switch {
	case o.live >= maxPending:
		o.env.Probe("store/too-many-operations")
		o.refuse(from, req, CodeTryAgain, "too many operations are waiting on this node")
		return
	case o.epoch.cannotAcknowledge():
		o.refuse(from, req, p.noQuorumCode(), "this node's ring has no quorum")
		return
	}
	o.all = append(o.all, p)
	o.live++
	if p.cmd != nil {
		o.byRequest[req.ID] = p
	} else {
		o.reads = append(o.reads, p)
	}
	if o.writable() {
		o.order(p)
	}
}

// joinPending adds another client to a change that is already under way.
func (o *operations) joinPending(from client, p, other *pending) {
	switch {
	case p.cmd.Digest() != other.cmd.Digest():
		o.refuse(from, p.req, tree.Invalid, "the request id is in use for another operation")
	case len(other.clients) >= maxClients:
		o.refuse(from, p.req, CodeTryAgain, "too many clients wait for this request")
	default:
		other.clients = append(other.clients, from)
	}
}

func (o *operations) commandOf(req *Request) *state.Command {
	cmd := &state.Command{Request: req.ID}
	if req.Retry {
		cmd.Since = req.Since + 1
	}
	if req.Op == OpReplaceMember {
		inc, _ := state.ParseIncarnation(req.Incarnation) // DecodeRequest has checked it
		cmd.Replace = state.Member{Node: req.Node, Incarnation: inc}
		return cmd
	}
	cmd.Op = tree.Op{Kind: treeKind(req.Op), Path: req.Path, To: req.To, Data: req.Data, Expect: req.Expect,
		Writer: uint32(o.node()), MtimeMS: o.env.Wall().UnixMilli()}
	return cmd
}

func (p *pending) noQuorumCode() tree.Code {
	if p.cmd == nil {
		return CodeNoQuorum
	}
	return CodeReadOnly
}

// order puts an operation into the order of the present ring. A change that was sent before carries the
// revision of that time, so that a store that has forgotten the change does not carry it out again.
func (o *operations) order(p *pending) {
	if p.cmd == nil {
		o.sendMarker()
		return
	}
	if !p.sentIn.IsZero() {
		o.env.Probe("store/change-sent-again")
	}
	o.out.send(&command{*p.cmd})
	if p.cmd.Since == 0 {
		p.cmd.Since = o.disk.replica.Revision() + 1
	}
	p.sentIn = o.ring.id
}

// sendMarker sends one marker for all waiting reads, unless a marker is already under way.
//
// Reads need a position of their own in the order, because confirmations that are on their way when a read
// arrives prove nothing. Example: ring 4 is {1,2,3}. Node 1 is paused with the confirmations of nodes 2 and
// 3 for position 5 unread; meanwhile 2 and 3 form ring 8 and acknowledge a change x=2. Node 1 wakes up and
// gets a read of x before it hears of ring 8. With "two votes confirm all that I have" it would answer x=1
// after x=2 was acknowledged. A marker sent now gets position 6 in ring 4, which nodes 2 and 3 have left:
// they never confirm it.
func (o *operations) sendMarker() {
	if len(o.marked) > 0 || len(o.reads) == 0 {
		return
	}
	o.marker++
	o.marked, o.reads = o.reads, nil
	o.out.send(&marker{ID: o.marker})
}

// takeMarked returns the reads under the marker that was delivered.
func (o *operations) takeMarked() []*pending {
	marked := o.marked
	o.marked = nil
	return marked
}

// sentHere returns the change of a request that this node put into the present ring's order and that has
// no result yet, nil if there is none.
func (o *operations) sentHere(request string) *pending {
	p := o.byRequest[request]
	if p == nil || p.sentIn != o.ring.id || p.response != nil {
		return nil
	}
	return p
}

// answer ends an operation.
func (o *operations) answer(p *pending, r *Response) {
	if p.done {
		return
	}
	p.done = true
	o.live--
	if p.cmd != nil {
		delete(o.byRequest, p.req.ID)
	}
	if p.cmd != nil && r.OK {
		o.env.Emit(Acknowledged{Revision: r.Revision, Epoch: o.ring.id, Request: r.ID, Op: p.req.Op})
	} else {
		o.env.Emit(Answered{Revision: r.Revision, Epoch: o.ring.id, Request: r.ID, Op: p.req.Op,
			Code: string(r.Code)})
	}
	for _, c := range p.clients {
		o.replyTo(c, r)
	}
}

// reopen returns the operations of the closed ring to the waiting state: they are neither confirmed nor
// refused, and are ordered again in the next epoch.
func (o *operations) reopen() {
	o.marked, o.reads = nil, nil
	o.dropAnswered()
	for _, p := range o.all {
		p.response = nil
		if p.cmd == nil {
			o.reads = append(o.reads, p)
		}
	}
	o.refuseUnsent()
}

// orderAll sends all waiting operations in the epoch that was just installed.
func (o *operations) orderAll() {
	for _, p := range o.all {
		if !p.done && p.cmd != nil && p.sentIn != o.ring.id {
			o.order(p)
		}
	}
	o.sendMarker()
}

// refuseUnsent refuses the operations that this ring cannot carry out and that were never sent, so the
// refusal is definite. Operations that were sent before stay open.
func (o *operations) refuseUnsent() {
	if o.disk.failed != nil || !o.epoch.cannotAcknowledge() {
		return
	}
	for _, p := range o.all {
		if !p.done && p.sentIn.IsZero() {
			o.answer(p, o.refusalFor(p, p.noQuorumCode(), "this node's ring has no quorum"))
		}
	}
}

func (o *operations) refusalFor(p *pending, code tree.Code, message string) *Response {
	return &Response{ID: p.req.ID, Code: code, Message: message, Revision: o.disk.revision()}
}

// sweep ends operations that took too long. A change that was sent may still happen.
func (o *operations) sweep(now time.Duration) {
	for _, p := range o.all {
		if !p.done && p.until <= now {
			o.giveUp(p, CodeTryAgain, "the store found no quorum in time")
		}
	}
	o.dropAnswered()
}

// giveUp answers without a result: definite if the operation was never sent or is a read.
func (o *operations) giveUp(p *pending, code tree.Code, message string) {
	if p.cmd != nil && !p.sentIn.IsZero() {
		o.env.Probe("store/outcome-unknown")
		code, message = CodeUnknown, "the change may or may not have been carried out: "+message
	}
	o.answer(p, o.refusalFor(p, code, message))
}

// failAll gives up every operation after a disk error.
func (o *operations) failAll(message string) {
	for _, p := range o.all {
		if !p.done {
			o.giveUp(p, CodeFailed, message)
		}
	}
	o.marked, o.reads = nil, nil
	o.dropAnswered()
}

func (o *operations) dropAnswered() {
	kept := o.all[:0]
	for _, p := range o.all {
		if !p.done {
			kept = append(kept, p)
		}
	}
	clear(o.all[len(kept):])
	o.all = kept
	o.reads = slices.DeleteFunc(o.reads, func(p *pending) bool { return p.done })
}
