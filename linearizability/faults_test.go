package linearizability_test

import (
	"context"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	lin "github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/internal/gen"
)

// faultSeeds is how many seeds each planted fault is tried with; HOLDFAST_LIN_SEEDS or the flag raise it.
var faultSeeds = flag.Int("lin.seeds", seedsFromEnv(), "seeds per planted fault")

func seedsFromEnv() int {
	if n, err := strconv.Atoi(os.Getenv("HOLDFAST_LIN_SEEDS")); err == nil {
		return n
	}
	return 18
}

// broken is a history with one fault planted; ok is false where the history has no place for it.
type broken func(rng *rand.Rand, g *gen.History) (ok bool)

// pickOp returns the index of a random operation that fits, or -1.
func pickOp(rng *rand.Rand, g *gen.History, fits func(op *history.Operation) bool) int {
	start := rng.IntN(len(g.Ops))
	for k := range g.Ops {
		if i := (start + k) % len(g.Ops); fits(&g.Ops[i]) {
			return i
		}
	}
	return -1
}

func mutation(op *history.Operation) bool {
	return op.Outcome == history.OK && op.Rev > 0 && (op.F == "write" || op.F == "cas")
}

func read(op *history.Operation) bool {
	return op.Outcome == history.OK && op.F == "read" && op.Rev > 2
}

// plant lists one planted fault per kind of violation that a store history can show.
var plant = map[lin.Kind]broken{
	lin.LostWrite: func(rng *rand.Rand, g *gen.History) bool {
		// The log ends before the last acknowledged write and what was read of it.
		i := pickOp(rng, g, mutation)
		if i < 0 {
			return false
		}
		for k := range g.Witness {
			if g.Witness[k].Rev == g.Ops[i].Rev {
				g.Witness[k].ID, g.Witness[k].Key, g.Witness[k].Value = "other", "kx",
					json.RawMessage(`"other"`)
				g.Witness[k].Internal = true
			}
		}
		return true
	},
	lin.StaleRead: func(rng *rand.Rand, g *gen.History) bool {
		// A read answers from the state before a write that was acknowledged before the read began.
		i := pickOp(rng, g, read)
		if i < 0 {
			return false
		}
		old := -1
		for k := range g.Ops {
			if mutation(&g.Ops[k]) && g.Ops[k].Return < g.Ops[i].Call && g.Ops[k].Key == g.Ops[i].Key {
				old = k
			}
		}
		if old < 0 {
			return false
		}
		g.Ops[i].Rev, g.Ops[i].Mod, g.Ops[i].Output = g.Ops[old].Rev-1, 0, nil
		for k := range g.Ops {
			op := &g.Ops[k]
			if mutation(op) && op.Key == g.Ops[i].Key && op.Rev < g.Ops[old].Rev && op.Rev > g.Ops[i].Mod {
				g.Ops[i].Mod, g.Ops[i].Output = op.Rev, op.Input
			}
		}
		return true
	},
	lin.FutureRead: func(rng *rand.Rand, g *gen.History) bool {
		i := pickOp(rng, g, read)
		if i < 0 {
			return false
		}
		for k := range g.Ops {
			op := &g.Ops[k]
			if mutation(op) && op.Call > g.Ops[i].Return && op.Key == g.Ops[i].Key {
				g.Ops[i].Rev, g.Ops[i].Mod, g.Ops[i].Output = op.Rev, op.Rev, op.Input
				return true
			}
		}
		return false
	},
	lin.Phantom: func(rng *rand.Rand, g *gen.History) bool {
		i := pickOp(rng, g, func(op *history.Operation) bool {
			return op.Outcome == history.Info &&
				inLog(g, op.ID)
		})
		if i < 0 {
			return false
		}
		g.Ops = append(g.Ops[:i], g.Ops[i+1:]...)
		return true
	},
	lin.AbortedWrite: func(rng *rand.Rand, g *gen.History) bool {
		i := pickOp(rng, g, mutation)
		if i < 0 {
			return false
		}
		g.Ops[i].Outcome, g.Ops[i].Error, g.Ops[i].Rev = history.Fail, "read_only", 0
		return true
	},
	lin.AppliedTwice: func(rng *rand.Rand, g *gen.History) bool {
		i := pickOp(rng, g, mutation)
		if i < 0 || int(g.Ops[i].Rev) == len(g.Witness) {
			return false
		}
		// The revision of an unknown write was in fact the same request again.
		j := pickOp(rng, g, func(op *history.Operation) bool {
			return op.Outcome == history.Info &&
				inLog(g, op.ID)
		})
		if j < 0 {
			return false
		}
		for k := range g.Witness {
			if g.Witness[k].ID == g.Ops[j].ID {
				g.Witness[k].ID = g.Ops[i].ID
				return true
			}
		}
		return false
	},
	lin.DuplicateRevision: func(rng *rand.Rand, g *gen.History) bool {
		i := pickOp(rng, g, mutation)
		j := pickOp(rng, g, func(op *history.Operation) bool { return mutation(op) && op.ID != g.Ops[i].ID })
		if i < 0 || j < 0 {
			return false
		}
		g.Ops[j].Rev = g.Ops[i].Rev
		return true
	},
	lin.ReorderedRevisions: func(rng *rand.Rand, g *gen.History) bool {
		i := pickOp(rng, g, func(op *history.Operation) bool { return mutation(op) && op.F == "write" })
		if i < 0 {
			return false
		}
		for k := range g.Ops {
			if b := &g.Ops[k]; mutation(b) && b.F == "write" && b.Call > g.Ops[i].Return {
				swapRevisions(g, &g.Ops[i], b)
				return true
			}
		}
		return false
	},
	lin.WrongPrecondition: func(rng *rand.Rand, g *gen.History) bool {
		i := pickOp(rng, g, func(op *history.Operation) bool {
			return op.F == "cas" &&
				op.Outcome == history.OK
		})
		if i < 0 {
			return false
		}
		g.Ops[i].Expect += uint64(1 + rng.IntN(3))
		return true
	},
	lin.SplitBrain: func(rng *rand.Rand, g *gen.History) bool {
		k := rng.IntN(len(g.Witness))
		other := g.Witness[k]
		other.Node, other.Value, other.ID = "n2", json.RawMessage(`"rival"`), "rival"
		g.Witness = append(g.Witness, other)
		return true
	},
}

