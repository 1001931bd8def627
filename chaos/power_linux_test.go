package chaos_test

import (
	"context"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/chaos"
	"github.com/holdfast-sim/holdfast/chaos/chaostest"
	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/hostdriver"
	"github.com/holdfast-sim/holdfast/scenarios/register"
)

// powers are the times at which machines were switched, with their causes.
func powers(run *scenarios.Run) (list []scenarios.Stamped) {
	for _, r := range run.Records {
		if _, ok := r.Record.(scenarios.Power); ok {
			list = append(list, r)
		}
	}
	return list
}

func TestPowerCutEndsEverything(t *testing.T) {
	s := brief("power-cut").At(700 * time.Millisecond).PowerCut("n1").For(1500 * time.Millisecond).MustBuild()
	sub := subject(t, s).(driven)
	sub.driver = &hostdriver.Driver{Path: program(t), Powered: true}
	run := chaostest.Run(t, s, sub)
	p := powers(run)
	require.Len(t, p, 2)
	require.Equal(t, scenarios.Power{Boot: 1, Cause: scenarios.CauseFault}, p[0].Record)
	require.Equal(t, scenarios.Power{On: true, Boot: 2}, p[1].Record)
	require.Zero(t, okBetween(run, p[0].At, p[1].At)["n1"])
	for _, r := range run.Records {
		require.False(t, r.Machine == p[0].Machine && r.Process != "machine" && r.At > p[0].At &&
			r.At < p[1].At)
	}
	require.Contains(t, run.Verdicts[0].Details[len(run.Verdicts[0].Details)-1],
		"does not show what disks lose")
}

// arming is a driver that arms the watchdog of a machine when its program is ready; no process renews it.
type arming struct {
	*hostdriver.Driver
	once sync.Once
	err  error
}

func (a *arming) Ready(ctx context.Context, m scenarios.Machine, c scenarios.Conn) error {
	if m.Name == "n1" {
		a.once.Do(func() {
			dog, err := net.Dial("unix", filepath.Join(m.Dir, "watchdog.sock"))
			if err == nil {
				_, err = dog.Write([]byte("arm 2000000000\n"))
			}
			if err == nil {
				_, err = dog.Read(make([]byte, 10))
				dog.Close() // the client that armed it may be gone
			}
			a.err = err
		})
	}
	return a.Driver.Ready(ctx, m, c)
}

func TestWatchdogResetsAPausedMachine(t *testing.T) {
	s := scenarios.New("reset").Story("A watchdog without renewals, on a paused machine.").Machines(3).
		Warmup(10*time.Second).Duration(110*time.Second).Quiescence(20*time.Second).
		At(10*time.Second).PauseMachine("n1").For(80*time.Second).Subject(register.Kind, nil).MustBuild()
	sub := subject(t, s).(driven)
	driver := &arming{Driver: &hostdriver.Driver{Path: program(t), Powered: true}}
	sub.driver = driver
	run := chaostest.Run(t, s, sub, chaostest.Timescale(timescale.Ratio{Num: 1, Den: 20}))
	require.NoError(t, driver.err)
	p := powers(run)
	require.Len(t, p, 2)
	require.Equal(t, scenarios.Power{Boot: 1, Cause: scenarios.CauseWatchdog}, p[0].Record)
	require.Equal(t, scenarios.Power{On: true, Boot: 2}, p[1].Record)
	require.Greater(t, p[0].At, run.Applied[0].Begun[1])
	require.InDelta(t, time.Second, p[1].At-p[0].At, float64(700*time.Millisecond))
	require.Equal(t, "netns", chaos.Backend)
	for _, f := range run.Finals {
		require.NoError(t, f.Err)
	}
}
