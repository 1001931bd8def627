package store

import (
	"encoding/hex"
	"log/slog"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/store/sqldb"
	"github.com/holdfast-sim/holdfast/engine/store/state"
)

// durable is the state on disk and its replica in memory.
type durable struct {
	env  env.Env
	log  *slog.Logger
	opts *Options

	backend state.Backend
	// replica equals the disk, except while the apply stage works on a batch; nil after a disk error.
	replica *state.Replica
	// failure is why this store does not serve; nil while it does.
	failure error
}

// load loads what is durable. It is the only source of the replica: memory is never trusted over a restart
// or a disk error.
func (d *durable) load(afterError bool) error {
	backend, replica, err := d.opts.Open(sqldb.Options{
		Disk: d.env.Disk(), Name: d.opts.Database, Boot: d.env.Self().Boot, AfterError: afterError,
		Limits: d.opts.Limits, NewIncarnation: d.newIncarnation})
	if err != nil {
		return err
	}
	d.backend, d.replica, d.failure = backend, replica, nil
	d.log.Info("store opened", "revision", replica.Revision(), "epoch", replica.Epoch.String(),
		"incarnation", replica.Incarnation.String())
	d.emitLatest()
	return nil
}

// emitLatest records again what may have become durable without a record, because this store ended between
// the two: the changes of the last transaction, which were all of one epoch.
func (d *durable) emitLatest() {
	at := d.replica.Mark()
	d.env.Emit(Opened{Revision: at.Revision, Epoch: d.replica.Epoch, Chain: shortHex(at.Chain)})
	last := d.replica.Log.At(at.Revision)
	if last == nil {
		return
	}
	log, _ := d.replica.Log.Since(at.Revision - min(at.Revision, maxBatchCommands))
	for i := range log {
		if log[i].Epoch == last.Epoch {
			d.env.Emit(appliedRecord(&log[i]))
		}
	}
}

func (d *durable) newIncarnation() (inc state.Incarnation) {
	d.env.Rand("incarnation").Fill(inc[:])
	return inc
}

// commit makes a batch durable as one transaction. After an error the store must fail.
func (d *durable) commit(batch *state.Batch) error {
	if batch.Empty() {
		return nil
	}
	if err := d.backend.Commit(batch); err != nil {
		return err
	}
	for i := range batch.Log {
		d.env.Emit(appliedRecord(&batch.Log[i]))
	}
	return nil
}

// close gives up the database after an error.
func (d *durable) close(err error) {
	d.release()
	d.backend, d.replica, d.failure = nil, nil, err
}

// release frees the memory that the garbage collector does not see.
func (d *durable) release() {
	if d.backend != nil {
		d.backend.Release()
	}
}

// revision returns the replica's revision, 0 without one.
func (d *durable) revision() uint64 {
	if d.replica == nil {
		return 0
	}
	return d.replica.Revision()
}

// role returns what this store's incarnation is in its configuration.
func (d *durable) role() Role {
	switch {
	case d.replica == nil || d.replica.Config == nil:
		return RoleUninitialized
	case d.replica.Config.IsVoter(d.opts.Node, d.replica.Incarnation):
		return RoleVoter
	}
	return RoleLearner
}

func shortHex(sum [32]byte) string { return hex.EncodeToString(sum[:8]) }
