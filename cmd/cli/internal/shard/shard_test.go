package shard_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/cmd/cli/internal/shard"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]shard.Shard{"": {}, "1/1": {Number: 1, Count: 1},
		"3/4": {Number: 3, Count: 4}} {
		got, err := shard.Parse(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Equal(t, text, got.String())
	}
	for _, text := range []string{"1", "0/4", "5/4", "1/0", "a/b", "1/4/2", "-1/4", "1/10001", "/"} {
		_, err := shard.Parse(text)
		require.ErrorIs(t, err, shard.ErrShard, text)
		require.ErrorContains(t, err, "such as 1/4")
	}
}

// TestEverySeedHasOneShard: the shards of a range hold each of its seeds once, a wider range moves no seed to
// another shard, and shards differ by one seed at most.
func TestEverySeedHasOneShard(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.Uint64Range(1, 9).Draw(t, "count")
		first := rapid.Uint64Range(0, 1<<62).Draw(t, "first")
		width := rapid.Uint64Range(0, 60).Draw(t, "width")
		name := rapid.SampledFrom([]string{"standard", "ha-storm", "x"}).Draw(t, "scenario")
		seedsOf := func(first, last uint64) map[uint64]uint64 {
			owner := map[uint64]uint64{}
			for number := range count {
				from, step, ok := shard.Shard{Number: number + 1, Count: count}.Of(name, "swarm", first, last)
				for seed := from; ok && seed <= last; seed += step {
					require.NotContains(t, owner, seed)
					owner[seed] = number
				}
			}
			return owner
		}
		all := seedsOf(first, first+width)
		require.Len(t, all, int(width)+1)
		perShard := map[uint64]uint64{}
		for _, number := range all {
			perShard[number]++
		}
		for number := range count {
			require.InDelta(t, float64(width+1)/float64(count), float64(perShard[number]), 1)
		}
		wider := seedsOf(first+width/2, first+2*width)
		for seed, number := range wider {
			if before, has := all[seed]; has {
				require.Equal(t, before, number)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("1/4")
	f.Add("4/1")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := shard.Parse(text)
		if err != nil {
			return
		}
		again, err := shard.Parse(s.String())
		require.NoError(t, err)
		require.Equal(t, s, again)
	})
}
