package register_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/register"
	"github.com/holdfast-sim/holdfast/scenarios/strictyaml"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

const file = "name: x\nstory: A register.\nmachines: 3\nduration: 10s\nsubject:\n  kind: register\n"

// FuzzDecode: the register has no keys of its own, so every other key under subject is refused with its
// place, and no text makes Decode panic.
func FuzzDecode(f *testing.F) {
	for _, part := range []string{"", "  votes: 3\n", "  kind: register\n", "  a: {b: 1}\n",
		"workload: {clients: 2}\n",
		"  ~: 1\n", "  ? [a]\n  : 1\n"} {
		f.Add(part)
	}
	kinds := scenarios.Kinds{register.Kind: register.Decode}
	_, _, err := scenarios.Parse("f.yaml", []byte(file), kinds)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, part string) {
		s, subject, err := scenarios.Parse("f.yaml", []byte(file+part), kinds)
		if err != nil {
			var problems strictyaml.Problems
			require.True(t, errors.As(err, &problems), "%T: %v", err, err)
			for _, p := range problems {
				require.Equal(t, "f.yaml", p.File)
				require.Positive(t, p.Line, p.Text)
				require.Positive(t, p.Column, p.Text)
			}
			return
		}
		require.Equal(t, register.Kind, subject.Kind())
		again, err := register.Decode(s)
		require.NoError(t, err)
		require.Equal(t, subject, again)
	})
}

// FuzzDecodeAnswer: no answer makes Codec.Decode panic, and an answer that it reads has the type and
// the value that the register put in.
func FuzzDecodeAnswer(f *testing.F) {
	for _, text := range []string{"", "{}", "null", `{"value": "a"}`, `{"error": "no quorum"}`,
		`{"valu": 1}`, `[1]`} {
		f.Add([]byte(text), true)
		f.Add([]byte(text), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, read bool) {
		op := workload.Op{F: workload.Write}
		if read {
			op.F = workload.Read
		}
		result, err := register.Codec{}.Decode(op, data)
		if err != nil {
			require.Zero(t, result)
			return
		}
		var answer register.Response
		require.NoError(t, json.NewDecoder(bytes.NewReader(data)).Decode(&answer))
		if answer.Error != "" {
			require.Equal(t, workload.Result{Type: history.Fail, Error: answer.Error}, result)
			return
		}
		require.Equal(t, history.OK, result.Type)
		require.Equal(t, read && answer.Value != "", result.Value != nil)
	})
}
