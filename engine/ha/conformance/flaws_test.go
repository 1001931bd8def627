package conformance

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFlawsOfFakeServices: as Proxmox VE's virtual hardware reads their ids.
func TestFlawsOfFakeServices(t *testing.T) {
	require.Equal(t, guestFlaws{failedStarts: 2}, flawsOf("fa:120"))
	require.Equal(t, guestFlaws{failedMoves: 3, cannotStop: true, onlyNode: 2}, flawsOf("fa:103102"))
	require.Equal(t, guestFlaws{}, flawsOf("fa:99"), "fewer than three digits")
}
