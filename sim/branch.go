package sim

import (
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/sim/choice"
)

// prepareBranches prepares the branches of the run.
func (r *run) prepareBranches(choices *choice.Source) {
	for _, b := range r.options.Branches {
		for _, d := range nemesisDraws(r.scenario, b.At) {
			choices.BranchList(scenarios.NemesisStream, d.label, d.index, b.Seed)
		}
		r.world.Kernel.At(int64(b.At), brancher{choices}, 0, b.Seed)
	}
}

// brancher gives the run another future.
type brancher struct{ choices *choice.Source }

// Handle implements kernel.Handler.
func (b brancher) Handle(_ uint32, seed uint64) { b.choices.Branch(seed, scenarios.NemesisStream) }

// nemesisDraw is a place in a list of the nemesis.
type nemesisDraw struct {
	label string
	index uint64
}

// swizzleDrawsPerMachine is how many draws of a nemesis with clogs each machine takes in each slot.
const swizzleDrawsPerMachine = 4

// nemesisDraws returns, for each list of the nemesis, the place of the first draw that is about faults from
// a time on, which counts from the beginning of the run.
func nemesisDraws(s *scenarios.Scenario, from time.Duration) (draws []nemesisDraw) {
	n := s.Nemesis
	if n == nil {
		return nil
	}
	slot := uint64((max(from-s.Warmup, 0) + n.Slot() - 1) / n.Slot())
	add := func(drawsPerSlot int, labels ...string) {
		for _, label := range labels {
			draws = append(draws, nemesisDraw{label, slot * uint64(drawsPerSlot)})
		}
	}
	add(1, "occurs", "kind", "at", "length", "first", "others", "amount", "way", "process")
	if len(n.Roles) > 0 {
		add(1, "role")
	}
	if n.DiskCalls > 0 {
		add(1, "call")
	}
	if slices.Contains(n.Kinds, fault.Clog) {
		add(swizzleDrawsPerMachine*len(s.Machines), "swizzle")
	}
	return draws
}
