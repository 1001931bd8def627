package checkflags

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/linearizability"
)

// Consistency is the flag that names the consistency model of transactions.
type Consistency struct{ name string }

// AddTo adds the flag to a command.
func (c *Consistency) AddTo(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.name, "consistency", "", "consistency `model` for histories of transactions: "+
		strings.Join(linearizability.ConsistencyNames(), ", ")+" (default: the strongest)")
}

// Options returns what the flag changes.
func (c *Consistency) Options() []linearizability.Option {
	if c.name == "" {
		return nil
	}
	return []linearizability.Option{linearizability.WithConsistency(c.name)}
}

// Arguments repeats the flag if it was given.
func (c *Consistency) Arguments() []string {
	if c.name == "" {
		return nil
	}
	return []string{"--consistency", c.name}
}
