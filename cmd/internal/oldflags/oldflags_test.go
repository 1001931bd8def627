package oldflags_test

import (
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/cmd/internal/oldflags"
)

func TestArgs(t *testing.T) {
	cmd := &cobra.Command{}
	cmd.Flags().Bool("check", false, "")
	cmd.Flags().StringP("only", "o", "", "")
	for name, c := range map[string]struct{ in, want []string }{
		"one dash":        {[]string{"-check", "-only=x"}, []string{"--check", "--only=x"}},
		"two dashes":      {[]string{"--check"}, []string{"--check"}},
		"a short flag":    {[]string{"-o", "x", "-ox"}, []string{"-o", "x", "-ox"}},
		"an unknown flag": {[]string{"-checks"}, []string{"-checks"}},
		"behind --":       {[]string{"--", "-check"}, []string{"--", "-check"}},
		"no flags":        {[]string{"-", "", "check"}, []string{"-", "", "check"}},
	} {
		require.Equal(t, c.want, oldflags.Args(cmd, c.in), name)
	}
	require.NotNil(t, oldflags.Args(cmd, nil))
}
