package store

import (
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/store/sqldb"
	"github.com/holdfast-sim/holdfast/engine/store/sqlitevfs"
	"github.com/holdfast-sim/holdfast/engine/store/state"
)

// durableState is the state on disk and its replica in memory.
type durableState struct {
	env  env.Env
	log  *slog.Logger
	opts *Options

	backend state.Backend
	// replica equals the disk, except while the apply stage works on a batch; nil after a disk error.
	replica *state.Replica
	// failure is why this store does not serve; nil while it does.
	failure error
	// memoryChanged reports that the replica's memory is newer than the disk's.
	memoryChanged bool
}

// load loads what is durable. It is the only source of the replica: memory is never trusted over a restart
// or a disk error.
func (d *durableState) load(afterError bool) error {
	backend, replica, err := d.opts.Open(sqldb.Options{
		Disk: d.env.Disk(), Name: d.opts.Database, Boot: d.env.Self().Boot, AfterError: afterError,
		Limits: d.opts.Limits, NewIncarnation: d.newIncarnation, PageBytes: d.opts.PageBytes,
		CheckpointPages: env.Limit(d.env, "store/eager-checkpoint", sqlitevfs.DefaultCheckpointPages, 1)})
	if err != nil {
		return err
	}
	d.backend, d.replica, d.failure, d.memoryChanged = backend, replica, nil, false
	d.log.Info("store opened", "revision", replica.Revision(), "epoch", replica.Epoch.String(),
		"incarnation", replica.Incarnation.String())
	d.emitLatest()
	return nil
}

// emitLatest records again what may have become durable without a record, because this store ended between
// the two: the changes of the last transaction, which were all of one epoch.
func (d *durableState) emitLatest() {
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

func (d *durableState) newIncarnation() (inc state.Incarnation) {
	d.env.Rand("incarnation").Fill(inc[:])
	return inc
}

// commit makes a batch durable as one transaction. After an error the store must fail.
func (d *durableState) commit(batch *state.Batch) error {
	if batch.Empty() {
		return nil
	}
	if d.memoryChanged {
		batch.Memory = d.replica.Memory
		d.env.SetTimer(timerRemember, d.rememberAfter())
	}
	if err := d.backend.Commit(batch); err != nil {
		return err
	}
	d.memoryChanged = d.memoryChanged && batch.Memory == nil
	for i := range batch.Log {
		d.env.Emit(appliedRecord(&batch.Log[i]))
	}
	return nil
}

// install makes an epoch and its state durable, with this store's memory.
func (d *durableState) install(inst *state.Installation) error {
	inst.Memory = d.replica.Memory
	if err := d.backend.Install(inst); err != nil {
		return err
	}
	d.memoryChanged = false
	return nil
}

// noteConfirmed remembers what a store of another node has confirmed. That becomes durable with the next
// commit, or a short time after the last one.
func (d *durableState) noteConfirmed(p state.PeerMark) {
	if d.replica.Memory.NoteConfirmed(p) {
		d.noteMemory()
	}
}

// lateRemember is how many times as long a store waits that is late in making its memory durable.
const lateRemember = 100

func (d *durableState) rememberAfter() time.Duration {
	after := d.opts.Timers.RememberAfter
	return env.Limit(d.env, "store/late-remember", after, lateRemember*after)
}

// noteMemory notes a change of the memory.
func (d *durableState) noteMemory() {
	if !d.memoryChanged {
		d.memoryChanged = true
		d.env.SetTimer(timerRemember, d.rememberAfter())
	}
}

// persistMemory makes the memory durable, unless a commit has.
func (d *durableState) persistMemory() error {
	if !d.memoryChanged || d.failure != nil {
		return nil
	}
	if err := d.backend.Remember(d.replica.Memory); err != nil {
		return err
	}
	d.memoryChanged = false
	return nil
}

// renewIdentity gives the store another identity.
func (d *durableState) renewIdentity() error {
	inc := d.newIncarnation()
	if err := d.backend.Renew(inc, d.replica.Memory); err != nil {
		return err
	}
	d.replica.Incarnation, d.memoryChanged = inc, false
	return nil
}

// close gives up the database after an error.
func (d *durableState) close(err error) {
	d.release()
	d.backend, d.replica, d.failure = nil, nil, err
}

// release frees the memory that the garbage collector does not see.
func (d *durableState) release() {
	if d.backend != nil {
		d.backend.Release()
	}
}

// revision returns the replica's revision, 0 without one.
func (d *durableState) revision() uint64 {
	if d.replica == nil {
		return 0
	}
	return d.replica.Revision()
}

// role returns what this store's incarnation is in its configuration.
func (d *durableState) role() Role {
	switch {
	case d.replica == nil || d.replica.Config == nil:
		return RoleUninitialized
	case d.replica.Config.IsVoter(d.opts.Node, d.replica.Incarnation):
		return RoleVoter
	}
	return RoleLearner
}

// withRemedy adds to the error of a damaged database where it is and what an operator can do about it.
func (d *durableState) withRemedy(err error) error {
	if !errors.Is(err, sqldb.ErrUnusable) {
		return err
	}
	file := path.Join(d.opts.DiskDir, d.opts.Database)
	if errors.Is(err, sqldb.ErrOtherVersion) {
		return fmt.Errorf("%w: the database is %s", err, file)
	}
	return fmt.Errorf("%w: the database is %s; move the directory %s away, and give the node its vote back "+
		"with holdfastd replace-member %d on a node of the cluster that has quorum", err, file,
		path.Dir(file), d.opts.Node)
}

// retryAfter returns when to try again after an error of the disk.
func (d *durableState) retryAfter(err error) time.Duration {
	if errors.Is(err, sqldb.ErrUnusable) {
		return d.opts.Timers.DamagedRetry
	}
	return d.opts.Timers.FailedRetry
}

// shortHexBytes is the length of a digest in records.
const shortHexBytes = 16

func shortHex(sum [32]byte) string { return hex.EncodeToString(sum[:shortHexBytes/2]) }
