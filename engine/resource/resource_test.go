package resource

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/status"
)

func TestConfigurations(t *testing.T) {
	for text, want := range map[string]Conf{
		"":                              {},
		"cores: 4\nmemory: 2048\n":      {MilliCPUs: 4000, MemoryBytes: 2 << 30},
		"cores: 4\ncpulimit: 1.5\n":     {MilliCPUs: 1500},
		"cpulimit: 0.25\ncores: 4\n":    {MilliCPUs: 250},
		"cpulimit: 0\ncores: 2\n":       {MilliCPUs: 2000},
		"memory: 0.5\n":                 {MemoryBytes: mebibyte / 2},
		"lock: backup\nname: a:b\n":     {Lock: "backup"},
		"cores: 2\n[old]\ncores: 9\n":   {MilliCPUs: 2000},
		"cores: -1\nmemory: 1e300\n":    {},
		"cores: 99999999999999999999\n": {},
		"nonsense\ncores 3\nmemory:\n":  {},
	} {
		require.Equal(t, want, ParseConf([]byte(text)), "%q", text)
	}
}

func TestThousandthsAreExact(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.Int64Range(0, maxMilliCPUs).Draw(r, "n")
		got, ok := parseThousandths(fmt.Sprintf("%d.%03d", n/1000, n%1000), maxMilliCPUs)
		require.True(r, ok)
		require.Equal(r, n, got)
	})
	_, ok := parseThousandths("1000001", maxMilliCPUs)
	require.False(t, ok)
}

func TestStartStopAndTheirTimes(t *testing.T) {
	b := newBench(t, nil)
	b.start(0)
	require.Equal(t, 0, b.where())
	ask := func() (s Status) {
		require.True(t, b.do(0, time.Second, func(task *env.Task, d *Fake) {
			var err error
			s, err = d.Status(task, guestSID)
			require.NoError(t, err)
		}))
		return s
	}
	require.Equal(t, Status{Running: true, Incarnation: "1"}, ask())
	b.start(0)
	require.Equal(t, "1", ask().Incarnation, "starting what runs does nothing")
	begun := b.world.Now()
	b.do(0, time.Minute, func(task *env.Task, d *Fake) {
		require.NoError(t, d.Stop(task, guestSID,
			time.Minute))
	})
	require.Greater(t, b.world.Now()-begun, DefaultGuests().StopTime/2, "an orderly stop takes its time")
	require.Contains(t, b.told[len(b.told)-1], string(CauseStopped))
	require.False(t, ask().Running)
	b.start(0)
	begun = b.world.Now()
	b.do(0, time.Minute, func(task *env.Task, d *Fake) {
		require.NoError(t, d.Stop(task, guestSID,
			time.Second))
	})
	require.InDelta(t, 1, (b.world.Now() - begun).Seconds(), 0.1)
	require.Contains(t, b.told[len(b.told)-1], string(CauseKilled), "by force after the timeout")
}

func TestACrashIsSeen(t *testing.T) {
	b := newBench(t, nil)
	b.start(0)
	require.NoError(t, b.procs[0].Local(HostProcess, CrashRequest(guestSID)))
	b.world.RunFor(time.Second)
	require.Equal(t, -1, b.where())
	check := func(wantLife string, wantCode *int) {
		b.do(0, time.Second, func(task *env.Task, d *Fake) {
			s, err := d.Status(task, guestSID)
			require.NoError(t, err)
			require.Equal(t, wantLife, s.Incarnation)
			require.Equal(t, wantCode, s.ExitCode)
		})
	}
	code := exitCodeOfKill
	check("1", &code)
	b.start(0)
	check("2", nil)
}

func TestWithTheHostItsGuestsEnd(t *testing.T) {
	b := newBench(t, nil)
	b.start(0)
	var err error
	b.agents[0].tasks.Go(func(task *env.Task) { err = b.agents[0].driver.Stop(task, guestSID, time.Hour) })
	b.world.RunFor(time.Millisecond)
	b.world.Kill(b.hosts[0])
	b.world.RunFor(time.Second)
	require.ErrorIs(t, err, ErrHostDown)
	b.do(0, time.Second, func(task *env.Task, d *Fake) {
		on, err := d.Running(task, guestSID)
		require.ErrorIs(t, err, ErrHostDown)
		require.False(t, on)
		require.ErrorIs(t, d.Start(task, guestSID, guestConf), ErrHostDown)
	})
}

func TestOneThingAtATime(t *testing.T) {
	b := newBench(t, nil)
	var order []string
	note := func(what string) func() { return func() { order = append(order, what) } }
	a := b.agents[0]
	a.tasks.Go(func(task *env.Task) { _ = a.driver.Start(task, guestSID, guestConf); note("start")() })
	a.tasks.Go(func(task *env.Task) { _ = a.driver.Stop(task, guestSID, time.Minute); note("stop")() })
	a.tasks.Go(func(task *env.Task) { _ = a.driver.Start(task, guestSID, guestConf); note("start again")() })
	b.world.RunFor(time.Minute)
	require.Equal(t, []string{"start", "stop", "start again"}, order)
	require.Equal(t, 0, b.where())
}

// listener represents the status process and keeps what it receives.
type listener struct{ last *Load }

func (l *listener) Start(env.Env) error { return nil }

