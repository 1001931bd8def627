package salvage

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

// FuzzSalvage: whatever a status file holds, what is kept can be read again, and damage is reported.
func FuzzSalvage(f *testing.F) {
	for _, seed := range []string{"", "garbage", "null", "[]",
		`{"master_node":"n1","service_status":{"vm:1":{"state":"started","node":"n"}}}`,
		`{"service_status":{"vm:1":null},"disarm":{"mode":"x"}}`,
		`{"timestamp":"1","results":{"a":{"exit_code":"x"}}}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		manager, problems := ManagerStatus(text)
		_, err := ha.DecodeManagerStatus([]byte(text))
		require.Equal(t, err != nil, len(problems) > 0, "%v: %v", err, problems)
		data, err := manager.Encode()
		require.NoError(t, err)
		_, err = ha.DecodeManagerStatus(data)
		require.NoError(t, err)

		_, problems = LRMStatus(text)
		_, err = ha.DecodeLRMStatus([]byte(text))
		require.Equal(t, err != nil, len(problems) > 0, "%v: %v", err, problems)
		require.NotContains(t, Damage{Path: "x", Problems: problems}.String(), "\n")
	})
}
