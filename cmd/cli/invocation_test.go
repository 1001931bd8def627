package cli

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestProgramsOfGoRunAreKnown(t *testing.T) {
	hash := strings.Repeat("0b", 32)
	for name, want := range map[string]bool{
		"/tmp/go-build123/b001/exe/holdfast":            true,
		"/home/me/.cache/go-build/0b/" + hash + "-d/hf": true,
		"/var/cache/0b/" + hash + "-d/holdfast":         true, // GOCACHE=/var/cache
		"/tmp/go-build123/b001/cli.test":                false,
		"/usr/local/bin/holdfast":                       false,
		"bin/holdfast":                                  false,
	} {
		require.Equal(t, want, builtByGoRun(name), name)
	}
}
