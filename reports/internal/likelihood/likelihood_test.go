package likelihood_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/reports/internal/likelihood"
	"github.com/holdfast-sim/holdfast/reports/svg"
	"github.com/holdfast-sim/holdfast/scenarios/futures"
)

func result() *futures.Result {
	return &futures.Result{Property: "store", Curve: futures.Curve{{At: 0, Failed: 0, Runs: 8},
		{At: 10 * time.Second, Failed: 2, Runs: 8}, {At: 12 * time.Second, Failed: 8, Runs: 8}}}
}

func TestRowHasAStepForEachPoint(t *testing.T) {
	row := likelihood.Row(result(), 20*time.Second)
	var steps []svg.Item
	for _, it := range row.Items {
		if it.Class == svg.Bad {
			it.Tip = ""
			steps = append(steps, it)
		}
	}
	require.Equal(t, []svg.Item{
		{From: 10 * time.Second, To: 12 * time.Second, Class: svg.Bad, High: 250},
		{From: 12 * time.Second, To: 20 * time.Second, Class: svg.Bad, High: 1000}}, steps)
	require.Equal(t, svg.Warn, row.Items[0].Class, "the knee is behind the curve")
	require.Equal(t, 10*time.Second, row.Items[0].From)
	require.Equal(t, "2 of 8 futures fail (25 %)", likelihood.Share(result().Curve[1]))
}

func TestSection(t *testing.T) {
	var events []likelihood.Event
	for i := range 3000 {
		events = append(events, likelihood.Event{At: time.Duration(30_000-10*i) * time.Millisecond,
			Where: "n1",
			What:  "x\x1b"})
	}
	s := likelihood.SectionOf(result(), events)
	require.Equal(t, likelihood.Line{At: "10.000000\u00a0s", Where: "n1", What: `x\x1b`}, s.Events[0])
	require.Len(t, s.Events, 60)
	require.Equal(t, 141, s.MoreEvents)
	require.EqualValues(t, 10_000_000, s.From)
	require.EqualValues(t, 12_000_000, s.To)
	require.Contains(t, s.Summary, "25\u202f% of the futures fail before, 100\u202f% after")

	level := futures.Result{Curve: futures.Curve{{At: 0, Failed: 8, Runs: 8}, {At: 10, Failed: 8, Runs: 8}}}
	s = likelihood.SectionOf(&level, events)
	require.Contains(t, s.Summary, "rises nowhere")
	require.Empty(t, s.Events)
	require.Zero(t, s.To)
	require.Nil(t, likelihood.SectionOf(nil, nil))
}

func FuzzDecode(f *testing.F) {
	data, err := json.Marshal(result())
	require.NoError(f, err)
	f.Add(data)
	f.Add([]byte(`{"curve":[{"at":5,"failed":1,"runs":0}]}`))
	f.Add([]byte(`{"curve":[{"at":5,"runs":1},{"at":5,"runs":1}]}`))
	f.Add([]byte(`{"curve":[{"at":1,"failed":9223372036854775807,"runs":9223372036854775807}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := likelihood.Decode(data)
		if err != nil {
			return
		}
		for i, p := range r.Curve {
			require.LessOrEqual(t, p.Failed, p.Runs)
			require.True(t, i == 0 || p.At > r.Curve[i-1].At)
			require.LessOrEqual(t, p.Share(), 100)
		}
		likelihood.Row(r, time.Minute)
	})
}
