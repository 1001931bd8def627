package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
	"github.com/holdfast-sim/holdfast/sim/choice"
	"github.com/holdfast-sim/holdfast/sim/kernel"
	"github.com/holdfast-sim/holdfast/sim/world"
)

// Runner runs scenarios in the simulator.
type Runner struct{}

var _ scenarios.Runner = Runner{}

// ErrNotSimulated means that a subject has no processes for the simulator.
var ErrNotSimulated = errors.New("subject does not run in the simulator")

// auditTimeout is how long a machine may take to answer one question after quiescence.
const auditTimeout = 10 * time.Second

// run is one run under way.
type run struct {
	scenario *scenarios.Scenario
	subject  scenarios.Subject
	out      *scenarios.Run
	world    *world.World
	watch    scenarios.Watch
	filter   scenarios.TimelineFilter // nil: the timeline needs every record
	history  history.Recorder
	clients  []*world.Client
	auditors []*world.Client
	faults   *faults
	options  scenarios.RunOptions
	ctx      context.Context
}

// Run implements scenarios.Runner.
func (Runner) Run(ctx context.Context, s *scenarios.Scenario, subject scenarios.Subject,
	o scenarios.RunOptions) (*scenarios.Run, error) {
	r, err := simulate(ctx, s, subject, o, nil)
	if err != nil {
		return nil, err
	}
	scenarios.Conclude(ctx, r.watch, r.out)
	return r.out, nil
}

// simulate makes a run without judging it. It calls prepare, if set, with the world before the run
// begins.
func simulate(ctx context.Context, s *scenarios.Scenario, subject scenarios.Subject,
	o scenarios.RunOptions, prepare func(*world.World)) (*run, error) {
	choices := choicesOf(o)
	s, subject, err := scenarios.Vary(s, subject, choices.Lists())
	if err != nil {
		return nil, err
	}
	builder := subject.Builder()
	if builder == nil {
		return nil, fmt.Errorf("running %s: %w: use --on netns", subject.Kind(), ErrNotSimulated)
	}
	if err := scenarios.CheckProcesses(s, subject); err != nil {
		return nil, fmt.Errorf("running %s: %w", s.Name, err)
	}
	entropy.run.Lock()
	defer entropy.run.Unlock()
	r := &run{scenario: s, subject: subject, options: o, ctx: ctx,
		out:   &scenarios.Run{Scenario: s, Subject: subject, Seed: o.Seed, Backend: "sim"},
		watch: subject.Judge().Watch(s)}
	r.filter, _ = subject.Judge().(scenarios.TimelineFilter)
	r.setUp(builder, choices)
	if prepare != nil {
		prepare(r.world)
	}
	defer entropy.begin(r.world.Entropy())()
	err = r.runToEnd()
	r.finish(err)
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
	cfg := world.Config{Seed: r.options.Seed, Names: s.Machines, Base: s.Base(), Disk: s.Disk,
		StaysOff: s.Watchdog == scenarios.WatchdogPowerOff, Builder: builder, OnRecord: r.record}
	if r.options.KeepLogs {
		cfg.OnLog = func(l scenarios.LogLine) { r.out.Logs = append(r.out.Logs, l) }
		if r.options.Debug {
			cfg.LogLevel = slog.LevelDebug
		}
	}
	r.world = world.New(cfg, choices)
	schedule := scenarios.Expand(s, r.subject.Judge(), choices.Lists())
	r.faults = scheduleFaults(r.world, s.Machines, schedule, s.Warmup, s.Duration)
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
		r.world.Kernel.At(int64(time.Duration(i)*time.Millisecond), power{r.world.MachineAt(i)}, 0, 0)
	}
}

// power switches a machine on.
type power struct{ machine *world.Machine }

func (p power) Handle(uint32, uint64) { p.machine.PressPower() }

