package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/host/hostapi"
	"github.com/holdfast-sim/holdfast/engine/host/hostwatchdog"
	"github.com/holdfast-sim/holdfast/engine/host/internal/incarnation"
	"github.com/holdfast-sim/holdfast/engine/host/internal/kernel"
	"github.com/holdfast-sim/holdfast/engine/host/internal/records"
)

// Host is one machine. Create it with [New] and run it once with [Host.Run].
type Host struct {
	cfg         Config
	clock       clock
	records     *records.File
	machineRoot *os.Root // the machine's directory
	diskRoot    *os.Root // what processes see
	log         *slog.Logger
	logOut      *logOutput
	procs       []*proc
	byName      map[string]*proc
	apiServers  []*hostapi.Server
	watchdog    env.Watchdog // nil: the machine has none
	started     time.Duration

	metrics http.Handler // nil: none

	mu         sync.Mutex // protects state, and up and incarnation of every process
	savedState savedState
	closed     bool

	fatalErr chan error // the first fatal error
	wg       sync.WaitGroup
}

// ErrPanic means that a process found a bug in itself. The whole host ends: another process may depend on
// an invariant of the process that panicked.
var ErrPanic = errors.New("process panicked")

// dirMode is the mode of the directories of a machine.
const dirMode = 0o750

// endGrace is how long Run waits for processes to leave their last Step.
const endGrace = 5 * time.Second

// New opens everything that a machine needs: its directory, sockets, API and record file. It starts
// nothing. After an error nothing is left open.
func New(cfg Config) (h *Host, err error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	h = &Host{cfg: cfg, byName: map[string]*proc{}, fatalErr: make(chan error, 1),
		logOut: &logOutput{w: cfg.Log}}
	defer func() {
		if err != nil {
			h.closeAll()
			h = nil
		}
	}()
	h.log = h.loggerFor("host")
	if err := h.openDir(); err != nil {
		return h, err
	}
	if h.records, err = records.Open(cfg.RecordFile); err != nil {
		return h, err
	}
	if h.watchdog, err = hostwatchdog.Open(cfg.Watchdog, cfg.Dir); err != nil {
		return h, configError(err, hostwatchdog.ErrUnusable)
	}
	if cfg.Watchdog == hostwatchdog.None {
		h.log.Warn("running without a watchdog: nothing resets this machine, so its services may run twice")
	}
	for i := range cfg.Processes {
		if err := h.addProcess(&h.cfg.Processes[i]); err != nil {
			return h, err
		}
	}
	if cfg.Metrics != nil {
		if h.metrics, err = cfg.Metrics(h); err != nil {
			return h, err
		}
	}
	h.apiServers, err = hostapi.Open(hostapi.Addresses{ClientSocket: cfg.APISocket, Remote: cfg.Remote,
		ControlSocket: cfg.ControlSocket, Name: cfg.Name}, served{h})
	return h, configError(configError(err, hostapi.ErrSocket), hostapi.ErrAccess)
}

// configError marks an error as one of the configuration if it wraps the given cause.
func configError(err, cause error) error {
	if errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return err
}

// loggerFor returns the log of a process, or of the host itself.
func (h *Host) loggerFor(process string) *slog.Logger {
	if h.cfg.LogJSON && h.cfg.Log != nil {
		return slog.New(newJSONHandler(h.logOut, h.cfg.Name, process, h.clock.wallTime, h.cfg.LogLevel))
	}
	return slog.New(&logHandler{output: h.logOut, machine: h.cfg.Name, process: process,
		wallClock: h.clock.wallTime, level: h.cfg.LogLevel})
}

// openDir opens the machine's directory, reads the host's state and counts a boot.
func (h *Host) openDir() error {
	disk := filepath.Join(h.cfg.Dir, "disk")
	if err := os.MkdirAll(disk, dirMode); err != nil {
		return fmt.Errorf("making the machine's directory: %w", err)
	}
	bootID := h.cfg.BootID
	if bootID == "" {
		bootID = kernel.BootID()
	}
	var err error
	if h.savedState, err = loadState(h.cfg.Dir, bootID); err != nil {
		return err
	}
	h.clock.skew = h.savedState.Skew
	if h.machineRoot, err = os.OpenRoot(h.cfg.Dir); err != nil {
		return fmt.Errorf("opening the machine's directory: %w", err)
	}
	if h.diskRoot, err = os.OpenRoot(disk); err != nil {
		return fmt.Errorf("opening the machine's disk: %w", err)
	}
	return nil
}

