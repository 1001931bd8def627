package tree

import (
	"path"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// FuzzCheckPath: an accepted path is the one form of itself, within the limits.
func FuzzCheckPath(f *testing.F) {
	for _, p := range []string{"", "a", "a/b", "/a", "a/", "a//b", ".", "a/..", "a\x00", "\xff",
		strings.Repeat("n", 257)} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p string) {
		if CheckPath(p) != nil || p == "" {
			return
		}
		require.Equal(t, path.Clean(p), p)
		require.False(t, path.IsAbs(p) || p == "." || strings.HasPrefix(p, ".."+"/"))
		require.True(t, utf8.ValidString(p))
		require.LessOrEqual(t, len(p), MaxPathBytes)
		dir, name := splitPath(p)
		require.LessOrEqual(t, len(name), MaxNameBytes)
		require.Nil(t, CheckPath(dir), "the directory of a valid path is valid")
	})
}
