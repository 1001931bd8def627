package thorough_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
)

// recorder is a test that only notes whether it was skipped.
type recorder struct {
	testing.TB
	skipped bool
}

func (r *recorder) Helper()              {}
func (r *recorder) Skipf(string, ...any) { r.skipped = true }

func TestTheVariableDecides(t *testing.T) {
	for value, on := range map[string]bool{"": false, "1": true} {
		t.Setenv(thorough.Variable, value)
		r := &recorder{TB: t}
		thorough.Only(r, "a minute")
		require.Equal(t, on, thorough.On())
		require.Equal(t, !on, r.skipped)
		require.Equal(t, map[bool]int{false: 2, true: 9}[on], thorough.Count(2, 9))
	}
}
