package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/check"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
	"github.com/holdfast-sim/holdfast/sim/choice"
	"github.com/holdfast-sim/holdfast/sim/kernel"
	"github.com/holdfast-sim/holdfast/sim/world"
)

// Backend is the name of the simulator in runs.
const Backend = "sim"

// Runner runs scenarios in the simulator.
type Runner struct{}

var _ scenarios.Runner = Runner{}

// ErrNotSimulated means that a subject has no processes for the simulator.
var ErrNotSimulated = errors.New("subject does not run in the simulator")

// run is one run under way.
type run struct {
	scenario       *scenarios.Scenario
	subject        scenarios.Subject
	result         *scenarios.Run
	world          *world.World
	judgeWatch     scenarios.Watch
	timelineFilter scenarios.TimelineFilter // nil: the timeline needs every record
	roleWatch      scenarios.RoleWatch      // nil: no fault is aimed at a role of the subject
	history        history.Recorder
	clients        []*world.Client
	auditors       []*world.Client
	auditOps       int // the most operations of an auditor
	faults         *faultInjection
	options        scenarios.RunOptions
	ctx            context.Context
	cutShort       bool        // a step never ended: there is no world to look at
	inKernel       atomic.Bool // the kernel handles events, rather than a callback of the caller
}

// Run implements scenarios.Runner.
func (Runner) Run(ctx context.Context, s *scenarios.Scenario, subject scenarios.Subject,
	o scenarios.RunOptions) (*scenarios.Run, error) {
	r, err := simulate(ctx, s, subject, o, nil)
	if err != nil {
		return nil, err
	}
	if !r.cutShort {
		check.Conclude(ctx, r.judgeWatch, r.result, o)
	}
	return r.result, nil
}

// simulate makes a run without judging it. It calls prepare, if set, with the world before the run
// begins.
func simulate(ctx context.Context, s *scenarios.Scenario, subject scenarios.Subject,
	o scenarios.RunOptions, prepare func(*world.World)) (*run, error) {
	choices := choicesOf(o)
	s, subject, err := scenarios.Vary(s, subject, choices.Lists())
	if err == nil {
		s, err = withTimers(ctx, s, subject)
	}
	if err != nil {
		return nil, err
	}
	return simulateVaried(ctx, s, subject, o, choices, prepare)
}

// simulateVaried makes a run of a scenario and a subject that leave nothing to the seed but the faults of a
// nemesis.
func simulateVaried(ctx context.Context, s *scenarios.Scenario, subject scenarios.Subject,
	o scenarios.RunOptions, choices *choice.Source, prepare func(*world.World)) (*run, error) {
	builder := subject.Builder()
	if builder == nil {
		return nil, fmt.Errorf("running %s: %w: use --on netns", subject.Kind(), ErrNotSimulated)
	}
	if err := scenarios.CheckProcesses(s, subject); err != nil {
		return nil, fmt.Errorf("running %s: %w", s.Name, err)
	}
	if lost := lostSteps.Load(); lost >= maxLostSteps {
		return nil, fmt.Errorf("running %s: %w: %d of them", s.Name, ErrLostSteps, lost)
	}
	entropy.runTurn.Lock()
	defer entropy.runTurn.Unlock()
	r := &run{scenario: s, subject: subject, options: o, ctx: ctx,
		result: &scenarios.Run{Scenario: s, Subject: subject, Seed: o.Seed, Backend: Backend,
			Overrides: o.Overrides},
		judgeWatch: subject.Judge().Watch(s)}
	r.timelineFilter, _ = subject.Judge().(scenarios.TimelineFilter)
	r.setUp(builder, choices)
	if prepare != nil {
		prepare(r.world)
	}
	defer entropy.useWorld(r.world.Entropy())()
	limit, err := stepTimeout(o)
	if err != nil {
		return nil, err
	}
	err, stuck := r.runWatched(limit)
	if stuck != nil {
		return r.abandonedRun(stuck), nil
	}
	r.finishRun(err)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return r, nil
}

