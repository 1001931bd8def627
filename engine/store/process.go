package store

import (
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/store/state"
)

// Store is the store process of one node. It implements env.Process: it hands events to its stages, in the
// order in which a write passes them, and carries out what concerns all of them (lifecycle).
type Store struct {
	shared
	intake     intake
	ops        operations
	reassembly reassembly
	receiver   receiver
	applier    applier
	acks       acknowledgements
	epoch      epoch
	catchUp    catchUp
	watches    watches
	cluster    cluster
	quorumLog  quorumLog
	leaving    orderlyLeave
}

var (
	_ env.Process = (*Store)(nil)
	_ lifecycle   = (*Store)(nil)
)

// New prepares a store process.
func New(o Options) *Store { return &Store{shared: shared{opts: o.withDefaults()}} }

// Start implements env.Process. A disk error does not fail it, nor a database that is damaged or cannot be
// understood: the store then reports that to its clients and tries again.
func (s *Store) Start(e env.Env) error {
	proposed, err := s.opts.proposedConfig()
	if err != nil {
		return err
	}
	s.connect(e, proposed)
	if end, ok := e.(env.EndNotifier); ok {
		end.AtEnd(s.disk.release)
	}
	if err := s.disk.load(false); err != nil {
		s.onDiskError(err)
	}
	s.env.SetTimer(timerSweep, s.opts.Timers.OperationTimeout/4)
	return nil
}

// connect gives every stage what it shares with the others and the stages that it calls.
func (s *Store) connect(e env.Env, proposed *state.Config) {
	all := &s.shared
	s.env, s.log, s.lifecycle = e, e.Log(), s
	s.disk = durableState{env: e, log: s.log, opts: &s.opts}
	s.outbox = outbox{shared: all, inFlight: map[uint64]*frame{}}
	s.watches = watches{shared: all}
	s.ops = operations{shared: all, epoch: &s.epoch, byRequest: map[string]*pendingOperation{}}
	s.leaving = orderlyLeave{shared: all, ops: &s.ops, applier: &s.applier}
	s.intake = intake{shared: all, ops: &s.ops, watches: &s.watches, leaving: &s.leaving, status: s.status}
	s.acks = acknowledgements{shared: all, ops: &s.ops}
	s.catchUp = catchUp{shared: all, acks: &s.acks}
	s.epoch = epoch{shared: all, catchUp: &s.catchUp, proposedConfig: proposed}
	s.applier = applier{shared: all, epoch: &s.epoch, catchUp: &s.catchUp, ops: &s.ops, acks: &s.acks,
		watches: &s.watches}
	s.receiver = receiver{shared: all, reassembly: &s.reassembly, epoch: &s.epoch, catchUp: &s.catchUp,
		applier: &s.applier, acks: &s.acks}
	s.cluster = cluster{shared: all}
}

// Step implements env.Process.
func (s *Store) Step(ev env.Event) {
	switch ev := ev.(type) {
	case env.LocalUp:
		if ev.Process == cpg.Process {
			s.leaving.onClusterUp()
			s.cluster.sendHello()
		}
	case env.LocalDown:
		if ev.Process == cpg.Process {
			s.onClusterDown()
		}
	case env.LocalMessage:
		if ev.From == cpg.Process {
			s.onCluster(ev.Payload)
		} else {
			s.intake.onRequest(client{localProcess: ev.From}, ev.Payload)
		}
	case env.Invoked:
		s.intake.onRequest(client{opID: ev.Op}, ev.Input)
	case env.TimerFired:
		s.onTimer(ev.ID)
	}
	s.leaving.advance()
}

