package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/holdfast-sim/holdfast/chaos/lease"
	"github.com/holdfast-sim/holdfast/chaos/netnode"
	"github.com/holdfast-sim/holdfast/chaos/vswitch"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// run is one run under way.
type run struct {
	runner      Runner
	result      *scenarios.Run
	driver      scenarios.Driver
	options     scenarios.RunOptions
	lease       *lease.Lease
	sentinel    *lease.Sentinel
	machines    []*machine
	frameSwitch *vswitch.Switch
	history     history.Synced

	startedAt         time.Time
	startedKernelTime int64 // the same instant on CLOCK_MONOTONIC, ns

	allWereReady atomic.Bool  // every program has been ready
	lastCalled   atomic.Int32 // the machine that a client called last

	remarks

	mu         sync.Mutex // guards what follows
	logs       []scenarios.LogLine
	ownRecords []scenarios.Stamped // records of the harness itself, such as power
}

// Phases of a run, as progress reports them.
const (
	phaseBuild      = "building nodes"
	phaseWarmup     = "warm-up"
	phaseFaults     = "faults"
	phaseQuiescence = "quiescence"
	phaseAudit      = "final questions"
	phaseChecking   = "checking"
)

func (r Runner) run(ctx context.Context, out *scenarios.Run, driver scenarios.Driver,
	o scenarios.RunOptions) (*scenarios.Run, error) {
	if err := Why(); err != nil {
		return nil, err
	}
	runTurn.Lock()
	defer runTurn.Unlock()
	defer tuneRuntime()()
	w := &run{runner: r, result: out, driver: driver, options: o}
	if err := w.run(ctx); err != nil {
		return nil, err
	}
	w.reportProgress(phaseChecking, out.Duration)
	w.judge(ctx)
	return out, nil
}

// runTurn keeps runs of this program from disturbing each other's timing.
var runTurn sync.Mutex

// Settings of the Go runtime during a run.
const (
	// reservedProcs is added to the number of processors for GOMAXPROCS, so that the switch's thread
	// never waits for a slot whose holder the kernel has not scheduled.
	reservedProcs = 4
	// gcPercent makes garbage collections rare, because each one stops every thread.
	gcPercent = 400
)

// tuneRuntime prepares the Go runtime for a run and returns what undoes it.
func tuneRuntime() func() {
	procs := runtime.GOMAXPROCS(runtime.NumCPU() + reservedProcs)
	percent := debug.SetGCPercent(gcPercent)
	return func() {
		debug.SetGCPercent(percent)
		runtime.GOMAXPROCS(procs)
	}
}

// run builds the nodes, executes the scenario and removes the nodes.
func (r *run) run(ctx context.Context) (err error) {
	root := r.runner.StateDir
	if root == "" {
		root = lease.Root()
	}
	cleaned, err := lease.Clean(root)
	if err != nil {
		return fmt.Errorf("cleaning up after runs that were killed: %w", err)
	}
	if len(cleaned) > 0 {
		r.addNote("removed what was left of the killed runs %v", cleaned)
	}
	if r.lease, err = lease.Take(root); err != nil {
		return err
	}
	defer func() {
		if removal := r.lease.Return(); removal != nil {
			err = errors.Join(err, removal)
		}
	}()
	r.reportProgress(phaseBuild, 0)
	defer func() { err = errors.Join(err, r.close()) }()
	if err := r.buildNodes(); err != nil {
		return err
	}
	r.runPhases(ctx)
	return nil
}