// choicesOf returns the source of a run's draws.
func choicesOf(o scenarios.RunOptions) *choice.Source {
	mode := choice.Derive
	if o.ZeroDraws {
		mode = choice.Zero
	}
	return choice.New(choice.Options{Seed: o.Seed, Mode: mode, Overrides: o.Overrides})
}

func (r *run) setUp(builder scenarios.Builder, choices *choice.Source) {
	s := r.scenario
	cfg := world.Config{Seed: r.options.Seed, Names: s.Machines, Base: s.Base(),
		ChangeBase: s.ChangeBase(choices.Lists()), Disk: s.Disk,
		WatchdogPowersOff: s.Watchdog == scenarios.WatchdogPowerOff, Builder: builder, OnRecord: r.onRecord,
		OnProbe: r.onProbe}
	if r.options.KeepLogs {
		cfg.OnLog = func(l scenarios.LogLine) { r.result.Logs = append(r.result.Logs, l) }
		if r.options.Debug {
			cfg.LogLevel = slog.LevelDebug
		}
	}
	r.world = world.New(cfg, choices)
	r.prepareBranches(choices)
	schedule := scenarios.Expand(s, r.subject.Judge(), choices.Lists())
	r.roleWatch = scenarios.WatchRoles(s, r.subject, schedule)
	r.faults = scheduleFaults(r.world, r.roleWatch, s.Machines, schedule, s.Warmup, s.Duration)
	for i := range s.Workload.Clients {
		r.addClient(i)
	}
	for _, a := range scenarios.Actors(r.subject, timescale.Ratio{}) {
		r.addActor(a)
	}
	for i := range s.Machines {
		r.addAuditor(i)
	}
	for i := range s.Machines {
		r.world.Kernel.At(int64(time.Duration(i)*time.Millisecond), powerButton{r.world.MachineAt(i)}, 0, 0)
	}
}

// powerButton switches a machine on.
type powerButton struct{ machine *world.Machine }

func (p powerButton) Handle(uint32, uint64) { p.machine.PressPower() }

func (r *run) onRecord(rec scenarios.Stamped) error {
	if r.options.Records != nil {
		r.options.Records(rec)
	}
	if r.options.Records == nil || r.timelineFilter == nil || r.timelineFilter.InTimeline(rec.Record) {
		r.result.Records = append(r.result.Records, rec)
	}
	if r.roleWatch != nil {
		r.roleWatch.Observe(rec)
	}
	r.faults.observe(rec.Machine, rec.Record.RecordKind())
	return r.judgeWatch.Record(rec)
}

func (r *run) onProbe(m env.MachineID, id string) { r.faults.observe(m, id) }

// appendEvent adds an event to the clients' history.
func (r *run) appendEvent(e history.Event) { r.history.Append(e) }

func (r *run) addClient(number int) {
	s := r.scenario
	client := &workload.Client{Number: number, Machines: s.Machines, Spec: s.Workload,
		Codec: r.subject.Client()}
	c := r.world.Go(fmt.Sprintf("c%d", number), r.appendEvent, func(c *world.Client) error {
		client.Env = c
		if c.Sleep(s.Warmup) != nil {
			return nil
		}
		return client.Run()
	})
	r.clients = append(r.clients, c)
}

// addActor adds a background client of the subject.
func (r *run) addActor(a scenarios.Actor) {
	r.clients = append(r.clients, r.world.Go(a.Name, r.appendEvent, func(c *world.Client) error {
		if c.Sleep(r.scenario.Warmup) != nil {
			return nil
		}
		return a.Run(c)
	}))
}

// addAuditor asks one machine after quiescence.
func (r *run) addAuditor(machine int) {
	audit := &workload.Audit{Machine: machine, Machines: r.scenario.Machines, Spec: r.scenario.Workload,
		Codec: r.subject.Client(), Answered: func(op workload.Op, out []byte, err error) {
			r.result.Finals = append(r.result.Finals, scenarios.Final{
				Machine: r.world.MachineAt(machine).ID(), Op: op, Output: out, Err: err})
		}}
	a := r.world.Go("audit-"+r.scenario.Machines[machine], r.appendEvent, func(c *world.Client) error {
		if c.Sleep(r.scenario.End()) != nil {
			return nil
		}
		audit.Env = c
		return audit.Run()
	})
	r.auditors = append(r.auditors, a)
	r.auditOps = max(r.auditOps, audit.Operations())
}