func (r *run) record(rec scenarios.Stamped) error {
	if r.options.Records != nil {
		r.options.Records(rec)
	}
	if r.options.Records == nil || r.filter == nil || r.filter.InTimeline(rec.Record) {
		r.out.Records = append(r.out.Records, rec)
	}
	return r.watch.Record(rec)
}

// append adds an event to the clients' history.
func (r *run) append(e history.Event) { r.history.Append(e) }

func (r *run) addClient(number int) {
	s := r.scenario
	client := &workload.Client{Number: number, Machines: s.Machines, Spec: s.Workload,
		Codec: r.subject.Client()}
	c := r.world.Go(fmt.Sprintf("c%d", number), r.append, func(c *world.Client) error {
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
	r.clients = append(r.clients, r.world.Go(a.Name, r.append, func(c *world.Client) error {
		if c.Sleep(r.scenario.Warmup) != nil {
			return nil
		}
		return a.Run(c)
	}))
}

// addAuditor asks one machine the final questions after quiescence.
func (r *run) addAuditor(machine int) {
	codec := r.subject.Client()
	a := r.world.Go("audit-"+r.scenario.Machines[machine], nil, func(c *world.Client) error {
		if c.Sleep(r.scenario.End()) != nil {
			return nil
		}
		for i, op := range codec.Final() {
			op.ID = fmt.Sprintf("audit-%d-%d", machine, i)
			process, input := codec.Encode(op)
			out, err := c.Do(machine, process, input, auditTimeout)
			r.out.Finals = append(r.out.Finals, scenarios.Final{
				Machine: r.world.MachineAt(machine).ID(), Op: op, Output: out, Err: err})
		}
		return nil
	})
	r.auditors = append(r.auditors, a)
}

// runToEnd lets virtual time pass until every auditor has its answers.
func (r *run) runToEnd() error {
	s := r.scenario
	end := s.Warmup + s.Duration
	if err := r.advance(end); err != nil {
		return err
	}
	for _, c := range r.clients {
		c.Stop()
	}
	limit := s.End() + time.Duration(len(r.subject.Client().Final())+1)*auditTimeout
	for at := end; at < limit && !r.finalsAnswered(); {
		step := min(time.Second, limit-at)
		if at < s.End() {
			step = s.End() - at
		}
		at += step
		if err := r.advance(at); err != nil {
			return err
		}
	}
	return nil
}

// progressStep is the virtual time between two looks at the context and calls of Progress.
const progressStep = 10 * time.Second

func (r *run) advance(to time.Duration) error {
	for r.world.Now() < to {
		if err := context.Cause(r.ctx); err != nil {
			return err
		}
		if err := r.world.Kernel.Run(int64(min(to, r.world.Now()+progressStep))); err != nil {
			return err
		}
		if r.options.Progress != nil {
			r.options.Progress(scenarios.Progress{Phase: r.phase(), At: r.world.Now(), End: r.scenario.End()})
		}
	}
	return nil
}

func (r *run) phase() string {
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

// finish ends everything and turns an error of the run into a verdict.
func (r *run) finish(err error) {
	for _, c := range append(r.clients, r.auditors...) {
		c.End()
	}
	out := r.out
	out.Duration = r.world.Now()
	out.Steps = r.world.Steps()
	out.Probes = r.world.Probes()
	out.Digest = r.world.Kernel.Digest.String()
	out.Applied = r.faults.Applied()
	r.world.Close()
	out.Events = r.history.Events()
	if problems := r.faults.Problems(); len(problems) > 0 {
		out.Verdicts = append(out.Verdicts, linearizability.Verdict{Checker: "faults",
			Validity: linearizability.Unknown, Summary: problems[0], Details: problems[1:]})
	}
	if err != nil {
		name := "run"
		if errors.Is(err, kernel.ErrPanic) {
			name = "panic"
		}
		out.Verdicts = append(out.Verdicts, linearizability.Verdict{Checker: name,
			Validity: linearizability.Invalid, Summary: err.Error()})
	}
}
