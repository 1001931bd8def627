package linearizability_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	lin "github.com/holdfast-sim/holdfast/linearizability"
)

func TestWorst(t *testing.T) {
	v := func(words ...lin.Validity) (all []lin.Verdict) {
		for _, w := range words {
			all = append(all, lin.Verdict{Validity: w})
		}
		return all
	}
	require.Equal(t, lin.Unknown, lin.Worst(nil))
	require.Equal(t, lin.Valid, lin.Worst(v(lin.Valid, lin.Valid)))
	require.Equal(t, lin.Unknown, lin.Worst(v(lin.Valid, lin.Unknown)))
	require.Equal(t, lin.Unknown, lin.Worst(v(lin.Valid, 77)))
	require.Equal(t, lin.Invalid, lin.Worst(v(lin.Unknown, lin.Invalid, lin.Valid)))
}

func TestVerdictJSON(t *testing.T) {
	text, err := json.Marshal(lin.Verdict{Checker: "store", Validity: lin.Invalid, Summary: "s"})
	require.NoError(t, err)
	require.JSONEq(t, `{"checker":"store","validity":"invalid","summary":"s"}`, string(text))
	var back lin.Verdict
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, lin.Invalid, back.Validity)
	require.ErrorIs(t, json.Unmarshal([]byte(`{"validity":"fine"}`), &back), lin.ErrValidity)
	_, err = json.Marshal(lin.Validity(9))
	require.Error(t, err)
}