// addProcess adds a configured process with its sockets.
func (h *Host) addProcess(spec *Process) error {
	p := newProc(h, spec)
	h.procs = append(h.procs, p)
	h.byName[spec.Name] = p
	for i, l := range h.cfg.Links {
		s, err := openSocket(l, linkID(i), h.cfg.Machine, spec.Port, &p.stats)
		if err != nil {
			return fmt.Errorf("process %s: %w", spec.Name, err)
		}
		p.sockets = append(p.sockets, s)
	}
	return nil
}

// Run starts the processes and serves until the context ends, and returns nil then. It returns an error
// if the host cannot continue: ErrPanic, ErrOff, ErrReboot, or an error of the operating system.
// Everything is closed when it returns.
func (h *Host) Run(ctx context.Context) error {
	if err := h.startAll(); err != nil {
		h.closeAll()
		return err
	}
	for _, p := range h.procs {
		for _, s := range p.sockets {
			h.wg.Go(func() { s.receiveInto(p.inbox, &h.clock) })
		}
		h.wg.Go(p.supervise)
	}
	for _, a := range h.apiServers {
		h.wg.Go(func() {
			if err := a.Serve(); err != nil {
				h.failWith(err)
			}
		})
	}
	h.log.Info("machine is up", "index", h.cfg.Machine, "boot", h.savedState.Boot, "processes",
		len(h.procs))
	var err error
	select {
	case <-ctx.Done():
	case err = <-h.fatalErr:
		if errors.Is(err, ErrOff) || errors.Is(err, ErrReboot) {
			h.log.Info("machine stops", "reason", err)
		} else {
			h.log.Error("machine stops", "reason", err)
		}
	}
	h.stopAll()
	return err
}

// stopAll ends everything and waits a bounded time for the last Steps.
func (h *Host) stopAll() {
	h.mu.Lock()
	h.closed = true
	for _, p := range h.procs {
		h.markDown(p)
		close(p.hostEnded)
	}
	h.mu.Unlock()
	for _, a := range h.apiServers {
		a.Close()
	}
	for _, p := range h.procs {
		p.closeSockets()
	}
	done := make(chan struct{})
	go func() { h.wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(endGrace):
		h.log.Warn("a process has not left its last step", "after", endGrace)
	}
	h.closeAll()
}

// closeAll closes everything that New opened.
func (h *Host) closeAll() {
	for _, a := range h.apiServers {
		a.Close()
	}
	for _, p := range h.procs {
		p.closeSockets()
	}
	if h.records != nil {
		h.records.Close()
	}
	for _, r := range []*os.Root{h.machineRoot, h.diskRoot} {
		if r != nil {
			r.Close()
		}
	}
}

// failWith ends the host with an error.
func (h *Host) failWith(err error) {
	select {
	case h.fatalErr <- err:
	default:
	}
}

// startAll creates the first incarnation of every process, before any of them runs.
func (h *Host) startAll() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.started = kernel.Now()
	for _, p := range h.procs {
		h.savedState.Incarnations[p.spec.Name]++
	}
	if err := h.savedState.save(h.machineRoot); err != nil {
		return fmt.Errorf("remembering the start: %w", err)
	}
	for _, p := range h.procs {
		h.markUp(p)
	}
	return nil
}

// startIncarnation creates the next incarnation of a process. It returns false if the host is ending.
func (h *Host) startIncarnation(p *proc) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.savedState.Incarnations[p.spec.Name]++
	if err := h.savedState.save(h.machineRoot); err != nil {
		h.failWith(fmt.Errorf("remembering the start of %s: %w", p.spec.Name, err))
		return false
	}
	h.markUp(p)
	return true
}

// markUp makes a process visible to the others, so that they can send to it. The caller holds the lock.
func (h *Host) markUp(p *proc) {
	p.incarnation = incarnation.New(h.savedState.Incarnations[p.spec.Name], p.gate)
	p.inbox.resetTo(true)
	select {
	case <-p.startSignal: // this start was requested already
	default:
	}
	now := h.clock.monotonic()
	for _, other := range h.procs {
		if other == p || !other.isUp {
			continue
		}
		p.inbox.putItem(upNotice(other, now))
		other.inbox.putItem(upNotice(p, now))
	}
	p.isUp = true
}

// markDown ends the present incarnation of a process at once: nothing that it still does has an effect.
// The caller holds the lock.
func (h *Host) markDown(p *proc) {
	if !p.isUp {
		return
	}
	p.isUp = false
	p.incarnation.End()
	p.inbox.resetTo(false)
	p.inbox.wakeLoop()
	p.ops.failAll()
	now := h.clock.monotonic()
	for _, other := range h.procs {
		if other != p && other.isUp {
			other.inbox.putItem(downNotice(p, now))
		}
	}
}
