package resource

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/envtest"
)

// agent represents the LRM of a machine: it has a driver and nothing else.
type agent struct {
	tasks  *env.Tasks
	driver *Fake
	opts   GuestOptions
}

func (a *agent) Start(e env.Env) error {
	a.tasks, a.driver = env.NewTasks(e, 1), NewFake(e, a.opts)
	return nil
}

func (a *agent) Step(ev env.Event) {
	if !a.tasks.Step(ev) {
		a.driver.Step(ev)
	}
}

const guestSID = "vm:100"

var guestConf = []byte("cores: 2\nmemory: 512\n")

// bench is three machines with guests. It checks that no guest runs twice.
type bench struct {
	t      require.TestingT
	world  *envtest.World
	hosts  []*envtest.Proc
	agents []*agent
	procs  []*envtest.Proc
	runs   map[string][]bool // sid -> by machine
	told   []string          // what happened to guestSID, with times in milliseconds
	probes map[string]int
	owner  int // of guestSID: the machine that has its configuration
}

func newBench(t require.TestingT, change func(*GuestOptions)) *bench {
	o := DefaultGuests()
	o.Machines = []string{"n1", "n2", "n3"}
	if change != nil {
		change(&o)
	}
	b := &bench{t: t, world: envtest.New(), runs: map[string][]bool{}, probes: map[string]int{},
		hosts: make([]*envtest.Proc, 3), agents: make([]*agent, 3), procs: make([]*envtest.Proc, 3)}
	b.world.OnProbe = func(_ *envtest.Proc, id string) { b.probes[id]++ }
	b.world.OnRecord = b.record
	for m := range o.Machines {
		b.boot(m, o)
	}
	b.world.RunFor(time.Second)
	return b
}

func (b *bench) boot(m int, o GuestOptions) {
	var err error
	b.hosts[m], err = b.world.Start(env.MachineID(m), HostProcess, NewHost(o))
	require.NoError(b.t, err)
	b.agents[m] = &agent{opts: o}
	b.procs[m], err = b.world.Start(env.MachineID(m), "lrm", b.agents[m])
	require.NoError(b.t, err)
}

func (b *bench) record(p *envtest.Proc, r env.Record) {
	m := int(p.Self().Machine)
	switch rec := r.(type) {
	case HostStarted:
		for _, on := range b.runs {
			on[m] = false
		}
	case Active:
		if b.runs[rec.SID] == nil {
			b.runs[rec.SID] = make([]bool, 3)
		}
		b.runs[rec.SID][m] = rec.On
		if rec.SID == guestSID {
			b.told = append(b.told, fmt.Sprintf("%d n%d %t %s", b.world.Now().Milliseconds(), m+1, rec.On,
				rec.Cause))
		}
		count := 0
		for _, on := range b.runs[rec.SID] {
			if on {
				count++
			}
		}
		require.LessOrEqual(b.t, count, 1, "%s runs twice: %v", rec.SID, b.told)
	}
}

// where returns the machine on which guestSID runs, -1 when it runs on none.
func (b *bench) where() int {
	for m, on := range b.runs[guestSID] {
		if on && b.hosts[m].Up() {
			return m
		}
	}
	return -1
}

// cut ends everything on a machine at once.
func (b *bench) cut(m int) {
	b.world.Kill(b.procs[m])
	b.world.Kill(b.hosts[m])
	for _, on := range b.runs {
		on[m] = false
	}
}

// do runs a function as a task of a machine's agent, and waits for its end up to a limit.
func (b *bench) do(m int, limit time.Duration, what func(t *env.Task, d *Fake)) (done bool) {
	b.agents[m].tasks.Go(func(t *env.Task) {
		what(t, b.agents[m].driver)
		done = true
	})
	for until := b.world.Now() + limit; !done && b.world.Now() < until; {
		b.world.RunFor(10 * time.Millisecond)
	}
	return done
}

func (b *bench) start(m int) {
	require.True(b.t, b.do(m, time.Minute, func(t *env.Task, d *Fake) {
		require.NoError(b.t, d.Start(t, guestSID, guestConf))
	}))
}