// buildNodes makes the nodes, their files and the switch between them.
func (r *run) buildNodes() error {
	s := r.result.Scenario
	for i, name := range s.Machines {
		m, err := r.newMachine(i, name)
		if err != nil {
			return err
		}
		r.machines = append(r.machines, m)
	}
	ports := make([]int, len(r.machines))
	targets := make([]lease.KillTarget, len(r.machines))
	for i, m := range r.machines {
		ports[i], targets[i] = m.node.Port(), m.node.KillTarget()
	}
	var err error
	if r.sentinel, err = lease.StartSentinel(targets); err != nil {
		return err
	}
	net := fault.NewNet(s.Machines, s.Base())
	if change := s.ChangeBase(draw.Derive(r.options.Seed)); change != nil {
		net.SetBase(change)
	}
	r.frameSwitch, err = vswitch.New(ports, net,
		func(from, to int) fault.LinkDraws {
			name := "link/" + s.Machines[from] + ">" + s.Machines[to]
			draw := func(label string) draw.Chooser { return draw.NewList(r.options.Seed, name, label) }
			return fault.LinkDraws{Loss: draw("loss"), Duplicate: draw("duplicate"), Reorder: draw("reorder"),
				Delay: draw("delay"), Corrupt: draw("corrupt")}
		})
	if err != nil {
		return err
	}
	if caveat := r.frameSwitch.Boosted(); caveat != nil {
		r.addNote("%v", caveat)
	}
	if caveat := r.machines[0].node.Caveat(); caveat != nil {
		r.addNote("%v", caveat)
	}
	return nil
}

// maxDirBytes leaves room for a file name within the 107 bytes that a unix socket's path may have.
const maxDirBytes = 107 - 20

func (r *run) newMachine(i int, name string) (*machine, error) {
	s := r.result.Scenario
	m := &machine{run: r, programOutput: programOutput{run: r}, activeKills: map[string]int{},
		activePauses: map[string]int{}}
	m.Machine = scenarios.Machine{ID: machineID(i), Name: name, Dir: filepath.Join(r.lease.Dir, name),
		Timescale: r.options.Timescale, Seed: r.options.Seed}
	for other := range s.Machines {
		m.Addrs = append(m.Addrs, netnode.Addr(other))
	}
	if len(m.Dir) > maxDirBytes {
		return nil, fmt.Errorf("the directory of %s, %s, is too long for the unix sockets in it: "+
			"set HOLDFAST_STATE_DIR to a shorter path", name, m.Dir)
	}
	var err error
	if m.node, err = netnode.New(r.lease.Name(i), m.Dir, i, len(s.Machines)); err != nil {
		return nil, err
	}
	m.programOutput.machine = m.Machine
	if err = m.prepareFiles(r.driver); err == nil {
		err = m.openPowerSwitch()
	}
	if err != nil {
		return nil, errors.Join(err, m.node.Close())
	}
	return m, nil
}

// runPhases runs the phases of the scenario. Its failures become problems or findings of the run.
func (r *run) runPhases(ctx context.Context) {
	r.startedAt, r.startedKernelTime = time.Now(), kernelNow()
	for _, m := range r.machines {
		if err := m.startProgram(); err != nil {
			r.addProblem("%v", err)
			return
		}
	}
	s := r.result.Scenario
	if !r.warmUp(ctx) {
		return
	}
	r.allWereReady.Store(true)
	clients := r.startClients(ctx)
	operating, stopOperator := context.WithCancel(ctx)
	var operator sync.WaitGroup
	operator.Go(func() { r.runOperator(operating) })
	defer operator.Wait()
	defer stopOperator()
	r.injectFaults(ctx)
	clients.stop()
	r.waitUntil(ctx, phaseQuiescence, r.now()+s.Quiescence)
	clients.wait()
	if ctx.Err() == nil {
		r.reportProgress(phaseAudit, r.now())
		r.audit(ctx)
		r.collectProbes(ctx)
	}
	r.result.Duration = r.now()
	if err := context.Cause(ctx); err != nil {
		r.addProblem("the run was stopped early: %v", err)
	}
}

// runOperator runs the driver's operator, if it has one.
func (r *run) runOperator(ctx context.Context) {
	d, ok := r.driver.(OperatorDriver)
	if !ok {
		return
	}
	machines := make([]scenarios.Machine, len(r.machines))
	for i, m := range r.machines {
		machines[i] = m.Machine
	}
	d.Operate(ctx, machines, r.now, func(machine int, record env.Record) {
		r.addRecord(machine, "operator", record)
	})
}

