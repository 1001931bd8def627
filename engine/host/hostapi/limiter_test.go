package hostapi

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDoorLetsNoClientTakeAllPlaces(t *testing.T) {
	d := newLimiter(limits{connections: 3, connectionsOfOne: 2, operations: 3, operationsOfOne: 2,
		operationBytes: 10})
	enter := func(client string, bytes int64) (func(), error) {
		return d.admitOperation(client, bytes, false)
	}
	leave, err := enter("a", 1)
	require.NoError(t, err)
	_, err = enter("a", 1)
	require.NoError(t, err)
	_, err = enter("a", 1)
	require.ErrorIs(t, err, ErrRefused)
	require.ErrorContains(t, err, "2 operations of this client are under way")
	_, err = enter("b", 9)
	require.ErrorContains(t, err, "the operations under way have 2 bytes")
	_, err = enter("b", 8)
	require.NoError(t, err)
	_, err = enter("c", 0)
	require.ErrorContains(t, err, "3 operations of clients are under way")
	leave()
	_, err = enter("c", 1)
	require.NoError(t, err, "its place and its bytes are free again")

	for range reservedOperations {
		_, err = d.admitOperation("a", 4<<20, true)
		require.NoError(t, err, "reserved places are beside the others")
	}
	_, err = d.admitOperation("a", 0, true)
	require.ErrorIs(t, err, ErrRefused)

	require.True(t, d.admitConnection("a"))
	require.True(t, d.admitConnection("a"))
	require.False(t, d.admitConnection("a"))
	require.True(t, d.admitConnection("b"))
	require.False(t, d.admitConnection("c"), "all are taken")
	d.endConnection("a")
	require.True(t, d.admitConnection("c"))
	require.Equal(t, ListenerHealth{Connections: 3, Operations: 3 + reservedOperations, RefusedConnections: 2,
		RefusedOperations: 4}, d.health())
}