func (s *Store) onTimer(id env.TimerID) {
	switch id {
	case timerFlush:
		s.applier.applyDelivered()
	case timerPropose:
		s.epoch.sendDecide()
	case timerFetch:
		s.catchUp.sendFetch()
	case timerServe:
		s.applier.applyDelivered() // the snapshot is of everything that was delivered
		s.catchUp.sendSnapshot()
	case timerReform:
		s.cluster.requestReform()
	case timerSweep:
		s.expireWaiting()
	case timerOutbox:
		s.outbox.sendQueued()
	case timerRecover:
		s.reopenAfterError()
	case timerLeave:
		s.leaving.onTimer()
	case timerRemember:
		if err := s.disk.persistMemory(); err != nil {
			s.onDiskError(err)
		}
	}
}

// expireWaiting ends what has waited for too long.
func (s *Store) expireWaiting() {
	now := s.env.Mono()
	s.ops.expireOld(now)
	s.watches.expireOld(now)
	s.env.SetTimer(timerSweep, s.opts.Timers.OperationTimeout/4)
}

func (s *Store) onCluster(payload []byte) {
	if s.leaving.stopped {
		return
	}
	if d, ok := cpg.DecodeDeliver(payload); ok {
		s.receiver.onDeliver(&d)
		return
	}
	m, err := cpg.Decode(payload)
	if err != nil {
		s.log.Error("cluster process sent what cannot be read", "error", err)
		return
	}
	switch m := m.(type) {
	case cpg.Config:
		s.onConfig(&m)
	case cpg.Quorum:
		s.onVotes(&m)
	case cpg.Busy:
		s.outbox.onBusy(m.Cookie)
	}
}

// onDiskError implements lifecycle. The replica in memory may be ahead of the disk by now, so the store no
// longer answers from it.
func (s *Store) onDiskError(err error) {
	err = s.disk.withRemedy(err)
	s.log.Error("critical: store stops serving", "error", err)
	s.env.Emit(Failed{Reason: err.Error()})
	s.env.Probe("store/failed")
	was := s.writable()
	s.disk.close(err)
	s.applier.delivered = nil
	s.replaceRing(ringState{id: s.ring.id, members: s.ring.members}) // not present in it
	s.outbox.clear()
	s.noteWritable(was)
	s.quorumLog.logChange(s.log, false, err)
	message := fmt.Sprintf("the store of node %d stopped serving: %v", s.opts.Node, err)
	s.ops.giveUpAll(CodeFailed, message)
	s.watches.failAll(message)
	s.env.SetTimer(timerRecover, s.disk.retryAfter(err))
}

// onWentBack implements lifecycle. The store goes on as one with a new disk: it gets the state of the next
// ring, and no vote until an operator gives it one. It must not go on under its old identity once it has the
// state again, because it has forgotten which rings it had reported to: an older ring that still lists it
// could count it once more.
func (s *Store) onWentBack(confirmed *state.PeerMark) {
	old := s.disk.replica.Mark()
	if err := s.disk.renewIdentity(); err != nil {
		s.onDiskError(err)
		return
	}
	s.env.Emit(WentBack{Revision: old.Revision, Confirmed: confirmed.Revision, Epoch: confirmed.Epoch,
		Incarnation: s.disk.replica.Incarnation.String()})
	s.env.Probe("store/went-back")
	s.onLeft()
	s.cluster.requestReform()
}

// onLeft implements lifecycle: the store confirms and answers nothing more in this ring.
func (s *Store) onLeft() {
	was := s.writable()
	s.applier.delivered = nil
	s.replaceRing(ringState{id: s.ring.id, members: s.ring.members}) // not present in it
	s.outbox.clear()
	s.noteWritable(was)
}

// reopenAfterError opens the store again after a disk error and takes part from the next ring on.
func (s *Store) reopenAfterError() {
	if s.disk.failure == nil {
		return
	}
	if err := s.disk.load(true); err != nil {
		err = s.disk.withRemedy(err)
		if err.Error() != s.disk.failure.Error() { // the same one was logged
			s.log.Warn("store cannot serve yet", "error", err)
		}
		s.disk.failure = err
		s.env.SetTimer(timerRecover, s.disk.retryAfter(err))
		return
	}
	s.env.Probe("store/recovered")
	if !s.ring.id.IsZero() {
		s.cluster.requestReform()
	}
}
