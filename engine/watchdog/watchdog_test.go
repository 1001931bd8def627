package watchdog_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/envtest"
	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/engine/watchdog"
)

// device records what was done to it; expired reports whether it would have reset the machine.
type device struct {
	world    *envtest.World
	armed    bool
	timeout  time.Duration
	deadline time.Duration
	refuse   error
}

func (d *device) Arm(timeout time.Duration) error {
	if d.refuse != nil {
		return d.refuse
	}
	d.armed, d.timeout = true, timeout
	d.Pet()
	return nil
}
func (d *device) Pet()          { d.deadline = d.world.Now() + d.timeout }
func (d *device) Disarm() error { d.armed = false; return nil }
func (d *device) Armed() bool   { return d.armed }
func (d *device) expired() bool { return d.armed && d.world.Now() > d.deadline }

// onMachine gives a process an Env with a device.
type onMachine struct {
	env.Process
	device *device
}

type deviceEnv struct {
	env.Env
	device *device
}

func (e deviceEnv) Watchdog() env.Watchdog { return e.device }

func (m onMachine) Start(e env.Env) error { return m.Process.Start(deviceEnv{e, m.device}) }

// user is a process with a connection.
type user struct {
	env   env.Env
	tasks *env.Tasks
	dog   *watchdog.Client
}

func (u *user) Start(e env.Env) error {
	u.env, u.tasks, u.dog = e, env.NewTasks(e, 1), watchdog.NewClient(e)
	return nil
}

func (u *user) Step(ev env.Event) {
	if !u.tasks.Step(ev) {
		u.dog.Step(ev)
	}
}

type machine struct {
	t      *testing.T
	world  *envtest.World
	device *device
	mux    *envtest.Proc
}

func newMachine(t *testing.T) *machine {
	w := envtest.New()
	m := &machine{t: t, world: w, device: &device{world: w}}
	m.startMux()
	return m
}

func (m *machine) startMux() {
	var err error
	m.mux, err = m.world.Start(0, watchdog.Process,
		onMachine{watchdog.New(watchdog.DefaultOptions(timescale.Ratio{})), m.device})
	require.NoError(m.t, err)
}

func (m *machine) user(name string) (*user, *envtest.Proc) {
	u := &user{}
	p, err := m.world.Start(0, name, u)
	require.NoError(m.t, err)
	m.world.RunFor(time.Second)
	return u, p
}

func (m *machine) open(u *user, from time.Duration) (err error) {
	err = errors.New("no answer yet")
	u.tasks.Go(func(t *env.Task) { err = u.dog.Open(t, from) })
	m.world.RunFor(time.Second)
	return err
}

// untilReset lets time pass until the device expires and returns how long that took, 0 for never.
func (m *machine) untilReset(limit time.Duration) time.Duration {
	begun := m.world.Now()
	for m.world.Now()-begun < limit {
		m.world.RunFor(100 * time.Millisecond)
		if m.device.expired() {
			return m.world.Now() - begun
		}
	}
	return 0
}

func TestNobodyConnectedNothingArmed(t *testing.T) {
	m := newMachine(t)
	m.user("lrm")
	require.False(t, m.device.armed)
	require.Zero(t, m.untilReset(5*time.Minute))
}

func TestUnfedClientResetsTheMachineInTime(t *testing.T) {
	m := newMachine(t)
	u, _ := m.user("lrm")
	require.NoError(t, m.open(u, m.world.Now()))
	fed := m.world.Now()
	u.dog.Feed(fed)
	took := m.untilReset(5 * time.Minute)
	require.Greater(t, took, watchdog.ClientTime-2*time.Second)
	require.LessOrEqual(t, m.world.Now()-fed, watchdog.ResetTime+time.Second)
}

func TestFedClientKeepsTheMachine(t *testing.T) {
	m := newMachine(t)
	u, _ := m.user("lrm")
	require.NoError(t, m.open(u, m.world.Now()))
	for range 30 {
		u.dog.Feed(m.world.Now())
		require.Zero(t, m.untilReset(50*time.Second))
	}
	u.dog.Close()
	require.Zero(t, m.untilReset(5*time.Minute), "closed in good order")
	require.False(t, m.device.armed)
}

func TestFeedsCountFromWhatTheySay(t *testing.T) {
	m := newMachine(t)
	u, _ := m.user("lrm")
	opened := m.world.Now()
	require.NoError(t, m.open(u, opened))
	for range 100 { // fed all the time, but with an old instant
		u.dog.Feed(opened)
		if m.untilReset(5*time.Second) > 0 {
			break
		}
	}
	require.True(t, m.device.expired())
	require.LessOrEqual(t, m.world.Now()-opened, watchdog.ResetTime+time.Second)
}

