package state

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/store/bin"
)

// FuzzConfig: a configuration is refused, or valid and written back byte for byte.
func FuzzConfig(f *testing.F) {
	proposal := &Config{LogKeep: 1, Members: []Member{{Node: 1, Votes: 1}}}
	for _, c := range []*Config{initialized(1, 1), initialized(7, 1, 2, 3), proposal} {
		var w bin.Writer
		AppendConfig(&w, c)
		f.Add(w.B)
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		r := &bin.Reader{B: data}
		c := ReadConfig(r)
		if !r.Done() {
			return
		}
		require.NoError(t, c.Validate())
		var w bin.Writer
		AppendConfig(&w, c)
		require.Equal(t, data, w.B)
	})
}

// FuzzParseIncarnation: what is accepted is what String writes, but for the case of letters.
func FuzzParseIncarnation(f *testing.F) {
	f.Add(Incarnation{1, 2, 255}.String())
	f.Add("xyz")
	f.Fuzz(func(t *testing.T, text string) {
		i, err := ParseIncarnation(text)
		if err != nil {
			return
		}
		again, err := ParseIncarnation(i.String())
		require.NoError(t, err)
		require.Equal(t, i, again)
		require.Len(t, text, len(i.String()))
	})
}
