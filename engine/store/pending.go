package store

import (
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/state"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

// pendingOperation is an operation that is not answered yet.
type pendingOperation struct {
	clients    []client
	request    *Request
	command    *state.Command // nil for a read
	deadline   time.Duration
	sentInRing ring.ID // the ring in whose order it was last put; zero before the first
	// sentBeforeDecision reports that it was put there before the ring's decision, for a replacement that the
	// decision itself must accept.
	sentBeforeDecision bool
	// response is the result of the operation at its position in the order; nil before.
	response         *Response
	position         uint64
	configAtPosition *state.Config // in force at that position
	isAnswered       bool
}

// noQuorumMessage refuses operations where they cannot be confirmed.
const noQuorumMessage = "this node's ring has no quorum"

// operations are the unanswered operations of this node's clients, across rings: it puts them into the
// order, again in every ring until they are answered.
type operations struct {
	*shared
	epoch *epoch

	inArrivalOrder  []*pendingOperation // by arrival; answered ones are dropped from time to time
	unansweredCount int
	byRequest       map[string]*pendingOperation // changes
	unmarkedReads   []*pendingOperation          // not under a marker yet
	lastMarker      uint64                       // the last one sent
	markedReads     []*pendingOperation          // under the marker that is on its way
}

// acceptRequest starts an operation that needs the other nodes.
func (o *operations) acceptRequest(from client, req *Request) {
	p := &pendingOperation{clients: []client{from}, request: req,
		deadline: o.env.Mono() + o.opts.Timers.OperationTimeout}
	if req.Op != OpRead && req.Op != OpList {
		p.command = o.commandOf(req)
		if other := o.byRequest[req.ID]; other != nil {
			o.joinPending(from, p, other)
			return
		}
		if r := o.disk.replica.Tree.CheckForm(&p.command.Op); r != nil && p.command.Replace.Node == 0 {
			o.replyRefused(from, req, r.Code, r.Message)
			return
		}
	}
	isOffered := false
	switch {
	case o.unansweredCount >= env.Limit(o.env, "store/few-pending", maxPending, 1):
		o.env.Probe("store/too-many-operations")
		o.replyRefused(from, req, CodeTryAgain, "too many operations are waiting on this node")
		return
	case o.epoch.cannotAcknowledge():
		if message := o.refusalWithoutQuorum(p); message != "" {
			o.replyRefused(from, req, p.noQuorumCode(), message)
			return
		}
		isOffered = true
	}
	o.inArrivalOrder = append(o.inArrivalOrder, p)
	o.unansweredCount++
	if p.command != nil {
		o.byRequest[req.ID] = p
	} else {
		o.unmarkedReads = append(o.unmarkedReads, p)
	}
	switch {
	case isOffered:
		o.offerReplacement(p)
	case o.writable():
		o.sendInOrder(p)
	}
}

// refusalWithoutQuorum returns why an operation is refused in a ring without quorum; "" if the ring's
// decision may carry it out.
func (o *operations) refusalWithoutQuorum(p *pendingOperation) string {
	if !p.isReplacement() {
		return noQuorumMessage
	}
	if reason := (replacementDecision{o.epoch}).check(p.command); reason != nil {
		return noQuorumMessage + ": " + reason.Error()
	}
	return ""
}

// joinPending adds another client to a change that is already under way.
func (o *operations) joinPending(from client, p, other *pendingOperation) {
	switch {
	case p.command.Digest() != other.command.Digest():
		o.replyRefused(from, p.request, tree.Invalid, "the request id is in use for another operation")
	case len(other.clients) >= env.Limit(o.env, "store/one-client", maxClients, 1):
		o.replyRefused(from, p.request, CodeTryAgain, "too many clients wait for this request")
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

func (p *pendingOperation) noQuorumCode() tree.Code {
	if p.command == nil {
		return CodeNoQuorum
	}
	return CodeReadOnly
}

// sendInOrder puts an operation into the order of the present ring. A change that was sent before carries the
// revision of that time, so that a store that has forgotten the change does not carry it out again.
func (o *operations) sendInOrder(p *pendingOperation) {
	if p.command == nil {
		o.sendMarker()
		return
	}
	if !p.sentInRing.IsZero() {
		o.env.Probe("store/change-sent-again")
	}
	o.outbox.send(&command{*p.command})
	if p.command.Since == 0 {
		p.command.Since = o.disk.replica.Revision() + 1
	}
	p.sentInRing, p.sentBeforeDecision = o.ring.id, false
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
	if len(o.markedReads) > 0 || len(o.unmarkedReads) == 0 {
		return
	}
	o.lastMarker++
	o.markedReads, o.unmarkedReads = o.unmarkedReads, nil
	o.outbox.send(&marker{ID: o.lastMarker})
}

// takeMarkedReads returns the reads under the marker that was delivered.
func (o *operations) takeMarkedReads() []*pendingOperation {
	marked := o.markedReads
	o.markedReads = nil
	return marked
}

// sentInThisRing returns the change of a request that this node put into the present ring's order and that
// has no result yet, nil if there is none.
func (o *operations) sentInThisRing(request string) *pendingOperation {
	p := o.byRequest[request]
	if p == nil || p.sentInRing != o.ring.id || p.response != nil {
		return nil
	}
	return p
}

// answerOperation ends an operation.
func (o *operations) answerOperation(p *pendingOperation, r *Response) {
	if p.isAnswered {
		return
	}
	p.isAnswered = true
	o.unansweredCount--
	if p.command != nil {
		delete(o.byRequest, p.request.ID)
	}
	if p.command != nil && r.OK {
		o.env.Emit(Acknowledged{Revision: r.Revision, Epoch: o.ring.id, Request: r.ID, Op: p.request.Op})
	} else {
		o.env.Emit(Answered{Revision: r.Revision, Epoch: o.ring.id, Request: r.ID, Op: p.request.Op,
			Code: string(r.Code)})
	}
	for _, c := range p.clients {
		o.replyTo(c, r)
	}
}

// reopenUnanswered returns the operations of the closed ring to the waiting state: they are neither confirmed
// nor refused, and are ordered again in the next epoch.
func (o *operations) reopenUnanswered() {
	o.markedReads, o.unmarkedReads = nil, nil
	o.dropAnswered()
	for _, p := range o.inArrivalOrder {
		p.response = nil
		if p.command == nil {
			o.unmarkedReads = append(o.unmarkedReads, p)
		}
	}
	o.refuseUnsent()
}

// sendAllInOrder sends all waiting operations in the epoch that was just installed.
func (o *operations) sendAllInOrder() {
	for _, p := range o.inArrivalOrder {
		if !p.isAnswered && p.command != nil && (p.sentInRing != o.ring.id || p.sentBeforeDecision) {
			o.sendInOrder(p)
		}
	}
	o.sendMarker()
}

// refuseUnsent refuses the operations that this ring cannot carry out and that were never sent, so the
// refusal is definite. Operations that were sent before stay open.
func (o *operations) refuseUnsent() {
	if o.disk.failure != nil || !o.epoch.cannotAcknowledge() {
		return
	}
	for _, p := range o.inArrivalOrder {
		if !p.isAnswered && p.sentInRing.IsZero() {
			o.answerOperation(p, o.refusalFor(p, p.noQuorumCode(), noQuorumMessage))
		}
	}
}

func (o *operations) refusalFor(p *pendingOperation, code tree.Code, message string) *Response {
	return &Response{ID: p.request.ID, Code: code, Message: message, Revision: o.disk.revision()}
}

// expireOld ends operations that took too long. A change that was sent may still happen.
func (o *operations) expireOld(now time.Duration) {
	for _, p := range o.inArrivalOrder {
		if !p.isAnswered && p.deadline <= now {
			o.answerWithoutResult(p, CodeTryAgain, "the store found no quorum in time")
		}
	}
	o.dropAnswered()
}

// answerWithoutResult answers without a result: definite if the operation was never sent or is a read.
func (o *operations) answerWithoutResult(p *pendingOperation, code tree.Code, message string) {
	if p.command != nil && !p.sentInRing.IsZero() {
		o.env.Probe("store/outcome-unknown")
		code, message = CodeUnknown, "the change may or may not have been carried out: "+message
	}
	o.answerOperation(p, o.refusalFor(p, code, message))
}

// giveUpAll gives up every operation, after a disk error or when the node leaves.
func (o *operations) giveUpAll(code tree.Code, message string) {
	for _, p := range o.inArrivalOrder {
		if !p.isAnswered {
			o.answerWithoutResult(p, code, message)
		}
	}
	o.markedReads, o.unmarkedReads = nil, nil
	o.dropAnswered()
}

func (o *operations) dropAnswered() {
	kept := o.inArrivalOrder[:0]
	for _, p := range o.inArrivalOrder {
		if !p.isAnswered {
			kept = append(kept, p)
		}
	}
	clear(o.inArrivalOrder[len(kept):])
	o.inArrivalOrder = kept
	o.unmarkedReads = slices.DeleteFunc(o.unmarkedReads,
		func(p *pendingOperation) bool { return p.isAnswered })
}
