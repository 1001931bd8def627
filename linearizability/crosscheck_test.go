package linearizability

import (
	"context"
	"flag"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/internal/gen"
	"github.com/holdfast-sim/holdfast/linearizability/models"
)

// crossFrom is the first of them, to split a long comparison.
var crossFrom = flag.Int("lin.from", 0, "number of the first random history")

// crossHistories is how many random histories are compared; HOLDFAST_LIN_HISTORIES or the flag raise it.
var crossHistories = flag.Int("lin.histories", envInt("HOLDFAST_LIN_HISTORIES", 400),
	"random small histories to compare with porcupine")

func envInt(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// corrupt changes one thing in a history, at random.
func corrupt(rng *rand.Rand, ops []history.Operation) {
	op := &ops[rng.IntN(len(ops))]
	other := &ops[rng.IntN(len(ops))]
	switch rng.IntN(9) {
	case 0:
		op.Rev = max(1, op.Rev+uint64(rng.IntN(3))) - 1
	case 1:
		op.Mod = max(1, op.Mod+uint64(rng.IntN(3))) - 1
	case 2:
		op.Output = other.Output
	case 3:
		shift := rng.Int64N(2000) - 1000
		op.Call += shift
		if op.Return != history.Never {
			op.Return += shift
		}
	case 4:
		if op.Return != history.Never {
			op.Return = op.Call + rng.Int64N(400)
		}
	case 5:
		op.Expect = other.Rev
	case 6:
		op.Rev, other.Rev = other.Rev, op.Rev
	case 7:
		op.Mod, op.Output, op.Rev = other.Mod, other.Output, other.Rev
	case 8:
		op.Input = other.Input
	}
}

// raw is the history as porcupine alone sees it.
func raw(t testing.TB, m *Model, ops []history.Operation) []porcupine.Operation {
	list, err := toPorcupine(m, ops)
	require.NoError(t, err)
	return list
}

func order(kind Kind) bool {
	switch kind {
	case StaleRead, FutureRead, RevisionRegression, WrongPrecondition:
		return true
	}
	return false
}

// TestCrossCheckWithPorcupine: the certificate and porcupine agree about random histories, valid and broken:
//   - if the certificate proves a history with a witness, porcupine accepts it with and without the witness;
//   - if the certificate refutes order or content, porcupine refutes the history once it knows the outcomes;
//   - without a witness, where revisions alone decide, the two agree exactly.
func TestCrossCheckWithPorcupine(t *testing.T) {
	m, err := models.Store(nil)
	require.NoError(t, err)
	checker := NewChecker(m, WithArbiter(ArbiterNever))
	ctx := context.Background()
	var both, bothBad, logOnly, silent, exact, open int
	for n := *crossFrom; n < *crossFrom+*crossHistories; n++ {
		rng := rand.New(rand.NewPCG(uint64(n), 7))
		g := gen.Store(gen.Config{Seed: uint64(n), Ops: 8 + rng.IntN(30), Clients: 2 + rng.IntN(4),
			Keys:       1 + rng.IntN(3),
			UnknownPpm: []int{0, 50_000, 200_000}[rng.IntN(3)], Tree: rng.IntN(2) == 0, Idle: rng.IntN(500)})
		for range rng.IntN(3) {
			corrupt(rng, g.Ops)
		}
		w, err := NewWitness(g.Witness)
		require.NoError(t, err)
		report, err := checker.Check(ctx, &History{Ops: g.Ops, Witness: w})
		require.NoError(t, err)
		second, err := checker.c.secondOpinion(ctx, arbiterSteps)
		require.NoError(t, err)
		switch {
		case second == Unknown:
			silent++
		case report.Validity == Valid:
			require.Equal(t, Valid, second, "history %d: certificate valid, porcupine not", n)
			plain := porcupine.CheckOperationsTimeout(m.Model, raw(t, m, g.Ops), arbiterTimeout)
			require.NotEqual(t, porcupine.Illegal, plain,
				"history %d: certificate valid, plain porcupine not", n)
			both++
		case order(report.Violations[0].Kind):
			require.Equal(t, Invalid, second, "history %d: %s, but porcupine finds an order", n,
				report.Violations[0].Explain)
			bothBad++
		default:
			logOnly++
		}
		if decidedAlone(t, checker, m, g.Ops, n) {
			exact++
		} else {
			open++
		}
	}
	t.Logf("agreed good %d, agreed bad %d, refuted by the log itself %d, search too long %d; "+
		"without a witness: agreed %d, left to the search %d", both, bothBad, logOnly, silent, exact, open)
	require.Greater(t, both, *crossHistories/5)
	require.Greater(t, bothBad, *crossHistories/20)
	require.Greater(t, exact, *crossHistories/5)
}

// decidedAlone compares certificate and porcupine on a history without a witness, and reports whether the
// certificate could decide it.
func decidedAlone(t *testing.T, checker *Checker, m *Model, ops []history.Operation, n int) bool {
	h := &History{Ops: ops}
	report := &Report{}
	checker.found = findings{ops: ops}
	decided, err := checker.certify(context.Background(), h, report)
	require.NoError(t, err)
	if !decided {
		return false
	}
	want := porcupine.CheckOperationsTimeout(m.Model, raw(t, m, ops), arbiterTimeout)
	if want == porcupine.Unknown {
		return false
	}
	require.Equal(t, want == porcupine.Ok, len(checker.found.list) == 0,
		"history %d without a witness: %v", n, checker.found.list)
	return true
}
