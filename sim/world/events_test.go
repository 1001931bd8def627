package world_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/sim/choice"
	"github.com/holdfast-sim/holdfast/sim/world"
)

// The traffic of BenchmarkEvents: every machine's front process sends to two others each
// millisecond, arms its time-out anew with every datagram, and hands every datagram on to the
// back process of its machine, which counts it and answers every fourth.
const (
	eventsMachines = 5
	eventsPeriod   = time.Millisecond
	eventsTimeout  = 20 * time.Millisecond
)

type front struct {
	env     env.Env
	packet  [64]byte
	next    int
	timeout int
}

func (f *front) Start(e env.Env) error {
	f.env = e
	e.SetTimer(1, eventsPeriod)
	e.SetTimer(2, eventsTimeout)
	return nil
}

func (f *front) Step(ev env.Event) {
	switch ev := ev.(type) {
	case env.TimerFired:
		if ev.ID == 2 {
			f.timeout++
			f.env.SetTimer(2, eventsTimeout)
			return
		}
		self := int(f.env.Self().Machine)
		for i := range 2 {
			f.env.Send(env.MachineID((self+1+(f.next+i)%(eventsMachines-1))%eventsMachines), 0, f.packet[:])
		}
		f.next++
		f.env.SetTimer(1, eventsPeriod)
	case env.Received:
		f.env.SetTimer(2, eventsTimeout)
		if err := f.env.Local("back", ev.Payload); err != nil {
			panic(err)
		}
	}
}

type back struct {
	env   env.Env
	count int
}

func (b *back) Start(e env.Env) error { b.env = e; return nil }

func (b *back) Step(ev env.Event) {
	if ev, ok := ev.(env.LocalMessage); ok {
		if b.count++; b.count%4 == 0 {
			if err := b.env.Local("front", ev.Payload[:8]); err != nil {
				panic(err)
			}
		}
	}
}

type eventsBuilder struct{}

func (eventsBuilder) Files(env.MachineID) []scenarios.File { return nil }

func (eventsBuilder) Processes(env.MachineID) []scenarios.ProcessSpec {
	return []scenarios.ProcessSpec{{Name: "back", New: func() env.Process { return &back{} }},
		{Name: "front", New: func() env.Process { return &front{} }}}
}

// runEvents runs the traffic and returns how many events processes handled.
func runEvents(tb testing.TB, virtual time.Duration) (steps, draws uint64) {
	base := fault.Condition{Latency: 300 * time.Microsecond, Jitter: 200 * time.Microsecond,
		Loss: 10_000, Duplicate: 5_000, Reorder: 10_000}
	choices := choice.New(choice.Options{Seed: 1})
	w := world.New(world.Config{Seed: 1, Names: scenarios.Count(eventsMachines), Base: base,
		Builder: eventsBuilder{}}, choices)
	for i := range eventsMachines {
		w.MachineAt(i).PowerOn()
	}
	require.NoError(tb, w.Kernel.Run(int64(virtual)))
	require.NotEmpty(tb, w.Kernel.Digest.String())
	w.Close()
	return w.Steps(), choices.Count()
}

func TestEventsTraffic(t *testing.T) {
	steps, draws := runEvents(t, time.Second)
	// A timer, two datagrams, two local messages and half an answer for each machine and period.
	require.InDelta(t, 5.5*1000*eventsMachines, steps, 1500)
	require.Greater(t, draws, 2*steps)
}

// BenchmarkEvents reports how many events one core handles in a second through env: datagrams on
// links with delay, jitter, loss, duplicates and reordering, timers that are armed anew, local
// messages, with choices and digest on.
func BenchmarkEvents(b *testing.B) {
	const virtual = 20 * time.Second
	var steps, draws uint64
	before := cpuTime()
	for b.Loop() {
		n, d := runEvents(b, virtual)
		steps, draws = steps+n, draws+d
	}
	used := (cpuTime() - before).Seconds()
	b.ReportMetric(float64(steps)/used, "events/core-s")
	b.ReportMetric(float64(draws)/used, "draws/core-s")
	b.ReportMetric(0, "ns/op")
}
