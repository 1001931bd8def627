package futures_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/scenarios/futures"
)

// TestTheKneeIsFound: from the time on at which the violation became inevitable every future fails, before it
// some do.
func TestTheKneeIsFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		end := 100 * time.Second
		inevitable := time.Duration(rapid.IntRange(1, 99_000).Draw(t, "ms")) * time.Millisecond
		oneIn := uint64(rapid.IntRange(3, 9).Draw(t, "one in"))
		try := func(_ context.Context, at time.Duration, seed uint64) (bool, error) {
			return at >= inevitable || seed%oneIn == 0, nil
		}
		curve, err := futures.Measure(t.Context(), end, try, futures.Options{Parallel: 3})
		require.NoError(t, err)
		from, to, ok := curve.Knee()
		require.True(t, ok)
		require.Less(t, from.At, inevitable)
		require.GreaterOrEqual(t, to.At, inevitable)
		require.LessOrEqual(t, to.At-from.At, 500*time.Millisecond)
		require.Equal(t, 100, to.Share())
		for i := 1; i < len(curve); i++ {
			require.Less(t, curve[i-1].At, curve[i].At)
		}
	})
}

func TestText(t *testing.T) {
	r := futures.Result{Property: "store", Curve: futures.Curve{{At: 0, Failed: 0, Runs: 8},
		{At: 10 * time.Second, Failed: 2, Runs: 8}, {At: 12500 * time.Millisecond, Failed: 8, Runs: 8}}}
	var out strings.Builder
	require.NoError(t, r.Text(&out))
	require.Equal(t, `futures in which store finds a violation, drawn anew from a time on:
     0.000 s    0 of 8
    10.000 s    2 of 8  #####
    12.500 s    8 of 8  ####################
what happens between 10.000 s and 12.500 s makes the failure likely: 25 % before, 100 % after
`, out.String())
	data, err := json.Marshal(r)
	require.NoError(t, err)
	require.Contains(t, string(data), `"knee":[10000000000,12500000000]`)
}

func TestNoKnee(t *testing.T) {
	always := func(context.Context, time.Duration, uint64) (bool, error) { return true, nil }
	curve, err := futures.Measure(t.Context(), time.Minute, always, futures.Options{Points: 4, Futures: 2})
	require.NoError(t, err)
	require.Len(t, curve, 5)
	_, _, ok := curve.Knee()
	require.False(t, ok)
}

func TestAnErrorAndTheEndOfTheContext(t *testing.T) {
	broken := errors.New("broken")
	_, err := futures.Measure(t.Context(), time.Minute,
		func(context.Context, time.Duration, uint64) (bool, error) { return false, broken },
		futures.Options{})
	require.ErrorIs(t, err, broken)

	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	curve, err := futures.Measure(ctx, time.Minute, func(context.Context, time.Duration,
		uint64) (bool, error) {
		if calls++; calls == 20 {
			cancel()
		}
		return true, nil
	}, futures.Options{})
	require.NoError(t, err)
	require.Len(t, curve, 3, "eight, eight, and the three that were over")
}