func inLog(g *gen.History, id string) bool {
	for k := range g.Witness {
		if g.Witness[k].ID == id {
			return true
		}
	}
	return false
}

func swapRevisions(g *gen.History, a, b *history.Operation) {
	x, y := a.Rev, b.Rev
	for k := range g.Witness {
		e := &g.Witness[k]
		switch e.Rev {
		case x:
			e.ID, e.Key, e.Value = b.ID, b.Key, b.Input
		case y:
			e.ID, e.Key, e.Value = a.ID, a.Key, a.Input
		}
	}
	a.Rev, a.Mod, b.Rev, b.Mod = y, y, x, x
}

// Every planted fault is found.
func TestPlantedFaultsAreFound(t *testing.T) {
	for kind, breakIt := range plant {
		t.Run(string(kind), func(t *testing.T) {
			planted, named := 0, 0
			for seed := range uint64(*faultSeeds) {
				g := gen.Store(gen.Config{Seed: seed, Ops: 300, Clients: 8, Keys: 8, UnknownPpm: 50_000})
				if !breakIt(rand.New(rand.NewPCG(seed, 1)), g) {
					continue
				}
				planted++
				report, err := lin.Check(context.Background(), storeModel(t), witnessed(t, g))
				require.NoError(t, err)
				require.Equal(t, lin.Invalid, report.Validity, "seed %d", seed)
				for _, v := range report.Violations {
					require.NotEqual(t, lin.CheckerDisagreement, v.Kind, "%s", v.Explain)
					if v.Kind == kind {
						named++
						if named == 1 {
							t.Log(v.Explain)
						}
						break
					}
				}
			}
			require.Greater(t, planted, *faultSeeds/2)
			t.Logf("%d planted, %d named so", planted, named)
		})
	}
}
