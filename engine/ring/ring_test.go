package ring

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestRingsAreOrderedBySequenceThenRepresentative(t *testing.T) {
	rings := []ID{{}, {Seq: 4, Rep: 1}, {Seq: 4, Rep: 3}, {Seq: 8, Rep: 1}, {Seq: 8, Rep: 2}}
	for i, a := range rings {
		for j, b := range rings {
			switch got := a.Compare(b); {
			case i < j:
				require.Negative(t, got, "%v before %v", a, b)
			case i > j:
				require.Positive(t, got, "%v after %v", a, b)
			default:
				require.Zero(t, got)
			}
		}
	}
}

func TestOnlyTheZeroIDIsNoRing(t *testing.T) {
	require.True(t, ID{}.IsZero())
	require.False(t, ID{Seq: 4}.IsZero())
	require.False(t, ID{Rep: 1}.IsZero())
}

// Operators know rings in this form from Corosync's log: representative.sequence, both in hexadecimal.
func TestARingIsWrittenAsCorosyncWritesIt(t *testing.T) {
	require.Equal(t, "1.7b1", ID{Seq: 0x7b1, Rep: 1}.String())
	require.Equal(t, "1f.4", ID{Seq: 4, Rep: 31}.String())
}

// The JSON of a ring is part of the records in run folders.
func TestTheJSONOfARing(t *testing.T) {
	text, err := json.Marshal(ID{Seq: 8, Rep: 2})
	require.NoError(t, err)
	require.Equal(t, `{"Seq":8,"Rep":2}`, string(text))
	var back ID
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, ID{Seq: 8, Rep: 2}, back)
}

func TestSortedIsASetAndLeavesItsArgument(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOf(rapid.Custom(func(t *rapid.T) NodeID {
			return NodeID(rapid.Uint32Range(1, 9).Draw(t, "id"))
		})).Draw(t, "ids")
		before := slices.Clone(ids)
		out := Sorted(ids)
		if !slices.Equal(before, ids) {
			t.Fatalf("Sorted changed its argument %v to %v", before, ids)
		}
		for i, id := range out {
			if i > 0 && out[i-1] >= id || !slices.Contains(ids, id) {
				t.Fatalf("Sorted(%v) = %v", ids, out)
			}
		}
		for _, id := range ids {
			if !slices.Contains(out, id) {
				t.Fatalf("Sorted(%v) = %v lacks %d", ids, out, id)
			}
		}
	})
}
