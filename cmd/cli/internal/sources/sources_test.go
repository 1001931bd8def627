package sources

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// TestLibraryInASubfolder: an embed.FS of a folder has its files below that folder, where no scenario is
// looked for. The error names the reason instead of claiming that there is no library.
func TestLibraryInASubfolder(t *testing.T) {
	has := func(string) bool { return true }
	f := Finder{Library: fstest.MapFS{"files/calm.yaml": {}}, HasKind: has, ListCommand: "x list"}
	_, err := f.Find("calm")
	require.ErrorContains(t, err, "must be in its top folder, see fs.Sub")

	f = Finder{HasKind: has}
	_, err = f.Find("calm")
	require.ErrorContains(t, err, "file calm does not exist, and this program has no library of scenarios")
}