// migration returns a migration that commits at once.
func (b *bench) migration(target int) *Migration {
	return &Migration{Commit: func() error {
		require.Equal(b.t, -1, b.where(), "it changes hands while it runs nowhere")
		b.owner = target
		return nil
	}}
}

func (b *bench) migrate(from, to int, m *Migration) (err error) {
	done := b.do(from, 10*time.Minute, func(t *env.Task, d *Fake) {
		err = d.Migrate(t, guestSID, fmt.Sprintf("n%d", to+1), m)
	})
	require.True(b.t, done, "a migration comes to an end")
	return err
}

func TestALiveMigrationStandsStillForAMomentOnly(t *testing.T) {
	b := newBench(t, nil)
	b.start(0)
	m := b.migration(1)
	var progress []int
	m.Progress = func(percent int) { progress = append(progress, percent) }
	begun := b.world.Now()
	var still, moved time.Duration
	record := b.world.OnRecord
	b.world.OnRecord = func(p *envtest.Proc, r env.Record) {
		record(p, r)
		switch a, _ := r.(Active); a.Cause {
		case CauseSwitching:
			still = b.world.Now()
		case CauseMigrated:
			moved = b.world.Now()
		}
	}
	require.NoError(t, b.migrate(0, 1, m))
	require.Equal(t, 1, b.where())
	require.Less(t, moved-still, 300*time.Millisecond)
	require.Greater(t, still-begun, 4*time.Second, "512 MiB take 8 s, half to one and a half of it")
	require.Less(t, still-begun, 13*time.Second)
	require.IsIncreasing(t, progress)
	require.Equal(t, 100, progress[len(progress)-1])
	b.do(1, time.Second, func(task *env.Task, d *Fake) {
		require.NoError(t, d.Start(task, guestSID, guestConf), "it runs: nothing to do")
		s, err := d.Status(task, guestSID)
		require.NoError(t, err)
		require.True(t, s.Running)
	})
	require.NoError(t, b.migrate(1, 0, b.migration(0)), "and back")
	require.Equal(t, 0, b.where())
}

func TestMemoryTakesItsTimeToGoOver(t *testing.T) {
	o := DefaultGuests()
	h := &Host{opts: o, env: must(t)}
	small, each := h.splitMemory(64 * mebibyte)
	require.Equal(t, minPieces, small)
	require.Less(t, each*time.Duration(small), 2*time.Second)
	big, each := h.splitMemory(64 << 30) // 64 GiB: 1024 s
	require.Greater(t, big, 500)
	require.LessOrEqual(t, each, timePerPiece)
	_, each = h.splitMemory(1 << 50)
	require.Positive(t, each, "absurd sizes do not wrap around")
	h.opts.BytesPerSecond = 0
	_, each = h.splitMemory(1 << 30)
	require.Zero(t, each)
}

// must is an env to draw from.
func must(t *testing.T) env.Env {
	p, err := envtest.New().Start(0, HostProcess, NewHost(DefaultGuests()))
	require.NoError(t, err)
	return p
}

func TestAFailedCommitLeavesTheGuestWhereItWas(t *testing.T) {
	b := newBench(t, nil)
	b.start(0)
	err := b.migrate(0, 1, &Migration{Commit: func() error { return errors.New("no quorum") }})
	require.ErrorIs(t, err, ErrFailed)
	require.Equal(t, 0, b.where())
	b.world.RunFor(time.Minute)
	require.Equal(t, 0, b.where())
	require.NoError(t, b.migrate(0, 1, b.migration(1)), "it can try again")
	require.Equal(t, 1, b.where())
}

func TestAGuestThatIsSomebodyElsesRunsNowhere(t *testing.T) {
	b := newBench(t, nil)
	b.start(0)
	err := b.migrate(0, 1, &Migration{Commit: func() error { return fmt.Errorf("%w: gone", ErrLost) }})
	require.ErrorIs(t, err, ErrLost)
	b.world.RunFor(time.Minute)
	require.Equal(t, -1, b.where())
}

