package host

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/host/hostapi"
	"github.com/holdfast-sim/holdfast/engine/host/internal/kernel"
)

// patience bounds every wait of these tests; none of them measures time.
const patience = 20 * time.Second

// scripted is a process whose behaviour a test writes down.
type scripted struct {
	start func(env.Env) error
	step  func(env.Env, env.Event)
	e     env.Env
}

func (s *scripted) Start(e env.Env) error {
	s.e = e
	if s.start != nil {
		return s.start(e)
	}
	return nil
}

func (s *scripted) Step(ev env.Event) {
	if s.step != nil {
		s.step(s.e, ev)
	}
}

func process(name string, step func(env.Env, env.Event)) Process {
	return Process{Name: name, New: func() env.Process { return &scripted{step: step} }}
}

// syncBuffer is a log that a test reads while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// freePorts finds base ports on the loopback address for some machines.
func freePorts(t *testing.T, machines int) Link {
	t.Helper()
	var l Link
	for range machines {
		c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		require.NoError(t, err)
		port := c.LocalAddr().(*net.UDPAddr).Port
		require.NoError(t, c.Close())
		if port+MaxProcesses > maxPort {
			port -= MaxProcesses
		}
		l.Peers = append(l.Peers, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(port)))
	}
	return l
}

// socketDir is a directory whose path is short enough for unix sockets.
func socketDir(t *testing.T) string {
	t.Helper()
	return t.TempDir()
}

// up runs a host until the test ends and returns it with the channel of Run's result.
func up(t *testing.T, cfg Config) (*Host, chan error) {
	t.Helper()
	if cfg.Name == "" {
		cfg.Name = "n1"
	}
	if cfg.Dir == "" {
		cfg.Dir = socketDir(t)
	}
	h, err := New(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	stopped := make(chan struct{})
	go func() { ended <- h.Run(ctx); close(stopped) }()
	t.Cleanup(func() {
		cancel()
		select {
		case <-stopped:
		case <-time.After(patience):
			t.Error("the host did not end")
		}
	})
	within(t, "the processes are up", func() bool {
		for _, p := range h.Health().Processes {
			if p.State == hostapi.StateDown && p.Ended == "" {
				return false
			}
		}
		return true
	})
	return h, ended
}

func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, patience, time.Millisecond, what)
}

func get[T any](t *testing.T, from chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		require.FailNow(t, "nothing came", what)
		panic("unreachable")
	}
}

func invoke(h *Host, process, input string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := h.Invoke(ctx, process, []byte(input))
	return string(out), err
}

// relay answers an operation only after another machine has answered.
func relay(e env.Env, ev env.Event, waiting *env.OpID) {
	switch ev := ev.(type) {
	case env.Invoked:
		*waiting = ev.Op
		e.Send(1-e.Self().Machine, 0, append([]byte("ask "), ev.Input...))
	case env.Received:
		if text, ok := bytes.CutPrefix(ev.Payload, []byte("ask ")); ok {
			e.Send(ev.From, ev.Link, append([]byte("re "+e.Self().Name+" "), text...))
			return
		}
		e.Complete(*waiting, ev.Payload)
	}
}

func TestOperationGoesOverTheNetwork(t *testing.T) {
	link := freePorts(t, 2)
	var hosts []*Host
	for m := range 2 {
		var waiting env.OpID
		h, _ := up(t, Config{Machine: env.MachineID(m), Name: []string{"n1", "n2"}[m], Links: []Link{link},
			Processes: []Process{process("relay", func(e env.Env, ev env.Event) { relay(e, ev, &waiting) })}})
		hosts = append(hosts, h)
	}
	out, err := invoke(hosts[0], "relay", "hello")
	require.NoError(t, err)
	require.Equal(t, "re n2 hello", out)

	stranger, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer stranger.Close()
	_, err = stranger.WriteToUDPAddrPort([]byte("ask x"), link.Peers[0])
	require.NoError(t, err)
	within(t, "a datagram of an unknown source is counted", func() bool {
		return hosts[0].Health().Processes[0].UnknownSources == 1
	})
	health := hosts[0].Health()
	require.EqualValues(t, 1, health.Processes[0].Received)
	require.Equal(t, []hostapi.Stranger{{Address: "127.0.0.1", Datagrams: 1}}, health.Processes[0].Strangers)
}

