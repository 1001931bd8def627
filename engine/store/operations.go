package store

import (
	"fmt"
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
	// response is what the operation comes to at its place in the order; nil before.
	response *Response
	at       uint64
	config   *state.Config // in force at that place
	done     bool
}

// operations are the unanswered operations of this node's clients.
type operations struct {
	all       []*pending // by arrival; answered ones are dropped from time to time
	live      int
	byRequest map[string]*pending // changes
	reads     []*pending          // not under a marker yet
	marker    uint64              // the last one sent
	marked    []*pending          // under the marker that is on its way
	awaiting  []*pending          // judged, by place in the order, not confirmed
}

func (o *operations) init() { o.byRequest = map[string]*pending{} }

// onRequest takes an operation of a client.
func (s *Store) onRequest(from client, input []byte) {
	req, err := from.request(input)
	if err != nil {
		s.reply(from, &Response{Code: tree.Invalid, Message: err.Error()})
		return
	}
	if req.Op == OpStatus {
		s.reply(from, &Response{ID: req.ID, OK: true, Status: s.status(), Revision: s.revision()})
		return
	}
	if s.failed != nil {
		s.refuse(from, req, CodeFailed, fmt.Sprintf("the store of node %d does not serve: %v", s.node(), s.failed))
		return
	}
	if req.Op == OpWatch {
		s.watch(from, req)
		return
	}
	if isLocal(req) {
		r := s.query(req)
		if from.local == "" { // what processes of this machine look up is nobody's history
			s.env.Emit(Answered{Revision: r.Revision, Epoch: s.replica.Epoch, Request: req.ID, Op: req.Op,
				Local: true, Code: string(r.Code)})
		}
		s.reply(from, r)
		return
	}
	s.accept(from, req)
}

func isLocal(req *Request) bool {
	switch req.Op {
	case OpDigest, OpDump, OpWitness:
		return true
	case OpRead, OpList:
		return req.Local
	}
	return false
}

func (s *Store) refuse(from client, req *Request, code tree.Code, message string) {
	s.reply(from, &Response{ID: req.ID, Code: code, Message: message, Revision: s.revision()})
}

func (s *Store) revision() uint64 {
	if s.replica == nil {
		return 0
	}
	return s.replica.Revision()
}

// accept starts an operation that needs the other nodes.
func (s *Store) accept(from client, req *Request) {
	p := &pending{clients: []client{from}, req: req, until: s.env.Mono() + s.opts.Timers.OperationTimeout}
	if req.Op != OpRead && req.Op != OpList {
		p.cmd = s.commandOf(req)
		if other := s.ops.byRequest[req.ID]; other != nil {
			s.join(from, p, other)
			return
		}
		if r := s.replica.Tree.CheckForm(&p.cmd.Op); r != nil && p.cmd.Replace.Node == 0 {
			s.refuse(from, req, r.Code, r.Message)
			return
		}
	}
	switch {
	case s.ops.live >= maxPending:
		s.env.Probe("store/too-many-operations")
		s.refuse(from, req, CodeTryAgain, "too many operations are waiting on this node")
		return
	case s.hopeless():
		s.refuse(from, req, s.hopelessCode(p), "this node's ring has no quorum")
		return
	}
	s.ops.all = append(s.ops.all, p)
	s.ops.live++
	if p.cmd != nil {
		s.ops.byRequest[req.ID] = p
	} else {
		s.ops.reads = append(s.ops.reads, p)
	}
	if s.writable() {
		s.put(p)
	}
}

// join lets another client wait for a change that is on its way already.
func (s *Store) join(from client, p, other *pending) {
	switch {
	case p.cmd.Digest() != other.cmd.Digest():
		s.refuse(from, p.req, tree.Invalid, "the request id is in use for another operation")
	case len(other.clients) >= maxClients:
		s.refuse(from, p.req, CodeTryAgain, "too many clients wait for this request")
	default:
		other.clients = append(other.clients, from)
	}
}

func (s *Store) commandOf(req *Request) *state.Command {
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
		Writer: uint32(s.node()), MtimeMS: s.env.Wall().UnixMilli()}
	return cmd
}

// hopeless says that this ring cannot acknowledge anything: its members do not have the votes, or
// those who reported do not.
func (s *Store) hopeless() bool {
	if s.writable() || s.ring.decision != nil {
		return false
	}
	if s.ring.waited && s.ring.refusal != nil {
		return true
	}
	c := s.replica.Config
	if c == nil || !s.ring.present {
		return false
	}
	var votes uint32
	for _, n := range s.ring.members {
		if m := c.Member(n); m != nil {
			votes += m.Votes
		}
	}
	return votes < c.Quorum()
}

func (s *Store) hopelessCode(p *pending) tree.Code {
	if p.cmd == nil {
		return CodeNoQuorum
	}
	return CodeReadOnly
}

// put puts an operation into the order of the present ring. A change that was sent before carries
// the revision of that time, so that a store that has forgotten it does not do it again.
func (s *Store) put(p *pending) {
	if p.cmd == nil {
		s.sendMarker()
		return
	}
	if !p.sentIn.IsZero() {
		s.env.Probe("store/change-sent-again")
	}
	s.out.send(&command{*p.cmd})
	if p.cmd.Since == 0 {
		p.cmd.Since = s.replica.Revision() + 1
	}
	p.sentIn = s.ring.id
}

