package ids

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestForms(t *testing.T) {
	for sid, want := range map[string]string{"vm:100": "", "ct:10": "", "vm:1": "invalid VMID '1'",
		"ct:010": "invalid VMID",
		"vm:10x": "invalid VMID", "fa:100": "unknown resource type 'fa': there are vm and ct",
		"vm:":    "does not look like",
		"VM:100": "does not look like", "": "does not look like"} {
		err := CheckGuestSID(sid)
		if want == "" {
			require.NoError(t, err, sid)
			continue
		}
		require.ErrorContains(t, err, want, sid)
	}
	require.NoError(t, CheckSIDForm("7"))
	require.NoError(t, CheckSIDForm("service:web"), "an older file may have it")
	require.ErrorContains(t, CheckSIDForm("7x"), "does not look like a valid ha resource id")
	for id, ok := range map[string]bool{"ab": true, "A-b_9": true, "a": false, "9a": false, "a b": false,
		"a:b": false, "": false} {
		require.Equal(t, ok, CheckConfigID(id) == nil, "%q", id)
	}
}

func TestExistence(t *testing.T) {
	guests := map[string]string{"ct:100": "n1"}
	require.NoError(t, CheckGuestExists(guests, "ct:100"))
	require.EqualError(t, CheckGuestExists(guests, "vm:100"),
		"resource 'vm:100' - guest with ID 100 is not a VM")
	require.ErrorContains(t, CheckGuestExists(guests, "ct:101"),
		"resource 'ct:101' does not exist in cluster")
}
