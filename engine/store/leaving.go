package store

import (
	"github.com/holdfast-sim/holdfast/engine/cpg"
)

// orderlyLeave is the orderly end of this store's part in its ring, before the machine goes down or the
// daemon ends: it accepts nothing more, answers what it has accepted, stops confirming, and only then has
// the cluster process leave. So no client is told of a change by a node that has left.
type orderlyLeave struct {
	*shared
	ops     *operations
	applier *applier

	requested bool
	stopped   bool // it confirms and answers nothing more
	clients   []leaveRequest
}

// leaveRequest is a client that waits for the end.
type leaveRequest struct {
	from client
	id   string
}

// maxLeaveRequests bounds the clients that wait for the end.
const maxLeaveRequests = 16

// beginOrJoin starts the end, or adds a client to one that is under way.
func (l *orderlyLeave) beginOrJoin(from client, req *Request) {
	if len(l.clients) >= maxLeaveRequests {
		l.replyRefused(from, req, CodeTryAgain, "too many requests to leave are waiting")
		return
	}
	l.clients = append(l.clients, leaveRequest{from, req.ID})
	if l.requested {
		return
	}
	l.log.Info("leaving the ring: no more changes are accepted", "unanswered", l.ops.unansweredCount)
	l.requested = true
	l.env.SetTimer(timerLeave, l.opts.Timers.LeaveWait)
}

// refuseWhileLeaving refuses a request that arrives while the store leaves; it reports whether it did.
func (l *orderlyLeave) refuseWhileLeaving(from client, req *Request) bool {
	if !l.requested {
		return false
	}
	l.replyRefused(from, req, CodeTryAgain, "this node is leaving the cluster: ask another one")
	return true
}

// advance continues the end after each event: nothing that can still be answered is waited for in vain.
func (l *orderlyLeave) advance() {
	if l.requested && !l.stopped && (l.ops.unansweredCount == 0 || !l.writable()) {
		l.stop()
	}
}

// onTimer stops waiting for answers, or asks the cluster process again.
func (l *orderlyLeave) onTimer() {
	switch {
	case l.stopped:
		l.tellCluster()
	case l.requested:
		l.env.Probe("store/left-with-unanswered-operations")
		l.stop()
	}
}

// stop ends this store's part in the ring. Changes that were sent and not confirmed in time may still be
// carried out by the others: their clients get that answer.
func (l *orderlyLeave) stop() {
	l.stopped = true
	was := l.writable()
	l.applier.applyDelivered()
	if err := l.disk.persistMemory(); err != nil {
		l.lifecycle.onDiskError(err)
	}
	l.lifecycle.onLeft()
	l.ops.giveUpAll(CodeTryAgain, "the node left the ring")
	l.env.Emit(Left{Ring: l.ring.id, Members: l.ring.members, WasWritable: was})
	l.tellCluster()
}

// tellCluster has the cluster process leave the ring, and answers the clients.
func (l *orderlyLeave) tellCluster() {
	if !l.toCluster(cpg.Leave{}) {
		l.env.SetTimer(timerLeave, l.opts.Timers.BusyRetry)
		return
	}
	for _, c := range l.clients {
		l.replyTo(c.from, &Response{ID: c.id, OK: true, Revision: l.disk.revision()})
	}
	l.clients = nil
}

// onClusterUp ends the leaving: the machine has not gone down, and the cluster process was started again.
func (l *orderlyLeave) onClusterUp() {
	for _, c := range l.clients {
		l.replyTo(c.from, &Response{ID: c.id, Code: CodeTryAgain, Revision: l.disk.revision(),
			Message: "the cluster process was started anew meanwhile"})
	}
	l.requested, l.stopped, l.clients = false, false, nil
	l.env.StopTimer(timerLeave)
}
