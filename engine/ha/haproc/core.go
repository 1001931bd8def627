package haproc

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/initd"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/engine/status"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/store/client"
	"github.com/holdfast-sim/holdfast/engine/store/lock"
	"github.com/holdfast-sim/holdfast/engine/watchdog"
)

// storeTimeout is how long a call of the store may take, unscaled.
const storeTimeout = 10 * time.Second

// firstTimer is the first id of the timers of a process's tasks.
const firstTimer env.TimerID = 1

// core is what both processes have: the clients of the store, the locks, the watchdog and the status
// process.
type core struct {
	opts     Options
	env      env.Env
	tasks    *env.Tasks
	store    *client.Client
	locks    *lock.Locks
	watchdog *watchdog.Client
	// endOrder is the order to end this process, nil when there is none.
	endOrder *initd.Order
	// orderReplaced means that endOrder is another one than that of the last shutdown.
	orderReplaced bool
	// wakeForRound ends the pause between two rounds.
	wakeForRound env.Signal
	// storeUp is raised when the store's process has started.
	storeUp      env.Signal
	statusClient *status.Client

	// startWall and startMono tie the HA manager's clock to the time of day at the start. From then on
	// it follows the monotonic clock, so that a step of the wall clock fences no node.
	startWall int64
	startMono time.Duration

	// storeStatus is the store's status at the last refresh; nil when there was no answer.
	storeStatus *store.Status

	// services were read in the generation servicesGeneration. A new generation begins whenever something may
	// have to be read again: with each round, each lock that is taken or renewed, and each guest that
	// this process moves. Commands that start in one round share one read.
	generation         uint64
	services           map[string]*ha.ServiceConfig
	servicesGeneration uint64

	parsedFiles
	// nodeLoads holds the loads of the nodes, as read in the generation measuredGeneration.
	nodeLoads           map[string]*resource.Load
	nodeLoadsGeneration uint64
}

func (c *core) startParts(e env.Env, o Options) error {
	if err := o.Check(); err != nil {
		return err
	}
	c.opts, c.env = o, e
	c.tasks = env.NewTasks(e, firstTimer)
	c.store = client.New(e, o.Timescale.Of(storeTimeout))
	c.locks = lock.New(e, c.store, o.Timescale.Of(lock.TTL))
	c.watchdog, c.statusClient = watchdog.NewClient(e), status.NewClient(e)
	c.startWall, c.startMono = e.Wall().Unix(), e.Mono()
	return nil
}

// offerEvent offers an event to each part in turn, and reports whether one of them took it.
func (c *core) offerEvent(ev env.Event) bool {
	if m, is := ev.(env.LocalMessage); is && m.From == initd.Process {
		c.takeOrder(m.Payload)
		return true
	}
	was := c.store.Up()
	taken := c.tasks.Step(ev) || c.store.Step(ev) || c.watchdog.Step(ev) || c.statusClient.Step(ev)
	if !was && c.store.Up() {
		c.storeUp.Raise()
	}
	return taken
}

// haSeconds returns the HA manager's clock in seconds of its own timers, which the timescale shortens.
func (c *core) haSeconds() int64 {
	since := c.env.Mono() - c.startMono
	return c.startWall + c.toManagerClock(int64(since/time.Second)) +
		c.toManagerClock(int64(since%time.Second))/int64(time.Second)
}

// toManagerClock converts an amount of time to the HA manager's clock.
func (c *core) toManagerClock(n int64) int64 {
	return c.opts.Timescale.Inverse().Times(n)
}

// toWallSeconds returns a time of the HA manager's clock as others read it: the time of day. The two differ
// only if the timescale makes the clock run faster. received is the inverse.
func (c *core) toWallSeconds(seconds int64) int64 {
	if c.opts.Timescale.IsOne() || seconds == 0 {
		return seconds
	}
	return c.startWall + c.opts.Timescale.Times(seconds-c.startWall)
}

func (c *core) fromWallSeconds(seconds int64) int64 {
	if c.opts.Timescale.IsOne() || seconds == 0 {
		return seconds
	}
	return c.startWall + c.toManagerClock(seconds-c.startWall)
}

// scaledSeconds converts seconds of the HA manager's timers to a duration.
func (c *core) scaledSeconds(n int) time.Duration {
	return c.opts.Timescale.Of(time.Duration(n) * time.Second)
}

// awaitStore waits until the store's process runs.
func (c *core) awaitStore(t *env.Task) {
	for !c.store.Up() {
		t.Wait(&c.storeUp, 0)
	}
}

// storeFile is a file of the store with its revision. Revision 0 means that there is no file.
type storeFile struct {
	data     []byte
	revision uint64
}

// storeEnv is the HA manager's environment as one task sees it. It implements ha.CRMEnv and ha.LRMEnv.
type storeEnv struct {
	*core
	task *env.Task
	// filesRead were read in this round. Reading a file twice in a round returns the same content. Taking or
	// renewing a lock empties it, so that everything read afterwards is at least as new as the lock.
	filesRead             map[string]storeFile
	managerStatusRevision uint64 // revision of the manager status that was read or written last
	versionPublished      bool   // this node has published its version
	commandBatches
}