func (l *listener) Step(ev env.Event) {
	if m, ok := ev.(env.LocalMessage); ok {
		var r struct{ Value json.RawMessage }
		if json.Unmarshal(m.Payload, &r) == nil {
			l.last, _ = DecodeLoad(r.Value)
		}
	}
}

func TestTheLoadFollowsTheGuests(t *testing.T) {
	b := newBench(t, func(o *GuestOptions) {
		o.Measured = true
		o.Has, o.Idle = Use{8000, 16 << 30}, Use{500, 1 << 30}
		o.Loads = map[string][]LoadStep{guestSID: {{From: time.Minute, Use: Use{1500, 2 << 30}},
			{From: 5 * time.Minute, Use: Use{3000, 1 << 30}}}}
	})
	l := &listener{}
	_, err := b.world.Start(0, status.Process, l)
	require.NoError(t, err)
	b.world.RunFor(measureEvery)
	require.Equal(t, &Load{Has: Use{8000, 16 << 30}, Uses: Use{500, 1 << 30}}, l.last)
	b.start(0)
	b.world.RunFor(measureEvery)
	require.Equal(t, map[string]Use{guestSID: {0, 512 * mebibyte}}, l.last.Services,
		"its memory, before its schedule begins")
	b.world.RunUntil(time.Minute + measureEvery)
	require.Equal(t, Use{2000, 3 << 30}, l.last.Uses)
	b.world.RunUntil(5*time.Minute + measureEvery)
	require.Equal(t, Use{3500, 2 << 30}, l.last.Uses)
	require.NoError(t, b.procs[0].Local(HostProcess, UseRequest(guestSID, &Use{100, 5})))
	b.world.RunFor(time.Second)
	require.Equal(t, Use{100, 5}, l.last.Services[guestSID])
	require.NoError(t, b.procs[0].Local(HostProcess, UseRequest(guestSID, nil)))
	b.world.RunFor(time.Second)
	require.Equal(t, Use{3000, 1 << 30}, l.last.Services[guestSID])
	require.NoError(t, b.migrate(0, 1, b.migration(1)))
	require.Empty(t, l.last.Services, "it takes its load with it")
	_, err = DecodeLoad([]byte(`{"uses":{"milli_cpus":-1}}`))
	require.ErrorIs(t, err, ErrLoad)
}

func FuzzMessages(f *testing.F) {
	f.Add(env.EncodeJSON(guestRequest{ID: "a/1", Op: opStart, SID: guestSID, Conf: guestConf}))
	f.Add(env.EncodeJSON(guestRequest{Op: opUse, SID: guestSID, Use: &Use{1, 2}}))
	f.Add(env.EncodeJSON(guestAnswer{ID: "a/1", Stage: stageProgress, Percent: 40}))
	f.Add(env.EncodeJSON(packet{Kind: packetPrepare, ID: "n1/1/a", SID: guestSID, Pieces: 20,
		Conf: &Conf{MemoryBytes: 5}}))
	f.Add(env.EncodeJSON(packet{Kind: packetPiece, ID: "n1/1/a", SID: guestSID, Piece: 3, Pieces: 20}))
	f.Add([]byte((&Load{Uses: Use{1, 2}, Services: map[string]Use{guestSID: {3, 4}}}).Encode()))
	f.Add([]byte(`{"kind":"piece","id":"x","sid":"y","piece":5,"pieces":3}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if r, err := decodeRequest(data); err == nil {
			again, err := decodeRequest(env.EncodeJSON(r))
			require.NoError(t, err)
			require.Equal(t, r.Op, again.Op)
			_ = ParseConf(r.Conf)
		}
		if a, err := decodeAnswer(data); err == nil {
			_, err := decodeAnswer(env.EncodeJSON(a))
			require.NoError(t, err)
			_ = migrationError(&a)
		}
		if p, err := decodePacket(data); err == nil {
			require.LessOrEqual(t, p.Piece, p.Pieces)
		}
		if l, err := DecodeLoad(data); err == nil {
			again, err := DecodeLoad(l.Encode())
			require.NoError(t, err)
			require.Equal(t, l.Uses, again.Uses)
		}
	})
}

// FuzzForeignPackets: whatever packets arrive, a host neither crashes nor runs a guest that was not
// handed over.
func FuzzForeignPackets(f *testing.F) {
	f.Add([]byte("prepare piece final resume"), uint16(3))
	f.Fuzz(func(t *testing.T, kinds []byte, seed uint16) {
		b := newBench(t, nil)
		all := []string{packetPrepare, packetPiece, packetFinal, packetHold, packetAbort, packetReady,
			packetHave,
			packetComplete, packetRuns, packetGone}
		b.start(0)
		for i, k := range kinds[:min(len(kinds), 60)] {
			p := packet{Kind: all[int(k)%len(all)], ID: fmt.Sprint("x", seed%3), SID: guestSID, Pieces: 2,
				Conf: &Conf{}}
			p.Piece = (i + int(seed)) % 3
			b.hosts[2].Send(env.MachineID(i%2), 0, env.EncodeJSON(p))
			b.world.RunFor(10 * time.Millisecond)
		}
		b.hosts[2].Send(0, 0, kinds[:min(len(kinds), 2000)])
		b.world.RunFor(time.Second)
		require.Equal(t, 0, b.where(), "no resume among them")
	})
}
