package totem

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/totem/wire"
	seal "github.com/holdfast-sim/holdfast/engine/wire"
)

// TestPacketsFitWithAllHeaders: a full packet that is sent again inside another one and over a relay is
// within the size of packets.
func TestPacketsFitWithAllHeaders(t *testing.T) {
	headers := 2*wire.McastHeaderBytes + seal.OverheadBytes
	require.Equal(t, 1400, headers+maxBodyBytes(&Config{MTUBytes: 1400}))
	require.Equal(t, 1400, wire.RelayHeaderBytes+headers+maxBodyBytes(&Config{MTUBytes: 1400, Relay: true}))
}
