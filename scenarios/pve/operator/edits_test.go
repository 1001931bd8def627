package operator

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

func TestEditsOfResources(t *testing.T) {
	one, err := withService("", "vm:100")
	require.NoError(t, err)
	require.Equal(t, "vm: 100\n\tstate started\n\n", one)
	again, err := withService(one, "vm:100")
	require.NoError(t, err)
	require.Equal(t, one, again, "a service that is there stays as it is")

	stopped, err := WithProperty(one, "vm:100", "state", "stopped")
	require.NoError(t, err)
	require.Equal(t, "vm: 100\n\tstate stopped\n\n", stopped)
	_, err = WithProperty(one, "vm:101", "state", "stopped")
	require.ErrorContains(t, err, "there is no such service")
	_, err = WithProperty(one, "vm:100", "state", "dancing")
	require.Error(t, err)

	none, err := withoutService(stopped, "vm:100")
	require.NoError(t, err)
	require.Empty(t, none)
}

func TestEditsOfGuests(t *testing.T) {
	const old = "memory: 512\ncores: 1\nlock: backup\nlocked: no\n"
	for line, want := range map[string]string{
		"lock vm:1 snapshot": "memory: 512\ncores: 1\nlocked: no\nlock: snapshot\n",
		"unlock vm:1":        "memory: 512\ncores: 1\nlocked: no\n",
		"resize vm:1 4 64":   "lock: backup\nlocked: no\ncores: 4\nmemory: 64\n",
	} {
		c := haspec.Command{Run: line}.Parsed()
		got, err := guestEdit(&c)(old)
		require.NoError(t, err)
		require.Equal(t, want, got, line)
	}
	other := haspec.Command{Run: "start vm:1"}.Parsed()
	_, err := guestEdit(&other)(old)
	require.Error(t, err)
}
