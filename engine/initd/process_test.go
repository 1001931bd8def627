package initd

import (
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// fakeEnv is a machine that records what it is asked to do.
type fakeEnv struct {
	env.Env
	t      *testing.T
	full   bool
	told   map[string][]Order
	timers map[env.TimerID]time.Duration
	answer Answer
	off    string
	starts []string
	broken bool
}

func newEnv(t *testing.T) *fakeEnv {
	return &fakeEnv{t: t, told: map[string][]Order{}, timers: map[env.TimerID]time.Duration{}}
}

func (f *fakeEnv) Local(to string, payload []byte) error {
	if f.full {
		return env.ErrLocalFull
	}
	order, err := DecodeOrder(payload)
	require.NoError(f.t, err)
	f.told[to] = append(f.told[to], order)
	return nil
}
func (f *fakeEnv) Log() *slog.Logger                            { return slog.New(slog.DiscardHandler) }
func (f *fakeEnv) Emit(env.Record)                              {}
func (f *fakeEnv) SetTimer(id env.TimerID, after time.Duration) { f.timers[id] = after }
func (f *fakeEnv) StopTimer(id env.TimerID)                     { delete(f.timers, id) }
func (f *fakeEnv) Complete(_ env.OpID, output []byte) {
	f.answer = Answer{}
	require.NoError(f.t, json.Unmarshal(output, &f.answer))
}
func (f *fakeEnv) Machine() env.MachineControl { return f }
func (f *fakeEnv) PowerOff(restart bool) error {
	if f.broken {
		return errors.New("stuck")
	}
	f.off = map[bool]string{true: "reboot", false: "off"}[restart]
	return nil
}
func (f *fakeEnv) Start(process string) error {
	f.starts = append(f.starts, process)
	return nil
}

func start(t *testing.T) (*Init, *fakeEnv) {
	e := newEnv(t)
	p := New(Options{Services: []Service{{Name: "lrm"}, {Name: "crm", Within: time.Minute}}})
	require.NoError(t, p.Start(e))
	p.Step(env.LocalUp{Process: "lrm"})
	p.Step(env.LocalUp{Process: "crm"})
	return p, e
}

func ask(p *Init, verb Verb, service string) {
	p.Step(env.Invoked{Op: 1, Input: Request{Verb: verb, Service: service}.Encode()})
}

// The LRM ends first, then the CRM, then the machine.
func TestGoesDownInOrder(t *testing.T) {
	p, e := start(t)
	ask(p, Reboot, "")
	require.Equal(t, Answer{OK: true}, e.answer)
	require.Equal(t, map[string][]Order{"lrm": {{Down: true, Reboot: true, Stay: true}}}, e.told)
	ask(p, Shutdown, "")
	require.True(t, e.answer.OK, "a second wish changes nothing")
	require.Len(t, e.told["lrm"], 1)
	ask(p, Restart, "crm")
	require.False(t, e.answer.OK)
	require.Empty(t, e.timers, "the agent has all the time it wants")
	p.Step(env.LocalDown{Process: "lrm"})
	require.Len(t, e.told["crm"], 1)
	require.Equal(t, time.Minute, e.timers[timerWithin])
	require.Empty(t, e.off)
	p.Step(env.LocalDown{Process: "crm"})
	require.Equal(t, "reboot", e.off)
}

func TestWaitsForNobodyWhoIsNotThere(t *testing.T) {
	p, e := start(t)
	p.Step(env.LocalDown{Process: "lrm"})
	p.Step(env.LocalDown{Process: "crm"})
	ask(p, Shutdown, "")
	require.Equal(t, "off", e.off)
	require.Empty(t, e.told)
}

func TestManagerHasLimitedTime(t *testing.T) {
	p, e := start(t)
	p.Step(env.LocalDown{Process: "lrm"})
	ask(p, Shutdown, "")
	require.Empty(t, e.off)
	p.Step(env.TimerFired{ID: timerWithin})
	require.Equal(t, "off", e.off)
}

// A process that is started again meanwhile is asked again, and a full queue is not an answer.
func TestAsksAgain(t *testing.T) {
	p, e := start(t)
	e.full = true
	ask(p, Shutdown, "")
	require.Empty(t, e.told)
	require.Equal(t, retryPause, e.timers[timerRetry])
	e.full = false
	p.Step(env.TimerFired{ID: timerRetry})
	p.Step(env.TimerFired{ID: timerRetry})
	require.Len(t, e.told["lrm"], 1)
	p.Step(env.LocalDown{Process: "lrm"})
	p.Step(env.LocalUp{Process: "lrm"})
	require.Len(t, e.told["lrm"], 2)
	require.Len(t, e.told["crm"], 1)
	p.Step(env.LocalDown{Process: "lrm"})
	p.Step(env.LocalDown{Process: "crm"})
	require.Equal(t, "off", e.off)
}

// startLeaving starts a process whose machine is in a ring.
func startLeaving(t *testing.T) (*Init, *fakeEnv) {
	e := newEnv(t)
	p := New(Options{Services: []Service{{Name: "lrm"}, {Name: "crm", Within: time.Minute}},
		Leave: &LeaveOptions{Process: "store", Request: []byte("{}"), Ends: "cluster", Within: time.Second}})
	require.NoError(t, p.Start(e))
	for _, name := range []string{"cluster", "store", "lrm", "crm"} {
		p.Step(env.LocalUp{Process: name})
	}
	return p, e
}

// The node leaves its ring once both services have ended in order, and then the power goes off.
func TestLeavesItsRingBeforeThePowerGoesOff(t *testing.T) {
	p, e := startLeaving(t)
	ask(p, Shutdown, "")
	p.Step(env.LocalDown{Process: "lrm"})
	require.Empty(t, e.told["store"], "the manager still runs")
	p.Step(env.LocalDown{Process: "crm"})
	require.Len(t, e.told["store"], 1)
	require.Empty(t, e.off)
	p.Step(env.LocalMessage{From: "store", Payload: []byte("done")})
	require.Empty(t, e.off, "the cluster process is what counts")
	p.Step(env.LocalDown{Process: "cluster"})
	require.Equal(t, "off", e.off)

	p, e = startLeaving(t)
	ask(p, Shutdown, "")
	p.Step(env.LocalDown{Process: "lrm"})
	p.Step(env.LocalDown{Process: "crm"})
	p.Step(env.TimerFired{ID: timerLeave})
	require.Equal(t, "off", e.off, "it waits for a bounded time")
}

// What did not end in order may still run something, so the others have to miss the node.
func TestDoesNotLeaveOutOfOrder(t *testing.T) {
	for name, end := range map[string]func(p *Init){
		"the manager does not end in time": func(p *Init) {
			p.Step(env.LocalDown{Process: "lrm"})
			p.Step(env.TimerFired{ID: timerWithin})
		},
		"the agent crashed before": func(p *Init) { p.Step(env.LocalDown{Process: "crm"}) },
		// It froze its services, and they run until the power goes off.
		"the agent was stopped alone": func(p *Init) { p.Step(env.LocalDown{Process: "crm"}) },
	} {
		t.Run(name, func(t *testing.T) {
			p, e := startLeaving(t)
			switch name {
			case "the agent was stopped alone":
				ask(p, Stop, "lrm")
				fallthrough
			case "the agent crashed before":
				p.Step(env.LocalDown{Process: "lrm"})
			}
			ask(p, Shutdown, "")
			end(p)
			require.Empty(t, e.told["store"])
			require.Equal(t, "off", e.off)
		})
	}
}

// An operator who leaves is answered when the node has left, or why it has not; the machine stays on.
func TestLeave(t *testing.T) {
	p, e := startLeaving(t)
	ask(p, Leave, "")
	require.Equal(t, Answer{}, e.answer, "not yet")
	require.Equal(t, []Order{{Stay: true}}, e.told["lrm"], "as for a restart: services run on")
	p.Step(env.LocalDown{Process: "lrm"})
	p.Step(env.LocalDown{Process: "crm"})
	p.Step(env.LocalDown{Process: "cluster"})
	require.Equal(t, Answer{OK: true}, e.answer)
	require.Empty(t, e.off)
	p.Step(env.LocalUp{Process: "cluster"})
	ask(p, Leave, "")
	require.Len(t, e.told["store"], 2, "both have ended in order before")
	p.Step(env.TimerFired{ID: timerLeave})
	require.Equal(t, errLeaveTimeout.Error(), e.answer.Error)

	p, e = startLeaving(t)
	ask(p, Leave, "")
	ask(p, Shutdown, "")
	p.Step(env.LocalDown{Process: "lrm"})
	p.Step(env.LocalDown{Process: "crm"})
	p.Step(env.LocalDown{Process: "cluster"})
	require.Equal(t, "off", e.off, "the greater wish counts")

	p, e = start(t)
	ask(p, Leave, "")
	require.Contains(t, e.answer.Error, "no ring")
	p, e = startLeaving(t)
	for range maxLeaveRequests + 1 {
		ask(p, Leave, "")
	}
	require.Contains(t, e.answer.Error, "requests are waiting")
}

func TestSingleServices(t *testing.T) {
	p, e := start(t)
	ask(p, Restart, "lrm")
	ask(p, Stop, "crm")
	require.Equal(t, map[string][]Order{"lrm": {{}}, "crm": {{Stay: true}}}, e.told)
	p.Step(env.LocalDown{Process: "crm"})
	ask(p, Stop, "crm")
	require.Len(t, e.told["crm"], 1)
	ask(p, Start, "crm")
	require.Equal(t, []string{"crm"}, e.starts)
	ask(p, Stop, "store")
	require.Contains(t, e.answer.Error, "no such service")
	ask(p, "sleep", "")
	require.Contains(t, e.answer.Error, "sleep")
	p.Step(env.LocalMessage{From: "operator", Payload: []byte("nonsense")})
	require.Empty(t, e.off)
}

// noControls is a machine that cannot be controlled from within.
type noControls struct{ *fakeEnv }

func (noControls) Machine() env.MachineControl { return nil }

func TestWithoutControls(t *testing.T) {
	e := newEnv(t)
	p := New(Options{Services: []Service{{Name: "lrm"}}})
	require.NoError(t, p.Start(noControls{e}))
	ask(p, Shutdown, "")
	require.Equal(t, Answer{Error: ErrNoControls.Error()}, e.answer)
	ask(p, Start, "lrm")
	require.False(t, e.answer.OK)
}

func TestPowerThatFailsIsTriedAgain(t *testing.T) {
	p, e := start(t)
	e.broken = true
	p.Step(env.LocalDown{Process: "lrm"})
	p.Step(env.LocalDown{Process: "crm"})
	ask(p, Shutdown, "")
	require.Equal(t, retryPause, e.timers[timerRetry])
	e.broken = false
	p.Step(env.TimerFired{ID: timerRetry})
	require.Equal(t, "off", e.off)
}

func FuzzDecodeOrder(f *testing.F) {
	f.Add([]byte(`{"down":true,"reboot":true}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := DecodeOrder(data)
		if err == nil {
			again, err := DecodeOrder(env.EncodeJSON(o))
			require.NoError(t, err)
			require.Equal(t, o, again)
		}
	})
}

// A service that is asked to start while it ends starts again when it has ended.
func TestStartsAgainWhatIsStillEnding(t *testing.T) {
	p, e := start(t)
	ask(p, Stop, "lrm")
	ask(p, Start, "lrm")
	require.True(t, e.answer.OK)
	require.Empty(t, e.starts, "it has not ended yet")
	p.Step(env.LocalDown{Process: "lrm"})
	require.Equal(t, []string{"lrm"}, e.starts)
	p.Step(env.LocalUp{Process: "lrm"})
	p.Step(env.LocalDown{Process: "lrm"})
	require.Len(t, e.starts, 1, "once")
}

// While the node leaves its ring, a start waits until it has left.
func TestStartsAfterALeave(t *testing.T) {
	e := newEnv(t)
	p := New(Options{Services: []Service{{Name: "lrm"}}, Leave: &LeaveOptions{Process: "store",
		Ends:   "cluster",
		Within: time.Minute}})
	require.NoError(t, p.Start(e))
	p.Step(env.LocalUp{Process: "lrm"})
	ask(p, Leave, "")
	ask(p, Start, "lrm")
	require.True(t, e.answer.OK)
	p.Step(env.LocalDown{Process: "lrm"})
	require.Equal(t, []string{"lrm"}, e.starts)
}
