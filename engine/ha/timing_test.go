package ha_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

func TestTheDefaultTimesAreSafe(t *testing.T) {
	timing := ha.DefaultTiming()
	require.NoError(t, timing.Validate())
	require.Equal(t, 71*time.Second, timing.ResetBound())
	require.InDelta(t, 49, timing.Margin().Seconds(), 0.1)
}

func TestUnsafeTimesAreRefused(t *testing.T) {
	timing := ha.DefaultTiming()
	timing.Watchdog += 60 * time.Second
	require.ErrorIs(t, timing.Validate(), ha.ErrNoMargin)
	timing = ha.DefaultTiming()
	timing.LockTTL = 0
	require.ErrorIs(t, timing.Validate(), ha.ErrNoMargin)
	timing = ha.DefaultTiming()
	timing.DriftPpm = 500_000
	require.ErrorIs(t, timing.Validate(), ha.ErrNoMargin)
}

func TestMarginIsWhatValidateSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		second := rapid.Int64Range(1, 300)
		timing := ha.Timing{
			LockTTL:  time.Duration(second.Draw(t, "lock")) * time.Second,
			Watchdog: time.Duration(second.Draw(t, "watchdog")) * time.Second,
			Device:   time.Duration(second.Draw(t, "device")) * time.Second,
			DriftPpm: rapid.Int64Range(0, 1000).Draw(t, "drift"),
		}
		if timing.Validate() == nil {
			require.Greater(t, timing.LockTTL, timing.ResetBound())
		} else {
			require.LessOrEqual(t, timing.Margin(), time.Duration(0))
		}
	})
}
