package store

import (
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/sqldb"
	"github.com/holdfast-sim/holdfast/engine/store/state"
)

// Store is the store process of one node. It implements env.Process.
type Store struct {
	opts     Options
	proposed *state.Config
	env      env.Env
	log      *slog.Logger

	backend state.Backend
	replica *state.Replica // what is on disk, except within carryOut
	failed  error          // why this store does not serve

	// unheard says that the cluster process runs and could not be asked to deliver yet.
	unheard bool

	ring  ringView
	queue []ordered // delivered, not yet carried out
	out   outbox
	in    reassembly
	ops   operations

	watchers []watcher
}

var _ env.Process = (*Store)(nil)

// New prepares a store process.
func New(o Options) *Store { return &Store{opts: o.withDefaults()} }

// Start implements env.Process. A disk error does not fail it: the store then says so to its
// clients and tries again. A database that is damaged or cannot be understood does.
func (s *Store) Start(e env.Env) error {
	s.env, s.log = e, e.Log()
	proposed, err := s.opts.proposal()
	if err != nil {
		return err
	}
	s.proposed = proposed
	s.ops.init()
	s.out.init(s)
	if end, ok := e.(env.EndNotifier); ok {
		end.AtEnd(s.release)
	}
	if err := s.open(false); errors.Is(err, sqldb.ErrUnusable) {
		return err
	} else if err != nil {
		s.fail(err)
	}
	s.env.SetTimer(timerSweep, s.opts.Timers.OperationTimeout/4)
	return nil
}

// release gives back what the garbage collector does not see, when the world ends the process.
func (s *Store) release() {
	if s.backend != nil {
		s.backend.Release()
	}
}

// open loads what is durable. It is the only source of the replica: memory is never trusted over
// a restart or a disk error.
func (s *Store) open(failed bool) error {
	backend, replica, err := s.opts.Open(sqldb.Options{
		Disk: s.env.Disk(), Name: s.opts.Database, Boot: s.env.Self().Boot, AfterError: failed,
		Limits: s.opts.Limits, NewIncarnation: s.drawIncarnation})
	if err != nil {
		return err
	}
	s.backend, s.replica, s.failed = backend, replica, nil
	s.log.Info("store opened", "revision", replica.Revision(), "epoch", replica.Epoch.String(),
		"incarnation", replica.Incarnation.String())
	s.tellAgain()
	return nil
}

// tellAgain records what may have become durable without a record, because this store's end came
// between the two: the changes of the last transaction, which were all of one epoch.
func (s *Store) tellAgain() {
	at := s.replica.Mark()
	s.env.Emit(Opened{Revision: at.Revision, Epoch: s.replica.Epoch, Chain: hexOf(at.Chain)})
	last := s.replica.Log.At(at.Revision)
	if last == nil {
		return
	}
	log, _ := s.replica.Log.Since(at.Revision - min(at.Revision, maxBatchCommands))
	for i := range log {
		if log[i].Epoch == last.Epoch {
			s.env.Emit(appliedRecord(&log[i]))
		}
	}
}

func (s *Store) drawIncarnation() (inc state.Incarnation) {
	s.env.Rand("incarnation").Fill(inc[:])
	return inc
}

// Step implements env.Process.
func (s *Store) Step(ev env.Event) {
	switch ev := ev.(type) {
	case env.LocalUp:
		if ev.Process == cpg.Process {
			s.hello()
		}
	case env.LocalDown:
		if ev.Process == cpg.Process {
			s.onClusterDown()
		}
	case env.LocalMessage:
		if ev.From == cpg.Process {
			s.onCluster(ev.Payload)
		} else {
			s.onRequest(client{local: ev.From}, ev.Payload)
		}
	case env.Invoked:
		s.onRequest(client{op: ev.Op}, ev.Input)
	case env.TimerFired:
		s.onTimer(ev.ID)
	}
}

func (s *Store) onTimer(id env.TimerID) {
	switch id {
	case timerFlush:
		s.flush()
	case timerPropose:
		s.propose()
	case timerFetch:
		s.sendFetch()
	case timerServe:
		s.serve()
	case timerReform:
		s.reform()
	case timerSweep:
		s.sweep()
	case timerOutbox:
		s.out.pump()
	case timerRecover:
		s.recover()
	}
}

// hello asks the cluster process to deliver from now on.
func (s *Store) hello() {
	if s.unheard = !s.toCluster(cpg.Hello{}); s.unheard {
		s.env.SetTimer(timerReform, s.opts.Timers.ReformDelay)
	}
}

func (s *Store) toCluster(m cpg.Message) bool {
	return s.env.Local(cpg.Process, cpg.Encode(m)) == nil
}

func (s *Store) onCluster(payload []byte) {
	m, err := cpg.Decode(payload)
	if err != nil {
		s.log.Error("cluster process sent what cannot be read", "error", err)
		return
	}
	switch m := m.(type) {
	case cpg.Config:
		s.onConfig(&m)
	case cpg.Deliver:
		s.onDeliver(&m)
	case cpg.Busy:
		s.out.refused(m.Cookie)
	}
}

// onClusterDown: without the cluster process there is no ring.
func (s *Store) onClusterDown() {
	s.fence()
	s.enterRing(ringView{})
	s.unheard = false
	s.env.StopTimer(timerReform)
}

// fail stops serving after a disk error. The replica in memory may be ahead of the disk by now, so
// nothing is answered from it any more.
func (s *Store) fail(err error) {
	s.log.Error("critical: store stops serving", "error", err)
	s.env.Emit(Failed{Reason: err.Error()})
	s.env.Probe("store/failed")
	was := s.writable()
	s.release()
	s.backend, s.replica, s.queue, s.failed = nil, nil, nil, err
	s.ring = ringView{id: s.ring.id, members: s.ring.members} // no part in it any more
	s.stopRingTimers()
	s.out.clear()
	s.noteWritable(was)
	message := fmt.Sprintf("the store of node %d stopped serving: %v", s.opts.Node, err)
	s.failOperations(message)
	s.failWatches(message)
	if !errors.Is(err, sqldb.ErrUnusable) {
		s.env.SetTimer(timerRecover, s.opts.Timers.FailedRetry)
	}
}

// recover opens the store again after a disk error and takes part from the next ring on.
func (s *Store) recover() {
	if s.failed == nil {
		return
	}
	if err := s.open(true); err != nil {
		s.log.Warn("store cannot serve yet", "error", err)
		s.failed = err
		if !errors.Is(err, sqldb.ErrUnusable) {
			s.env.SetTimer(timerRecover, s.opts.Timers.FailedRetry)
		}
		return
	}
	s.env.Probe("store/recovered")
	if !s.ring.id.IsZero() {
		s.reform()
	}
}

// commit makes a batch durable; false means that the store has failed.
func (s *Store) commit(batch *state.Batch) bool {
	if batch.Empty() {
		return true
	}
	if err := s.backend.Commit(batch); err != nil {
		s.fail(err)
		return false
	}
	for i := range batch.Log {
		s.env.Emit(appliedRecord(&batch.Log[i]))
	}
	s.wake(batch.Log)
	return true
}

func hexOf(sum [32]byte) string { return hex.EncodeToString(sum[:8]) }

// node is short for this node's id.
func (s *Store) node() ring.NodeID { return s.opts.Node }