// sendMarker puts one marker for all reads that wait, unless one is on its way.
func (s *Store) sendMarker() {
	if len(s.ops.marked) > 0 || len(s.ops.reads) == 0 {
		return
	}
	s.ops.marker++
	s.ops.marked, s.ops.reads = s.ops.reads, nil
	s.out.send(&marker{ID: s.ops.marker})
}

// judgeReads answers the reads of a marker from the state at its place in the order; the answers
// wait there for confirmation.
func (s *Store) judgeReads(o *ordered) {
	if o.from != s.node() || o.marker != s.ops.marker {
		return
	}
	marked := s.ops.marked
	s.ops.marked = nil
	for _, p := range marked {
		if !p.done {
			s.await(p, s.query(p.req), o.at, s.replica.Config)
		}
	}
	s.sendMarker()
}

// judged notes what a change of ours has come to.
func (s *Store) judged(o *ordered, config *state.Config, outcome *state.Outcome) {
	p := s.ops.byRequest[o.cmd.Request]
	if p == nil || p.sentIn != s.ring.id || p.response != nil {
		return
	}
	r := &Response{ID: p.req.ID, OK: outcome.Refusal == nil, Revision: outcome.Revision,
		Remembered: outcome.Remembered}
	if f := outcome.Refusal; f != nil {
		r.Code, r.Message, r.Actual = f.Code, f.Message, f.Actual
	}
	s.await(p, r, o.at, config)
}

func (s *Store) await(p *pending, r *Response, at uint64, config *state.Config) {
	p.response, p.at, p.config = r, at, config
	s.ops.awaiting = append(s.ops.awaiting, p)
}

// advance answers, in order, what is confirmed: changes, their refusals and reads alike.
func (s *Store) advance() {
	for len(s.ops.awaiting) > 0 {
		p := s.ops.awaiting[0]
		if !s.ring.confirmed(p.config, p.at) {
			return
		}
		s.ops.awaiting = s.ops.awaiting[1:]
		s.answer(p, p.response)
	}
}

func (s *Store) answer(p *pending, r *Response) {
	if p.done {
		return
	}
	p.done = true
	s.ops.live--
	if p.cmd != nil {
		delete(s.ops.byRequest, p.req.ID)
	}
	if p.cmd != nil && r.OK {
		s.env.Emit(Acknowledged{Revision: r.Revision, Epoch: s.ring.id, Request: r.ID, Op: p.req.Op})
	} else {
		s.env.Emit(Answered{Revision: r.Revision, Epoch: s.ring.id, Request: r.ID, Op: p.req.Op,
			Code: string(r.Code)})
	}
	for _, c := range p.clients {
		s.reply(c, r)
	}
}

// reopenOperations takes back what was on its way in the ring that is over: it is neither
// confirmed nor refused, and is put into the next epoch's order.
func (s *Store) reopenOperations() {
	s.ops.awaiting, s.ops.marked, s.ops.reads = nil, nil, nil
	s.compact()
	for _, p := range s.ops.all {
		p.response = nil
		if p.cmd == nil {
			s.ops.reads = append(s.ops.reads, p)
		}
	}
	s.refuseUnsent()
}

// resumeOperations puts everything that waits into the order of the epoch just installed.
func (s *Store) resumeOperations() {
	for _, p := range s.ops.all {
		if !p.done && p.cmd != nil && p.sentIn != s.ring.id {
			s.put(p)
		}
	}
	s.sendMarker()
}

// refuseUnsent answers what cannot be done in this ring and was never put into any order: that is
// definite. What was sent before stays open.
func (s *Store) refuseUnsent() {
	if s.failed != nil || !s.hopeless() {
		return
	}
	for _, p := range s.ops.all {
		if !p.done && p.sentIn.IsZero() {
			s.answer(p, s.refusal(p, s.hopelessCode(p), "this node's ring has no quorum"))
		}
	}
}

func (s *Store) refusal(p *pending, code tree.Code, message string) *Response {
	return &Response{ID: p.req.ID, Code: code, Message: message, Revision: s.revision()}
}

// sweep ends operations that took too long. A change that was sent may still happen.
func (s *Store) sweep() {
	now := s.env.Mono()
	for _, p := range s.ops.all {
		if !p.done && p.until <= now {
			s.giveUp(p, CodeTryAgain, "the store found no quorum in time")
		}
	}
	s.compact()
	s.sweepWatches(now)
	s.env.SetTimer(timerSweep, s.opts.Timers.OperationTimeout/4)
}

// giveUp answers without a result: definite if the operation was never sent or is a read.
func (s *Store) giveUp(p *pending, code tree.Code, message string) {
	if p.cmd != nil && !p.sentIn.IsZero() {
		s.env.Probe("store/outcome-unknown")
		code, message = CodeUnknown, "the change may or may not have been carried out: "+message
	}
	s.answer(p, s.refusal(p, code, message))
}

func (s *Store) failOperations(message string) {
	for _, p := range s.ops.all {
		if !p.done {
			s.giveUp(p, CodeFailed, message)
		}
	}
	s.ops.awaiting, s.ops.marked, s.ops.reads = nil, nil, nil
	s.compact()
}

func (s *Store) compact() {
	kept := s.ops.all[:0]
	for _, p := range s.ops.all {
		if !p.done {
			kept = append(kept, p)
		}
	}
	clear(s.ops.all[len(kept):])
	s.ops.all = kept
	s.ops.reads = slices.DeleteFunc(s.ops.reads, func(p *pending) bool { return p.done })
}
