// Package oldflags keeps flags with a single dash working (-check) in commands whose flags have two
// (--check). It never changes what follows "--", nor a word that is not one of the command's flags.
package oldflags

import (
	"strings"

	"github.com/spf13/cobra"
)

// Args returns the arguments with a second dash before the long flags of a command.
func Args(cmd *cobra.Command, args []string) []string {
	cmd.InitDefaultHelpFlag()
	out := append([]string{}, args...) // not nil: cobra would read the arguments of the process
	for i, arg := range out {
		if arg == "--" {
			break
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(arg, "-"), "=")
		if strings.HasPrefix(arg, "-") && len(name) > 1 && cmd.Flags().Lookup(name) != nil {
			out[i] = "-" + arg
		}
	}
	return out
}
