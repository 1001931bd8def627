package resource

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/envtest"
)

// programs are programs of a test: each ends some time after it is asked to, or never.
type programs struct {
	world  *envtest.World
	status env.ProgramStatus
	ends   time.Duration // from the request on; negative if it ignores the request
	at     time.Duration // when it ends; 0 for never
	starts int
	fail   error
	forced int
	crash  time.Duration // after its start
}

func (p *programs) now() env.ProgramStatus {
	if p.at > 0 && p.world.Now() >= p.at {
		p.status.Running, p.status.Exited, p.at = false, true, 0
	}
	return p.status
}

func (p *programs) Start(string, []string) error {
	if p.fail == nil && !p.now().Running {
		p.starts++
		p.status = env.ProgramStatus{Running: true, Incarnation: string(rune('0' + p.starts)), ExitCode: 7}
		if p.crash > 0 {
			p.at = p.world.Now() + p.crash
		}
	}
	return p.fail
}

func (p *programs) Running(string) (bool, error)             { return p.now().Running, p.fail }
func (p *programs) Status(string) (env.ProgramStatus, error) { return p.now(), p.fail }

func (p *programs) Stop(_ string, force bool) error {
	switch {
	case force:
		p.forced++
		p.status.Running = false
	case p.ends >= 0:
		p.at = p.world.Now() + p.ends
	}
	return p.fail
}

// programEnv is an env whose machine runs programs.
type programEnv struct {
	env.Env
	programs env.Programs
}

func (e programEnv) Programs() env.Programs { return e.programs }

// owner is a process with a driver for programs.
type owner struct {
	programs *programs
	tasks    *env.Tasks
	driver   *Process
}

func (o *owner) Start(e env.Env) error {
	o.tasks = env.NewTasks(e, 1)
	o.driver = NewProcess(programEnv{e, o.programs}, Commands{Default: []string{"/bin/service"}})
	return nil
}

func (o *owner) Step(ev env.Event) { o.tasks.Step(ev) }

func withPrograms(t *testing.T, p *programs) (do func(func(*env.Task, *Process)), told *[]Active) {
	w := envtest.New()
	p.world = w
	told = &[]Active{}
	w.OnRecord = func(_ *envtest.Proc, r env.Record) { *told = append(*told, r.(Active)) }
	o := &owner{programs: p}
	_, err := w.Start(0, "lrm", o)
	require.NoError(t, err)
	return func(what func(*env.Task, *Process)) {
		done := false
		o.tasks.Go(func(task *env.Task) { what(task, o.driver); done = true })
		w.RunFor(time.Minute)
		require.True(t, done)
	}, told
}

func TestAProgramIsStoppedInOrder(t *testing.T) {
	p := &programs{ends: 2 * time.Second}
	do, told := withPrograms(t, p)
	do(func(task *env.Task, d *Process) {
		require.NoError(t, d.Start(task, guestSID, nil))
		require.NoError(t, d.Start(task, guestSID, nil))
		require.Equal(t, 1, p.starts)
		begun := p.world.Now()
		require.NoError(t, d.Stop(task, guestSID, 10*time.Second))
		require.InDelta(t, 2, (p.world.Now() - begun).Seconds(), 0.2)
		s, err := d.Status(task, guestSID)
		require.NoError(t, err)
		require.Equal(t, Status{Incarnation: "1"}, s, "what was ended on purpose did not end by itself")
	})
	require.Zero(t, p.forced)
	require.Equal(t, []Active{{SID: guestSID, Cause: CauseStopped}}, *told)
}

func TestAProgramThatDoesNotListenIsKilled(t *testing.T) {
	p := &programs{ends: -1}
	do, told := withPrograms(t, p)
	do(func(task *env.Task, d *Process) {
		require.NoError(t, d.Start(task, guestSID, nil))
		begun := p.world.Now()
		require.NoError(t, d.Stop(task, guestSID, 3*time.Second))
		require.InDelta(t, 3, (p.world.Now() - begun).Seconds(), 0.2)
		require.Equal(t, 1, p.forced)
		require.NoError(t, d.Start(task, guestSID, nil))
		begun = p.world.Now()
		require.NoError(t, d.Stop(task, guestSID, 0), "at once")
		require.Less(t, p.world.Now()-begun, time.Second)
	})
	require.Equal(t, CauseKilled, (*told)[0].Cause)
}

func TestAProgramThatEndsByItselfIsSeen(t *testing.T) {
	p := &programs{ends: -1, crash: 5 * time.Second}
	do, _ := withPrograms(t, p)
	do(func(task *env.Task, d *Process) {
		require.NoError(t, d.Start(task, guestSID, nil))
		s, err := d.Status(task, guestSID)
		require.NoError(t, err)
		require.Equal(t, Status{Running: true, Incarnation: "1"}, s)
		task.Sleep(10 * time.Second)
		s, err = d.Status(task, guestSID)
		require.NoError(t, err)
		require.False(t, s.Running)
		require.NotNil(t, s.ExitCode)
		require.Equal(t, 7, *s.ExitCode)
		p.crash = settleTime / 2
		require.ErrorIs(t, d.Start(task, guestSID, nil), ErrFailed, "it ends before it has settled")
		p.crash = 0
		require.NoError(t, d.Start(task, guestSID, nil))
		s, err = d.Status(task, guestSID)
		require.NoError(t, err)
		require.Equal(t, Status{Running: true, Incarnation: "3"}, s, "a restart is a new incarnation")
	})
}

func TestAProgramDoesNotMoveWhileItRuns(t *testing.T) {
	p := &programs{ends: 0}
	do, _ := withPrograms(t, p)
	do(func(task *env.Task, d *Process) {
		require.NoError(t, d.Start(task, guestSID, nil))
		require.ErrorIs(t, d.Migrate(task, guestSID, "n2",
			&Migration{Commit: func() error { panic("never") }}), ErrNoMigration)
		on, err := d.Running(task, guestSID)
		require.NoError(t, err)
		require.True(t, on)
	})
}

func TestTroubleWithProgramsIsTold(t *testing.T) {
	p := &programs{fail: errors.New("no processes left")}
	do, _ := withPrograms(t, p)
	do(func(task *env.Task, d *Process) {
		require.ErrorIs(t, d.Start(task, guestSID, nil), p.fail)
		require.ErrorIs(t, d.Stop(task, guestSID, time.Second), p.fail)
		_, err := d.Running(task, guestSID)
		require.ErrorIs(t, err, p.fail)
		_, err = d.Status(task, guestSID)
		require.ErrorIs(t, err, p.fail)
	})
}

func TestAMachineWithoutPrograms(t *testing.T) {
	d := NewProcess(nil, Commands{})
	on, err := d.Running(nil, guestSID)
	require.NoError(t, err)
	require.False(t, on)
	require.ErrorIs(t, d.Start(nil, guestSID, nil), ErrNoPrograms)
	require.NoError(t, d.Stop(nil, guestSID, time.Second))
	s, err := d.Status(nil, guestSID)
	require.NoError(t, err)
	require.Equal(t, Status{}, s)
}
