package chaos

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

func TestTimescale(t *testing.T) {
	s := scenarios.New("long").Story("Long.").Machines(3).Warmup(10*time.Second).Duration(120*time.Second).
		Quiescence(40*time.Second).Subject("register", nil).MustBuild()
	ts, err := Runner{}.timescale(s, timescale.Ratio{})
	require.NoError(t, err)
	require.Equal(t, "1/4", ts.String())
	require.LessOrEqual(t, ts.Of(s.End()), DefaultMaxWall-maxOverheadTime)

	_, err = Runner{}.timescale(s, timescale.Ratio{Num: 1, Den: 2})
	require.ErrorIs(t, err, ErrTooLong)
	require.ErrorContains(t, err, "--timescale 1/4")
	ts, err = Runner{MaxWall: 5 * time.Minute}.timescale(s, timescale.Ratio{})
	require.NoError(t, err)
	require.Equal(t, "1", ts.String())
	s.Duration = time.Hour
	_, err = Runner{}.timescale(s, timescale.Ratio{})
	require.ErrorIs(t, err, ErrTooLong)
}

// plain is a driver that offers nothing beyond what it must.
type plain struct{ scenarios.Driver }

func TestEveryKindOfFaultIsDecided(t *testing.T) {
	supported := map[fault.Kind]bool{}
	for _, k := range fault.Kinds() {
		why := Unsupported(&fault.Fault{Kind: k}, plain{})
		require.NotContains(t, why, "not known", "the fault %s was forgotten", k)
		supported[k] = why == ""
	}
	require.Equal(t, map[fault.Kind]bool{fault.Partition: true, fault.Cut: true, fault.Link: true,
		fault.Flap: true,
		fault.Kill: true, fault.Pause: true, fault.PowerCut: false, fault.PowerOn: false,
		fault.DiskStall: false, fault.DiskSlow: false,
		fault.DiskFull: false, fault.DiskError: false, fault.DiskWipe: false, fault.DiskRollback: false,
		fault.DiskCut:   false,
		fault.ClockStep: false, fault.ClockDrift: false, fault.Buggify: false,
		fault.Slow: false, fault.Freeze: false,
		fault.Clog: true, fault.Bandwidth: true, fault.MTU: true, fault.Corrupt: true,
		fault.DiskCorrupt: false, fault.DiskLatent: false, fault.DiskLostWrite: false,
		fault.DiskMisdirect: false},
		supported)
	require.Contains(t, Unsupported(&fault.Fault{Kind: fault.Kill, Process: "store"}, plain{}), `"store"`)
	require.Contains(t, Unsupported(&fault.Fault{Kind: fault.Kill, AtDiskCall: 1}, plain{}), "at a disk call")
	require.Contains(t, Unsupported(&fault.Fault{Kind: "moon_phase"}, plain{}), "not known")
}
