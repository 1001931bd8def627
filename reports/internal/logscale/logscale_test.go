package logscale

import (
	"math"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestLog2(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64Range(1, math.MaxUint64).Draw(t, "n")
		f, _ := new(big.Float).SetUint64(n).Float64()
		require.InDelta(t, math.Log2(f)*1000, log2Thousandths(n), 3)
	})
	require.Zero(t, log2Thousandths(0))
	require.Equal(t, 63000, log2Thousandths(1<<63))
}

func TestDecades(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		least := time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "least"))
		most := least + time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "more"))
		low, high := Decades(least, most)
		require.LessOrEqual(t, low, least)
		require.GreaterOrEqual(t, high, most)
		require.Greater(t, high, low)
	})
}
