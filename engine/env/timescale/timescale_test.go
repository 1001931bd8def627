package timescale_test

import (
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/env/timescale"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]timescale.Ratio{
		"1": {1, 1}, "0.2": {2, 10}, "1/5": {1, 5}, "2": {2, 1}, "007": {7, 1},
	} {
		have, err := timescale.Parse(text)
		require.NoError(t, err, text)
		require.Equal(t, want, have, text)
	}
	for _, text := range []string{"", "0", "1/0", "0/3", "-1", "1/-3", "fast", "0.", ".",
		"1/2/3", "99999999999",
		"1.00000000001"} {
		_, err := timescale.Parse(text)
		require.ErrorContains(t, err, "write a positive number such as 0.2, 1/5 or 2", text)
	}
}

func TestCheck(t *testing.T) {
	for _, r := range []timescale.Ratio{{}, {1, 1}, {1, timescale.Max}, {timescale.Max, 1}, {7, 20}} {
		require.NoError(t, r.Check(), r)
	}
	for _, r := range []timescale.Ratio{{1, 0}, {0, 1}, {-1, -1}, {1, timescale.Max + 1},
		{timescale.Max + 1, 1},
		{1 << 40, 1 << 40}} {
		require.ErrorContains(t, r.Check(), "write one between 1/1000 and 1000", r)
	}
}

func TestTheZeroRatioIsOne(t *testing.T) {
	var r timescale.Ratio
	require.True(t, r.IsOne())
	require.Equal(t, time.Second, r.Of(time.Second))
	require.Equal(t, "1", r.String())
	require.Equal(t, time.Second, r.Inverse().Of(time.Second))
}

func anyRatio() *rapid.Generator[timescale.Ratio] {
	return rapid.Custom(func(t *rapid.T) timescale.Ratio {
		return timescale.Ratio{Num: rapid.Int64Range(1, 1<<31-1).Draw(t, "num"),
			Den: rapid.Int64Range(1, 1<<31-1).Draw(t, "den")}
	}).Filter(func(r timescale.Ratio) bool { return r.Check() == nil })
}

// TestOfIsExact compares with arbitrary precision, up to the longest scaled duration that fits.
func TestOfIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := anyRatio().Draw(t, "ratio")
		d := rapid.Int64Range(-1<<53, 1<<53).Draw(t, "duration")
		want := new(big.Int).Mul(big.NewInt(d), big.NewInt(r.Num))
		require.Equal(t, want.Quo(want, big.NewInt(r.Den)).Int64(), int64(r.Of(time.Duration(d))))
		back, err := timescale.Parse(r.String())
		require.NoError(t, err)
		require.Equal(t, r.Of(time.Duration(d)), back.Of(time.Duration(d)))
	})
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"1", "0.2", "1/5", "1/0", "1e9", "0.0000000001"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := timescale.Parse(text)
		if err != nil {
			return
		}
		again, err := timescale.Parse(r.String())
		require.NoError(t, err)
		require.Equal(t, r.Of(time.Hour), again.Of(time.Hour))
		require.Equal(t, r.Check() == nil, again.Check() == nil)
	})
}
