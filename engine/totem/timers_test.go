package totem_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	. "github.com/holdfast-sim/holdfast/engine/totem"
)

// TestDefaultTimers compares with what Corosync derives for three token timeouts.
func TestDefaultTimers(t *testing.T) {
	for _, c := range []struct{ token, retransmit, hold, consensus int }{
		{3000, 714, 561, 3600}, {3650, 869, 685, 4380}, {3125, 744, 585, 3750},
	} {
		ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
		got := DefaultTimers(ms(c.token))
		require.Equal(t, ms(c.retransmit), got.TokenRetransmit, "retransmit of %d", c.token)
		require.Equal(t, ms(c.hold), got.Hold, "hold of %d", c.token)
		require.Equal(t, ms(c.consensus), got.Consensus, "consensus of %d", c.token)
	}
}
