package linearizability

import (
	"math/rand/v2"

	"github.com/holdfast-sim/holdfast/linearizability/history"
)

// RegisterRun gives benchmarks the generator of register histories.
func RegisterRun(seed uint64, ops, clients, values, unknownPpm int) []history.Operation {
	return registerRun(rand.New(rand.NewPCG(seed, 5)), ops, clients, values, unknownPpm)
}
