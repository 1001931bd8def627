package initd

import (
	"errors"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// maxLeaveRequests bounds the operations that wait until the node has left.
const maxLeaveRequests = 16

// ringLeave is how far the node is with leaving its ring, after the end of its services.
type ringLeave struct {
	begun, asked, left, timeIsUp bool
	refusal                      error // why the node does not leave
	waiting                      []env.OpID
}

var (
	errNotInOrder = errors.New("a service of this node did not end in order, or has left something " +
		"running: the node does not leave its ring, and the others miss it")
	errLeaveTimeout = errors.New("the node did not leave its ring in time")
)

// leaveRing has the node leave its ring; it reports whether that is over, one way or the other.
func (p *Init) leaveRing() bool {
	f, l := &p.ringLeave, p.opts.Leave
	switch {
	case l == nil || f.left || f.refusal != nil:
		return true
	case !f.begun && !p.allEndedInOrder():
		p.env.Log().Warn("the node does not leave its ring in order", "err", errNotInOrder.Error())
		f.refusal = errNotInOrder
	case !p.serviceUp[l.Ends]:
		f.left = true
	case f.timeIsUp:
		p.env.Log().Warn("the node does not leave its ring in order", "err", errLeaveTimeout.Error())
		f.refusal = errLeaveTimeout
	case !f.asked:
		p.askToLeave(l)
		return false
	default:
		return false
	}
	p.env.StopTimer(timerLeave)
	return true
}

// askToLeave asks once; a full queue is asked again, as long as there is time.
func (p *Init) askToLeave(l *LeaveOptions) {
	if !p.ringLeave.begun {
		p.ringLeave.begun = true
		p.env.SetTimer(timerLeave, l.Within)
	}
	if p.env.Local(l.Process, l.Request) != nil {
		p.env.SetTimer(timerRetry, retryPause)
		return
	}
	p.ringLeave.asked = true
}

// allEndedInOrder reports whether each service has ended after it was asked to. A service that crashed may
// have left something running, which nothing guards but the time that the others wait for it. The same holds
// for a service that was stopped alone before its machine goes down.
func (p *Init) allEndedInOrder() bool {
	needed := orderDown
	if p.downVerb == Leave {
		needed = orderStop
	}
	for _, s := range p.opts.Services {
		if p.serviceUp[s.Name] || p.unfinished[s.Name] || p.endedInOrder[s.Name] < needed {
			return false
		}
	}
	return true
}

// answerLeaves answers the operations that wait for the node to leave.
func (p *Init) answerLeaves() {
	answer := Answer{OK: p.ringLeave.refusal == nil}
	if !answer.OK {
		answer.Error = p.ringLeave.refusal.Error()
	}
	for _, op := range p.ringLeave.waiting {
		p.env.Complete(op, env.EncodeJSON(answer))
	}
	p.ringLeave.waiting = nil
}
