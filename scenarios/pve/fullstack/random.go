package fullstack

import (
	"context"
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/conformance"
	"github.com/holdfast-sim/holdfast/scenarios/pve/harandom"
)

// RunRandom draws the folders of a range of seeds and replays each with strict decisions, first the decisions
// alone and then on a whole cluster. The log of the decisions alone is the expected one. The error is about
// ctx; a folder that fails is part of the report.
func RunRandom(ctx context.Context, first, last uint64, kind harandom.Kind, o Options) (*Report, error) {
	report := &Report{Rules: Rules}
	for seed := first; ; seed++ {
		result := ReplayRandom(ctx, seed, kind, o)
		if err := ctx.Err(); err != nil {
			return report, fmt.Errorf("replaying the folder of seed %d: %w", seed, err)
		}
		report.add(result)
		if o.Progress != nil {
			o.Progress(result)
		}
		if seed == last {
			return report, nil
		}
	}
}

// ReplayRandom draws, replays and judges the folder of one seed.
func ReplayRandom(ctx context.Context, seed uint64, kind harandom.Kind, o Options) Result {
	folder := harandom.Draw(seed, kind)
	c, err := conformance.Load(folder.FS(), ".", folder.Name)
	if err != nil {
		return Result{Name: folder.Name, Error: err.Error()}
	}
	c.Datacenter.Decisions = ha.DecisionsStrict
	alone, err := conformance.Replay(ctx, c)
	if err != nil {
		return Result{Name: folder.Name, Error: err.Error()}
	}
	if len(alone.Double) > 0 {
		return Result{Name: folder.Name, Error: fmt.Sprintf(
			"%s ran on two machines at %d s when the decisions were replayed alone", alone.Double[0].SID,
			alone.Double[0].Seconds)}
	}
	c.Expected = alone.Text()
	return replayWithWitness(ctx, c, o)
}