// TestStrangersAreBounded: an invented address costs no more memory than a real one.
func TestStrangersAreBounded(t *testing.T) {
	var s strangers
	for i := range byte(200) {
		s.countDatagram(netip.AddrFrom4([4]byte{127, 0, 0, i}))
		s.countDatagram(netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	}
	list := s.list()
	require.Len(t, list, maxStrangers+1)
	require.Equal(t, hostapi.Stranger{Address: hostapi.OtherStrangers, Datagrams: 200 - maxStrangers},
		list[maxStrangers])
	require.Contains(t, list, hostapi.Stranger{Address: "127.0.0.1", Datagrams: 201})
}

func TestTimers(t *testing.T) {
	fired := make(chan env.TimerID, 16)
	inStep := false
	h, _ := up(t, Config{Processes: []Process{process("p", func(e env.Env, ev env.Event) {
		switch ev := ev.(type) {
		case env.Invoked:
			inStep = true
			e.SetTimer(1, time.Hour)
			e.SetTimer(1, 0) // replaces
			e.SetTimer(2, 0)
			e.StopTimer(2)
			e.SetTimer(3, -time.Second)
			e.StopTimer(99)
			e.SetTimer(4, 20*time.Millisecond)
			e.Complete(ev.Op, nil)
			inStep = false
		case env.TimerFired:
			if inStep {
				panic("fired within a step")
			}
			fired <- ev.ID
		}
	})}})
	_, err := invoke(h, "p", "")
	require.NoError(t, err)
	// Timer 3 asked for the past; both are due at once and keep the order of their deadlines.
	require.Equal(t, env.TimerID(1), get(t, fired, "timer 1"))
	require.Equal(t, env.TimerID(3), get(t, fired, "timer 3"))
	require.Equal(t, env.TimerID(4), get(t, fired, "timer 4"))
	_, err = invoke(h, "p", "")
	require.NoError(t, err)
	require.Equal(t, env.TimerID(1), get(t, fired, "timer 1 again"))
}

func TestTimersOnADriftingClock(t *testing.T) {
	var c clock
	c.setSkew(time.Hour, 100_000)
	wall, before, mono := c.wallTime(), kernel.Now(), c.monotonic()
	require.InDelta(t, float64(time.Hour), float64(time.Until(wall)), float64(time.Second))
	time.Sleep(50 * time.Millisecond)
	gained := (c.monotonic() - mono) - (kernel.Now() - before)
	require.InDelta(t, float64(5*time.Millisecond), float64(gained), float64(4*time.Millisecond))
	wait := c.kernelWait(c.monotonic() + 1100*time.Millisecond)
	require.InDelta(t, float64(time.Second), float64(wait), float64(20*time.Millisecond))
	mono = c.monotonic()
	c.setSkew(0, -100_000)
	require.GreaterOrEqual(t, c.monotonic(), mono, "the monotonic clock never goes back")
}

// noticed collects the notices and messages that a process gets.
func noticed(into chan string) func(env.Env, env.Event) {
	return func(e env.Env, ev env.Event) {
		switch ev := ev.(type) {
		case env.LocalUp:
			into <- "up " + ev.Process
		case env.LocalDown:
			into <- "down " + ev.Process
		case env.LocalMessage:
			into <- ev.From + ": " + string(ev.Payload)
		}
	}
}

func TestLocalMessagesAndNotices(t *testing.T) {
	heard := make(chan string, 64)
	var failure error
	talker := process("talker", func(e env.Env, ev env.Event) {
		if op, ok := ev.(env.Invoked); ok {
			failure = e.Local("absent", []byte("x"))
			for _, word := range strings.Fields(string(op.Input)) {
				if err := e.Local("listener", []byte(word)); err != nil {
					panic(err)
				}
			}
			e.Complete(op.Op, nil)
		}
	})
	h, _ := up(t, Config{Processes: []Process{talker, process("listener", noticed(heard))}})
	require.Equal(t, "up talker", get(t, heard, "notice"))
	_, err := invoke(h, "talker", "a b c")
	require.NoError(t, err)
	require.ErrorIs(t, failure, env.ErrLocalDown)
	for _, want := range []string{"talker: a", "talker: b", "talker: c"} {
		require.Equal(t, want, get(t, heard, want))
	}
	require.NoError(t, h.Kill("talker"))
	require.Equal(t, "down talker", get(t, heard, "notice"))
	_, err = invoke(h, "talker", "x")
	require.ErrorIs(t, err, hostapi.ErrRefused)
	require.NoError(t, h.Start("talker"))
	require.Equal(t, "up talker", get(t, heard, "notice"))
	require.EqualValues(t, 2, h.Health().Processes[0].Incarnation)
	_, err = invoke(h, "talker", "again")
	require.NoError(t, err)
	require.Equal(t, "talker: again", get(t, heard, "message"))
	require.ErrorIs(t, h.Kill("absent"), hostapi.ErrNoProcess)
}

func TestFullLocalQueueRefuses(t *testing.T) {
	h, _ := up(t, Config{Processes: []Process{
		process("sink", nil),
		process("source", func(e env.Env, ev env.Event) {
			if op, ok := ev.(env.Invoked); ok {
				count := 0
				for e.Local("sink", []byte("x")) == nil {
					count++
				}
				if !errors.Is(e.Local("sink", []byte("x")), env.ErrLocalFull) {
					panic("not refused as full")
				}
				if count < maxQueuedLocals {
					panic("refused early")
				}
				e.Complete(op.Op, nil)
			}
		})}})
	require.NoError(t, h.Pause("sink"))
	_, err := invoke(h, "source", "")
	require.NoError(t, err)
	require.Equal(t, hostapi.StatePaused, h.Health().Processes[0].State)
	require.NoError(t, h.Resume("sink"))
}

func TestKillMakesTheOutcomeUnknown(t *testing.T) {
	taken := make(chan bool, 1)
	h, _ := up(t, Config{Processes: []Process{process("p", func(_ env.Env, ev env.Event) {
		if _, ok := ev.(env.Invoked); ok {
			taken <- true
		}
	})}})
	result := make(chan error, 1)
	go func() {
		_, err := invoke(h, "p", "")
		result <- err
	}()
	get(t, taken, "the operation")
	require.NoError(t, h.Kill("p"))
	require.ErrorIs(t, get(t, result, "an outcome"), hostapi.ErrUnknown)
	_, err := invoke(h, "absent", "")
	require.ErrorIs(t, err, hostapi.ErrNoProcess)
}

func TestRestartByItself(t *testing.T) {
	starts := make(chan uint64, 8)
	p := Process{Name: "p", Restart: time.Millisecond, New: func() env.Process {
		return &scripted{
			start: func(e env.Env) error {
				starts <- e.Self().Incarnation
				if e.Self().Incarnation == 2 {
					return errors.New("refused configuration")
				}
				return nil
			},
			step: func(e env.Env, ev env.Event) {
				if _, ok := ev.(env.Invoked); ok {
					e.Exit(errors.New("disk is damaged"))
				}
			},
		}
	}}
	var log syncBuffer
	h, _ := up(t, Config{Processes: []Process{p}, Log: &log})
	require.EqualValues(t, 1, get(t, starts, "first start"))
	_, err := invoke(h, "p", "")
	require.ErrorIs(t, err, hostapi.ErrUnknown)
	require.EqualValues(t, 2, get(t, starts, "second start"))
	require.EqualValues(t, 3, get(t, starts, "third start"))
	within(t, "it runs", func() bool { return h.Health().Processes[0].State == hostapi.StateRunning })
	require.Equal(t, "starting: refused configuration", h.Health().Processes[0].Ended)
	require.Contains(t, log.String(), `reason="disk is damaged"`)
}

func TestPanicEndsTheHost(t *testing.T) {
	for name, step := range map[string]func(env.Env, env.Event){
		"own": func(_ env.Env, ev env.Event) { panic("invariant") },
		"answered twice": func(e env.Env, ev env.Event) {
			e.Complete(ev.(env.Invoked).Op, nil)
			e.Complete(ev.(env.Invoked).Op, nil)
		},
		"too large": func(e env.Env, ev env.Event) { e.Send(0, 0, make([]byte, env.MaxDatagramBytes+1)) },
	} {
		t.Run(name, func(t *testing.T) {
			h, ended := up(t, Config{Processes: []Process{process("p", step)}})
			_, _ = invoke(h, "p", "")
			require.ErrorIs(t, get(t, ended, "the end of the host"), ErrPanic)
		})
	}
}

func TestPauseStopsAtTheDisk(t *testing.T) {
	reached, done := make(chan bool), make(chan time.Duration, 1)
	h, _ := up(t, Config{Processes: []Process{process("p", func(e env.Env, ev env.Event) {
		if op, ok := ev.(env.Invoked); ok {
			e.Complete(op.Op, nil)
			before := e.Mono()
			reached <- true
			<-reached
			if _, err := e.Disk().Exists("x"); err != nil {
				panic(err)
			}
			done <- e.Mono() - before
		}
	})}})
	_, err := invoke(h, "p", "")
	require.NoError(t, err)
	get(t, reached, "the step")
	require.NoError(t, h.Pause("p"))
	reached <- true
	select {
	case <-done:
		require.FailNow(t, "a disk call passed while the process was paused")
	case <-time.After(50 * time.Millisecond):
	}
	require.NoError(t, h.Resume("p"))
	require.GreaterOrEqual(t, get(t, done, "the end of the step"), 50*time.Millisecond)
}

func TestTasksOfAnEndedProcessAreUnwound(t *testing.T) {
	unwound, waiting := make(chan bool, 1), make(chan bool, 1)
	p := Process{Name: "p", New: func() env.Process {
		var tasks *env.Tasks
		return &scripted{
			start: func(e env.Env) error {
				tasks = env.NewTasks(e, 1000)
				tasks.Go(func(task *env.Task) {
					defer func() { unwound <- true }()
					waiting <- true
					task.Sleep(time.Hour)
				})
				return nil
			},
			step: func(_ env.Env, ev env.Event) { tasks.Step(ev) },
		}
	}}
	h, _ := up(t, Config{Processes: []Process{p}})
	get(t, waiting, "the task")
	require.NoError(t, h.Kill("p"))
	get(t, unwound, "the end of the task")
}

func TestStateOutlivesTheProgram(t *testing.T) {
	dir := t.TempDir()
	run := func(boot string) env.Self {
		selves := make(chan env.Self, 1)
		h, err := New(Config{Name: "n1", Dir: dir, BootID: boot, Processes: []Process{{Name: "p",
			New: func() env.Process {
				return &scripted{start: func(e env.Env) error { selves <- e.Self(); return nil }}
			}}}})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- h.Run(ctx) }()
		self := get(t, selves, "the start")
		if boot == "a" && self.Incarnation == 1 {
			require.NoError(t, h.SetClock(time.Minute, 7))
		}
		cancel()
		require.NoError(t, get(t, ended, "the end"))
		return self
	}
	first, second, third := run("a"), run("a"), run("b")
	require.Equal(t, [3]uint64{1, 1, 2}, [3]uint64{first.Boot, second.Boot, third.Boot})
	require.Equal(t, [3]uint64{1, 2, 3}, [3]uint64{first.Incarnation, second.Incarnation, third.Incarnation})
	s, err := loadState(dir, "b")
	require.NoError(t, err)
	require.Zero(t, s.Skew, "a reboot sets the clock right")
}