// addRecord adds a record of the harness itself, with the present time.
func (r *run) addRecord(machine int, process string, record env.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ownRecords = append(r.ownRecords, scenarios.Stamped{At: r.now(), Machine: machineID(machine),
		Process: process, Record: record})
}

// readyExtra is how much longer than the warm-up the programs may take to get ready.
const readyExtra = 20 * time.Second

// warmUp waits for the end of the warm-up and until every program is ready. It returns false when
// one is not ready in time.
func (r *run) warmUp(ctx context.Context) bool {
	limit, cancel := context.WithTimeout(ctx, r.result.Scenario.Warmup+readyExtra)
	defer cancel()
	var ready sync.WaitGroup
	errs := make([]error, len(r.machines))
	for i, m := range r.machines {
		ready.Go(func() { errs[i] = m.awaitReady(limit) })
	}
	r.waitUntil(ctx, phaseWarmup, r.result.Scenario.Warmup)
	ready.Wait()
	for i, err := range errs {
		if err != nil {
			m := r.machines[i]
			r.addProblem("%s did not get ready: %v; it last wrote: %s", m.Name, err,
				m.programOutput.lastText())
		}
	}
	if late := r.now() - r.result.Scenario.Warmup; late > time.Second {
		r.addNote("the warm-up took %v longer than the scenario says, until every program was ready",
			late.Round(time.Millisecond))
	}
	return errors.Join(errs...) == nil && ctx.Err() == nil
}

// waitUntil waits until a time of the run.
func (r *run) waitUntil(ctx context.Context, phase string, until time.Duration) {
	for r.now() < until && ctx.Err() == nil {
		r.reportProgress(phase, r.now())
		sleep(ctx, min(progressEvery, until-r.now()))
	}
}

const progressEvery = time.Second

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func (r *run) now() time.Duration { return time.Since(r.startedAt) }

func (r *run) reportProgress(phase string, at time.Duration) {
	if r.options.Progress != nil {
		r.options.Progress(scenarios.Progress{Phase: phase, At: at, End: r.result.Scenario.End()})
	}
}

// close ends the programs, reads their records and output, and removes the nodes.
func (r *run) close() error {
	var failed []error
	for _, m := range r.machines {
		failed = append(failed, m.endProgram())
	}
	for _, m := range r.machines {
		m.programOutput.readersWG.Wait()
		r.readCounters(m)
		r.readRecords(m)
	}
	if r.frameSwitch != nil {
		if err := r.frameSwitch.Close(); err != nil {
			r.addProblem("%v", err)
		}
		r.noteTraffic(r.frameSwitch.Stats())
	}
	for _, m := range r.machines {
		failed = append(failed, m.node.Close(), r.keepDirectory(m))
	}
	if r.sentinel != nil {
		failed = append(failed, r.sentinel.Stop())
	}
	r.result.Events = r.history.Events()
	r.result.Logs = r.logs
	r.result.Records = append(r.result.Records, r.ownRecords...)
	return errors.Join(failed...)
}

// keepDirectory copies a machine's directory to the runner's KeepDirs.
func (r *run) keepDirectory(m *machine) error {
	if r.runner.KeepDirs == "" {
		return nil
	}
	to := filepath.Join(r.runner.KeepDirs, m.Name)
	if err := os.RemoveAll(to); err != nil {
		return fmt.Errorf("keeping the directory of %s: %w", m.Name, err)
	}
	if err := os.CopyFS(to, regularFiles{os.DirFS(m.Dir)}); err != nil {
		return fmt.Errorf("keeping the directory of %s: %w", m.Name, err)
	}
	return nil
}

func kernelNow() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic("chaos: the kernel has no monotonic clock: " + err.Error())
	}
	return ts.Nano()
}