func TestAMigrationIsCancelled(t *testing.T) {
	b := newBench(t, func(o *GuestOptions) { o.BytesPerSecond = mebibyte }) // 512 s
	b.start(0)
	m := b.migration(1)
	begun := b.world.Now()
	m.Cancelled = func() bool { return b.world.Now()-begun > 20*time.Second }
	require.ErrorIs(t, b.migrate(0, 1, m), ErrCancelled)
	require.Equal(t, 0, b.where())
	require.Less(t, b.world.Now()-begun, 25*time.Second, "soon after it was wanted")
	require.Equal(t, 0, b.owner)
}

func TestAMigrationTimesOut(t *testing.T) {
	b := newBench(t, func(o *GuestOptions) { o.BytesPerSecond = mebibyte })
	b.start(0)
	m := b.migration(1)
	m.Timeout = 30 * time.Second
	begun := b.world.Now()
	require.ErrorIs(t, b.migrate(0, 1, m), ErrTimeout)
	require.Equal(t, 0, b.where())
	require.InDelta(t, 30, (b.world.Now() - begun).Seconds(), 1)
}

func TestATargetThatCannotIsRefused(t *testing.T) {
	b := newBench(t, nil)
	b.start(0)
	require.ErrorIs(t, b.migrate(0, 0, b.migration(0)), ErrTarget, "itself")
	require.ErrorIs(t, b.migrate(0, 8, b.migration(0)), ErrTarget, "a machine that does not exist")
	b.cut(1)
	require.ErrorIs(t, b.migrate(0, 1, b.migration(1)), ErrTarget, "one that is off")
	require.Equal(t, 0, b.where())
	b.do(0, time.Minute, func(task *env.Task, d *Fake) {
		require.ErrorIs(t, d.Migrate(task, "ct:101", "n2", b.migration(1)), ErrNoMigration, "a container")
	})
	b.cut(0)
	b.boot(0, b.agents[0].opts)
	b.world.RunFor(time.Second)
	require.ErrorIs(t, b.migrate(0, 2, b.migration(2)), ErrFailed,
		"what does not run cannot move while it runs")
}

func TestATargetThatIsLostAfterTheSwitchOverHasToStartAnew(t *testing.T) {
	b := newBench(t, nil)
	b.start(0)
	m := b.migration(1)
	commit := m.Commit
	m.Commit = func() error {
		b.world.Deliver = func(env.MachineID, env.MachineID, string, []byte) bool { return false }
		return commit()
	}
	require.NoError(t, b.migrate(0, 1, m), "it has changed hands")
	require.Equal(t, -1, b.where())
	require.Positive(t, b.probes["resource/not-resumed"])
	b.world.Deliver = nil
	b.start(1)
	require.Equal(t, 1, b.where())
	b.world.RunFor(time.Minute)
	require.Equal(t, 1, b.where())
}

func TestALateWordDoesNotWakeAnOldCopy(t *testing.T) {
	b := newBench(t, nil)
	b.start(0)
	m := b.migration(1)
	commit := m.Commit
	m.Commit = func() error { b.world.Pause(b.hosts[1]); return commit() }
	require.NoError(t, b.migrate(0, 1, m))
	b.world.RunFor(2 * copyTTL)
	b.cut(0)
	b.owner = 2 // the cluster counts it as dead on both and gives it to the third
	b.start(2)
	b.world.Resume(b.hosts[1]) // with the source's packets in its queue
	b.world.RunFor(time.Minute)
	require.Equal(t, 2, b.where())
	require.Positive(t, b.probes["resource/copy-expired"])
}

func TestAColdStartThrowsTheCopyAway(t *testing.T) {
	b := newBench(t, nil)
	b.start(0)
	b.world.Delay = func(_, _ env.MachineID, _ string, payload []byte) time.Duration {
		if p, err := decodePacket(payload); err == nil && p.Kind == packetResume {
			return targetTimeout + 10*time.Second
		}
		return 0
	}
	require.NoError(t, b.migrate(0, 1, b.migration(1)))
	b.start(1)
	b.do(1, time.Minute, func(task *env.Task, d *Fake) {
		require.NoError(t, d.Stop(task, guestSID, 0))
	})
	require.Equal(t, -1, b.where())
	b.world.RunFor(time.Minute)
	require.Equal(t, -1, b.where(), "the words of the source come too late")
}

