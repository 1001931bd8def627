package seeds_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/cmd/cli/internal/seeds"
)

func TestParse(t *testing.T) {
	for text, want := range map[string][2]uint64{"7": {1, 7}, "3-9": {3, 9}, "5-5": {5, 5}, "0-1": {0, 1}} {
		first, last, err := seeds.Parse(text)
		require.NoError(t, err, text)
		require.Equal(t, want, [2]uint64{first, last}, text)
	}
	for _, text := range []string{"", "x", "9-3", "1-", "-3", "1-2-3", "0", "1-1000002"} {
		_, _, err := seeds.Parse(text)
		require.ErrorIs(t, err, seeds.ErrRange, text)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("1-200")
	f.Add("18446744073709551615")
	f.Fuzz(func(t *testing.T, text string) {
		first, last, err := seeds.Parse(text)
		if err != nil {
			require.ErrorIs(t, err, seeds.ErrRange)
			return
		}
		require.LessOrEqual(t, first, last)
		require.Less(t, last-first, uint64(seeds.Max))
		require.Less(t, last, uint64(math.MaxUint64))
		require.False(t, strings.Contains(text, " "))
	})
}

func TestSplit(t *testing.T) {
	names, ranges, haveOwn := seeds.Split([]string{"storm:1-8", "C:/dir/storm.yaml", "a:b:7", "storm:x"})
	require.Equal(t, []string{"storm", "C:/dir/storm.yaml", "a:b", "storm:x"}, names)
	require.Equal(t, []string{"1-8", "", "7", ""}, ranges)
	require.True(t, haveOwn)
	_, _, haveOwn = seeds.Split([]string{"storm"})
	require.False(t, haveOwn)
}