func TestDeadClientResets(t *testing.T) {
	m := newMachine(t)
	u, p := m.user("lrm")
	require.NoError(t, m.open(u, m.world.Now()))
	m.world.Kill(p)
	took := m.untilReset(5 * time.Minute)
	require.NotZero(t, took)
	require.LessOrEqual(t, took, watchdog.HardwareTime+2*watchdog.CheckPeriod)
}

func TestDeadMultiplexerResets(t *testing.T) {
	m := newMachine(t)
	u, _ := m.user("lrm")
	require.NoError(t, m.open(u, m.world.Now()))
	m.world.Kill(m.mux)
	m.startMux() // a new multiplexer must not hide that connections were lost
	require.Error(t, m.open(u, m.world.Now()))
	require.NotZero(t, m.untilReset(time.Minute))
}

func TestPausedMultiplexerResets(t *testing.T) {
	m := newMachine(t)
	u, _ := m.user("lrm")
	require.NoError(t, m.open(u, m.world.Now()))
	m.world.Pause(m.mux)
	require.NotZero(t, m.untilReset(time.Minute))
}

func TestOneOfTwoClientsIsEnoughToReset(t *testing.T) {
	m := newMachine(t)
	a, _ := m.user("lrm")
	b, _ := m.user("crm")
	require.NoError(t, m.open(a, m.world.Now()))
	require.NoError(t, m.open(b, m.world.Now()))
	for range 20 {
		a.dog.Feed(m.world.Now())
		if m.untilReset(10*time.Second) > 0 {
			return
		}
	}
	require.Fail(t, "the other client was forgotten")
}

func TestRefusals(t *testing.T) {
	m := newMachine(t)
	u, _ := m.user("lrm")
	m.world.RunFor(2 * watchdog.ClientTime)
	require.ErrorIs(t, m.open(u, time.Second), watchdog.ErrRefused, "it would expire at once")
	m.device.refuse = errors.New("device busy")
	require.ErrorContains(t, m.open(u, m.world.Now()), "device busy")
	require.Zero(t, m.untilReset(5*time.Minute))

	w := envtest.New()
	_, err := w.Start(0, watchdog.Process, watchdog.New(watchdog.DefaultOptions(timescale.Ratio{})))
	require.NoError(t, err)
	bare := &machine{t: t, world: w}
	v, _ := bare.user("lrm")
	require.ErrorContains(t, bare.open(v, w.Now()), "no watchdog device")
}

// frozen is a process that is paused at times. What reaches it meanwhile waits for it.
type frozen struct {
	env.Process
	still bool
	queue []env.Event
}

func (f *frozen) Step(ev env.Event) {
	if f.still {
		f.queue = append(f.queue, ev)
		return
	}
	f.Process.Step(ev)
}

func (f *frozen) thaw() {
	f.still = false
	for _, ev := range f.queue {
		f.Process.Step(ev)
	}
	f.queue = nil
}

// TestAnswersToRequestsThatWereGivenUp: a multiplexer that was paused answers all requests of that time
// at once. A client must not take the refusal of an old request for the answer to its newest one, which
// is accepted: the machine would be reset for a client that believes it has no connection.
func TestAnswersToRequestsThatWereGivenUp(t *testing.T) {
	w := envtest.New()
	m := &machine{t: t, world: w, device: &device{world: w}}
	mux := &frozen{Process: onMachine{watchdog.New(watchdog.DefaultOptions(timescale.Ratio{})), m.device}}
	var err error
	m.mux, err = w.Start(0, watchdog.Process, mux)
	require.NoError(t, err)
	u, _ := m.user("crm")
	mux.still = true
	var results []error
	ask := func(from time.Duration) {
		u.tasks.Go(func(t *env.Task) { results = append(results, u.dog.Open(t, from)) })
	}
	ask(w.Now())
	w.RunFor(2 * watchdog.ClientTime)
	ask(w.Now())
	w.RunFor(time.Second)
	mux.thaw()
	w.RunFor(time.Second)
	require.Len(t, results, 2)
	require.ErrorIs(t, results[0], watchdog.ErrRefused)
	require.NoError(t, results[1], "the newest request is answered for itself")
	require.True(t, m.device.armed)
	u.dog.Close()
	w.RunFor(time.Second)
	require.False(t, m.device.armed, "a client that knows of its connection closes it")
}
