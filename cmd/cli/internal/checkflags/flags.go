package checkflags

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/linearizability"
)

// Flags are all flags for history files.
type Flags struct {
	limits      Limits
	imports     Imports
	consistency Consistency
}

// Help describes formats and models.
func Help() string { return Formats() + "\n\n" + Models() }

// AddTo adds the flags to a command.
func (f *Flags) AddTo(cmd *cobra.Command) {
	f.imports.AddTo(cmd)
	f.limits.AddTo(cmd)
	f.consistency.AddTo(cmd)
}

// Options returns what the flags change.
func (f *Flags) Options() ([]linearizability.Option, error) {
	opts, err := f.imports.Options()
	if err != nil {
		return nil, err
	}
	limits, err := f.limits.Options()
	return slices.Concat(opts, limits, f.consistency.Options()), err
}

// Arguments repeats the flags that were given, for the command that shows a verdict again.
func (f *Flags) Arguments() []string {
	return slices.Concat(f.imports.Arguments(), f.limits.Arguments(), f.consistency.Arguments())
}