// runToEnd lets virtual time pass until every auditor has its answers.
func (r *run) runToEnd() error {
	s := r.scenario
	end := s.Warmup + s.Duration
	if err := r.advanceTo(end); err != nil {
		return err
	}
	for _, c := range r.clients {
		c.Stop()
	}
	limit := s.End() + time.Duration(r.auditOps+1)*workload.AuditTimeout
	for at := end; at < limit && !r.finalsAnswered(); {
		step := min(time.Second, limit-at)
		if at < s.End() {
			step = s.End() - at
		}
		at += step
		if err := r.advanceTo(at); err != nil {
			return err
		}
	}
	return nil
}

// progressStep is the virtual time between two looks at the context and calls of Progress.
const progressStep = 10 * time.Second

func (r *run) advanceTo(to time.Duration) error {
	for r.world.Now() < to {
		if err := context.Cause(r.ctx); err != nil {
			return err
		}
		r.inKernel.Store(true)
		err := r.world.Kernel.Run(int64(min(to, r.world.Now()+progressStep)))
		r.inKernel.Store(false)
		if err != nil {
			return err
		}
		// Goroutines that processes have started, which they must not, are noticed when they run.
		runtime.Gosched()
		if err := r.world.Kernel.Interrupted(); err != nil {
			return err
		}
		if r.options.Progress != nil {
			r.options.Progress(scenarios.Progress{Phase: r.phaseName(), At: r.world.Now(),
				End: r.scenario.End()})
		}
	}
	return nil
}

func (r *run) phaseName() string {
	switch s, now := r.scenario, r.world.Now(); {
	case now < s.Warmup:
		return "warm-up"
	case now < s.Warmup+s.Duration:
		return "faults"
	}
	return "quiescence"
}

func (r *run) finalsAnswered() bool {
	for _, a := range r.auditors {
		if !a.Done() {
			return false
		}
	}
	return true
}

// finishRun ends everything and turns an error of the run into a verdict.
func (r *run) finishRun(err error) {
	for _, c := range append(r.clients, r.auditors...) {
		c.End()
	}
	out := r.result
	out.Duration = r.world.Now()
	out.Steps = r.world.Steps()
	out.Probes = r.world.Probes()
	out.Digest = r.world.Kernel.Digest.String()
	out.Applied, out.Untriggered = r.faults.Applied(), r.faults.Untriggered()
	r.world.Close()
	out.Events = r.history.Events()
	if problems := r.faults.Problems(); len(problems) > 0 {
		out.Verdicts = append(out.Verdicts, linearizability.Verdict{Checker: "faults",
			Validity: linearizability.Unknown, Summary: problems[0], Details: problems[1:]})
	}
	if err != nil {
		out.Verdicts = append(out.Verdicts, verdictOnError(err, out.Seed))
	}
	if errors.Is(err, world.ErrOutsideStep) {
		out.Digest = ""
	}
}

// verdictOnError is the verdict on a run that an error has ended.
func verdictOnError(err error, seed uint64) linearizability.Verdict {
	v := linearizability.Verdict{Checker: "run", Validity: linearizability.Invalid, Summary: err.Error()}
	var outside *world.OutsideStepError
	switch {
	case errors.As(err, &outside):
		v.Checker, v.Details = "env", outside.Stack
		v.Summary += fmt.Sprintf(" (seed %d)", seed)
	case errors.Is(err, kernel.ErrPanic):
		v.Checker = "panic"
		head, stack, _ := strings.Cut(v.Summary, "\n")
		v.Summary, v.Details = head, stackLines(stack)
	}
	return v
}