func TestWhoMovesItDiesAtTheSwitchOver(t *testing.T) {
	b := newBench(t, nil)
	b.start(0)
	b.agents[0].tasks.Go(func(task *env.Task) {
		_ = b.agents[0].driver.Migrate(task, guestSID, "n2", &Migration{Commit: func() error {
			b.world.Kill(b.procs[0])
			task.Sleep(time.Hour)
			return nil
		}})
	})
	b.world.RunFor(5 * time.Minute)
	require.Equal(t, -1, b.where(), "its owner is unknown: it must be started again")
	require.Equal(t, 1, b.probes["resource/orphaned-at-switch-over"])
}

// outcome is what happens to the configuration in a commit.
type outcome int

const (
	handed outcome = iota
	refused
	lost
)

// TestAGuestNeverRunsTwice: whatever is cut, killed, delayed or refused at whatever instant, a guest
// never runs twice, also while its owner starts it again. When everything has settled, a guest that
// was not lost runs on its owner.
func TestAGuestNeverRunsTwice(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		ms := func(label string, most int) time.Duration {
			return time.Duration(rapid.IntRange(0, most).Draw(r, label)) * time.Millisecond
		}
		b := newBench(r, func(o *GuestOptions) { o.BytesPerSecond = 256 * mebibyte })
		b.start(0)
		b.world.Delay = func(env.MachineID, env.MachineID, string, []byte) time.Duration {
			if rapid.IntRange(0, 9).Draw(r, "slow") == 0 {
				return ms("delay", 3000)
			}
			return 0
		}
		fault := rapid.IntRange(0, 6).Draw(r, "fault")
		at, length := b.world.Now()+ms("at", 4000), ms("length", 60_000)
		ends := rapid.SampledFrom([]outcome{handed, handed, refused, lost}).Draw(r, "commit")
		takes := ms("commit takes", 2000)
		over, atCommit := false, rapid.Bool().Draw(r, "at commit")
		b.world.Deliver = func(from, to env.MachineID, _ string, _ []byte) bool {
			inside := b.world.Now() >= at && b.world.Now() < at+length
			return !inside || fault != 1 && (fault != 2 || from != 0) && (fault != 3 || to != 0)
		}
		var result error
		b.agents[0].tasks.Go(func(task *env.Task) {
			result = b.agents[0].driver.Migrate(task, guestSID, "n2",
				&Migration{Timeout: time.Minute, Commit: func() error {
					if atCommit {
						at = b.world.Now() + ms("after commit began", 3000)
					}
					task.Sleep(takes)
					switch ends {
					case handed:
						b.owner = 1
						return nil
					case refused:
						return ErrFailed
					}
					b.owner = 2
					return ErrLost
				}})
			over = true
		})
		cut := -1
		for !over && cut < 0 && b.world.Now() < 10*time.Minute {
			if b.world.RunFor(time.Millisecond); b.world.Now() < at {
				continue
			}
			switch fault {
			case 4:
				cut = 0
			case 5:
				cut = 1
			case 6:
				b.world.Kill(b.procs[0])
				cut = 3
			}
		}
		if cut == 0 || cut == 1 {
			b.cut(cut)
		}
		wasOver := over
		for range 120 {
			if over || cut != 1 {
				break
			}
			b.world.RunFor(time.Second) // the source does not know yet, and may still commit
		}
		settle(b, cut, wasOver, result)
	})
}

// settle does what the cluster does after that: a dead machine loses what it owned, and the new owner
// starts it.
func settle(b *bench, cut int, over bool, result error) {
	if over && result != nil && !errors.Is(result, ErrLost) && !errors.Is(result, ErrHostDown) &&
		b.owner == 0 && cut != 0 {
		require.Equal(b.t, 0, b.where(), "after %v it runs where it was: %v", result, b.told)
	}
	b.world.RunFor(2 * time.Second)
	if cut == b.owner {
		b.owner = 2
	}
	if cut == 3 { // the agent starts again, before it knows what it left behind
		b.world.RunFor(time.Minute)
		var err error
		b.procs[0], err = b.world.Start(0, "lrm", b.agents[0])
		require.NoError(b.t, err)
		b.world.RunFor(time.Second)
	}
	b.start(b.owner)
	b.world.RunFor(2 * time.Minute)
	require.Equal(b.t, b.owner, b.where(), "%v", b.told)
}
