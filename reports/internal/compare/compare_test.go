package compare_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/reports/internal/compare"
)

func TestTimedFindsTheFirstDifference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		step := rapid.Custom(func(t *rapid.T) compare.Step {
			return compare.Step{At: time.Duration(rapid.IntRange(0, 50).Draw(t, "at")),
				Actor: rapid.SampledFrom([]string{"n1", "n2"}).Draw(t, "actor"),
				Text:  rapid.SampledFrom([]string{"x", "y", "z"}).Draw(t, "text")}
		})
		a := rapid.SliceOfN(step, 0, 120).Draw(t, "a")
		compare.Sort(a)
		b := slices.Clone(a)
		require.Nil(t, compare.Timed(a, b))
		require.Empty(t, compare.Untimed(a, b))
		if len(a) == 0 {
			return
		}
		at := rapid.IntRange(0, len(a)-1).Draw(t, "at")
		switch rapid.IntRange(0, 2).Draw(t, "change") {
		case 0:
			b[at].Text = "other"
		case 1:
			b = b[:at]
		default:
			b = append(b, compare.Step{At: 99, Actor: "n3", Text: "new"})
			at = len(a)
		}
		d := compare.Timed(a, b)
		require.Equal(t, at, d.Same)
		// Side by side is everything, in order, but what is counted.
		var left, right []compare.Step
		for _, row := range d.Rows {
			if row.A != nil {
				left = append(left, *row.A)
			}
			if row.B != nil {
				right = append(right, *row.B)
			}
			if row.Same {
				require.Equal(t, row.A, row.B)
			}
		}
		from := max(0, at-8)
		require.Equal(t, len(a)-from, len(left)+d.MoreA)
		require.Equal(t, len(b)-from, len(right)+d.MoreB)
		require.True(t, slices.Equal(a[from:from+len(left)], left))
		require.True(t, slices.Equal(b[from:from+len(right)], right))
	})
}

// TestUntimedIgnoresTimes: runs that did the same at other times, and in another order among actors, are the
// same; the earliest difference of one actor comes first.
func TestUntimedIgnoresTimes(t *testing.T) {
	steps := func(later time.Duration, n1, n2 []string) (out []compare.Step) {
		for i, text := range n1 {
			out = append(out, compare.Step{At: later + time.Duration(10*i), Actor: "n1", Text: text})
		}
		for i, text := range n2 {
			out = append(out, compare.Step{At: 2*later + time.Duration(7*i), Actor: "n2", Text: text})
		}
		compare.Sort(out)
		return out
	}
	a := steps(1, []string{"start", "vote", "lead"}, []string{"start", "vote", "follow"})
	require.Empty(t, compare.Untimed(a, steps(5, []string{"start", "vote", "lead"},
		[]string{"start", "vote", "follow"})))
	all := compare.Untimed(a, steps(5, []string{"start", "vote", "stop"}, []string{"start", "lead", "vote"}))
	require.Len(t, all, 2)
	require.Equal(t, "n1", all[1].Actor)
	d := all[0]
	require.Equal(t, "n2", d.Actor)
	require.Equal(t, 1, d.Same)
	require.EqualValues(t, 9, d.At)
	var text [][2]string
	for _, row := range d.Rows {
		var pair [2]string
		if row.A != nil {
			pair[0] = row.A.Text
		}
		if row.B != nil {
			pair[1] = row.B.Text
		}
		text = append(text, pair)
	}
	require.Equal(t, [][2]string{{"start", "start"}, {"", "lead"}, {"vote", "vote"}, {"follow", ""}}, text)
}