var (
	_ ha.CRMEnv = (*crmEnv)(nil)
	_ ha.LRMEnv = (*storeEnv)(nil)
)

func newStoreEnv(c *core, t *env.Task) *storeEnv {
	return &storeEnv{core: c, task: t, filesRead: map[string]storeFile{}}
}

// dropCache drops everything that was read.
func (w *storeEnv) dropCache() {
	w.filesRead = map[string]storeFile{}
	w.generation++
}

// NodeName implements ha.Env.
func (w *storeEnv) NodeName() string { return w.opts.Node }

// NowSeconds implements ha.Env.
func (w *storeEnv) NowSeconds() int64 { return w.haSeconds() }

// Sleep implements ha.Env.
func (w *storeEnv) Sleep(seconds int) { w.task.Sleep(w.scaledSeconds(seconds)) }

// Log implements ha.Env.
func (w *storeEnv) Log(level ha.Level, message string) {
	l := slog.LevelInfo
	switch level {
	case ha.LevelWarning:
		l = slog.LevelWarn
	case ha.LevelErr:
		l = slog.LevelError
	}
	w.env.Log().Log(context.Background(), l, message)
}

// uidBytes is the number of random bytes that make an identifier unique.
const uidBytes = 12

// NewUID implements ha.Env.
func (w *storeEnv) NewUID() string {
	var b [uidBytes]byte
	w.env.Rand("uid").Fill(b[:])
	return hex.EncodeToString(b[:])
}

// RefreshClusterState implements ha.Env. It also updates the age of every lock.
func (w *storeEnv) RefreshClusterState() bool {
	w.dropCache()
	status, err := w.store.Status(w.task)
	w.core.storeStatus = status
	if err != nil || status.Phase == store.PhaseFailed {
		return false
	}
	return w.locks.Observe(w.task) == nil
}

// Quorate implements ha.Env: the cluster is quorate when its files can be written here.
func (w *storeEnv) Quorate() bool { return w.storeStatus != nil && w.storeStatus.Quorate }

// readFile reads a file, once in a round. A missing one is empty and at revision 0.
func (w *storeEnv) readFile(path string) (storeFile, error) {
	if f, known := w.filesRead[path]; known {
		return f, nil
	}
	data, revision, err := w.store.Read(w.task, path)
	if err != nil && !errors.Is(err, client.ErrNotFound) {
		return storeFile{}, err
	}
	f := storeFile{data: data, revision: revision}
	w.filesRead[path] = f
	return f, nil
}

// writeFile replaces a file that is at the expected revision, making its directory where it is missing.
func (w *storeEnv) writeFile(path string, data []byte, expect uint64) (uint64, error) {
	delete(w.filesRead, path)
	revision, err := w.store.CAS(w.task, path, data, expect)
	if expect == 0 && errors.Is(err, client.ErrNotFound) {
		if err := w.store.Mkdir(w.task, env.Dir(path)); err != nil {
			return 0, err
		}
		revision, err = w.store.CAS(w.task, path, data, expect)
	}
	return revision, err
}

// maxEdits bounds the attempts to edit a file that others edit at the same time.
const maxEdits = 10

// editFile changes a file in one atomic step. change gets the content and returns the new one, nil for no
// change.
func (w *storeEnv) editFile(path string, change func(old []byte) ([]byte, error)) error {
	for range env.Limit(w.env, "ha/few-edits", maxEdits, 1) {
		delete(w.filesRead, path)
		f, err := w.readFile(path)
		if err != nil {
			return err
		}
		data, err := change(f.data)
		if err != nil || data == nil {
			return err
		}
		if _, err = w.writeFile(path, data, f.revision); !errors.Is(err, client.ErrChanged) {
			return err
		}
	}
	return fmt.Errorf("editing %s: %w: others edit it all the time", path, client.ErrChanged)
}

// acquireLock takes or renews a lock. Everything that is read after that is at least as new as the lock.
func (w *storeEnv) acquireLock(name string) bool {
	ok := w.locks.Acquire(w.task, name)
	if ok {
		w.dropCache()
	}
	return ok
}

// openWatchdog opens the watchdog connection of this process. The time without feeding counts from
// the newest renewal of the named lock, which this node must hold: the manager's lock for the CRM,
// the agent lock for the LRM. The two implement ha.Env's OpenWatchdog with it.
func (w *storeEnv) openWatchdog(lockName string) (ha.Watchdog, error) {
	asked, held := w.locks.RequestedAt(lockName)
	if !held {
		return nil, fmt.Errorf("%w: the lock %s is not held", watchdog.ErrRefused, lockName)
	}
	if err := w.watchdog.Open(w.task, asked); err != nil {
		return nil, err
	}
	return &watchdogHandle{env: w, lockName: lockName}, nil
}

// watchdogHandle is an open watchdog connection.
type watchdogHandle struct {
	env      *storeEnv
	lockName string
}

// Feed implements ha.Watchdog.
func (g *watchdogHandle) Feed() {
	if asked, held := g.env.locks.RequestedAt(g.lockName); held {
		g.env.watchdog.Feed(asked)
	}
}

// Close implements ha.Watchdog.
func (g *watchdogHandle) Close() { g.env.watchdog.Close() }
