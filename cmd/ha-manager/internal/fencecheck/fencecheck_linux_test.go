package fencecheck

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/fence"
)

func TestPasswordFilesAreForOneUser(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("hush\n"), 0o600))
	d := &fence.Device{Parts: []fence.Part{{PasswordFile: secret}}}
	require.NoError(t, checkPasswordFiles(d))
	require.NoError(t, os.Chmod(secret, 0o644))
	require.ErrorContains(t, checkPasswordFiles(d), "make its mode 0600")
	require.NoError(t, os.Remove(secret))
	require.ErrorContains(t, checkPasswordFiles(d), "no such file")
}
