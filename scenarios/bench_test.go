package scenarios_test

import (
	"testing"
	"time"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// lcg draws quickly and the same each time.
type lcg struct{ state *uint64 }

func (l lcg) Choose(n uint64) uint64 {
	*l.state = *l.state*6364136223846793005 + 1442695040888963407
	return (*l.state >> 33) % n
}

func BenchmarkExpand(b *testing.B) {
	s := scenarios.New("x").Story("s").Subject("toy", nil).Machines(3).Duration(120 * time.Second).
		Nemesis(scenarios.Nemesis{Kinds: fault.Kinds(), Every: 6 * time.Second, ForMin: time.Second,
			ForMax: 15 * time.Second, AtOnce: 2}).MustBuild()
	state := uint64(1)
	faults := 0
	for b.Loop() {
		faults += len(scenarios.Expand(s, nil, func(_, _ string) draw.Chooser { return lcg{&state} }))
	}
	b.ReportMetric(float64(faults)/float64(b.N), "faults/op")
}

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		if _, _, err := scenarios.Parse("everything.yaml", []byte(wholeFile), toyKinds()); err != nil {
			b.Fatal(err)
		}
	}
}
