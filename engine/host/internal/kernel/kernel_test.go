package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNowIsMonotonicAndTheBootIDStays(t *testing.T) {
	first := Now()
	require.Positive(t, first)
	require.GreaterOrEqual(t, Now(), first)
	require.Equal(t, BootID(), BootID())
}
