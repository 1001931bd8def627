package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/linearizability"
)

// conformanceCommand is the command "conformance" with one command below it for each suite.
type conformanceCommand struct{ *app }

func (a conformanceCommand) tree() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "conformance",
		Short: "Run conformance suites",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	for _, suite := range a.Suites {
		cmd.AddCommand(a.suiteCommand(suite))
	}
	return cmd
}

func (a conformanceCommand) suiteCommand(suite Suite) *cobra.Command {
	var asJSON bool
	on := map[string]bool{}
	cmd := &cobra.Command{
		Use:     suite.Name + " FOLDER...",
		Short:   suite.About,
		Example: a.examples("  NAME conformance " + suite.Name + " test-cases/"),
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			again := []string{"conformance", suite.Name}
			for _, s := range suite.Switches {
				if on[s.Name], _ = cmd.Flags().GetBool(s.Name); on[s.Name] {
					again = append(again, "--"+s.Name)
				}
			}
			p := a.progress(false)
			done := 0
			v, err := suite.Run(cmd.Context(), args, SuiteOptions{Out: a.Stdout, JSON: asJSON, On: on,
				Progress: func(name string) {
					done++
					p.Show(fmt.Sprintf("%d done, last: %s", done, name))
				}})
			p.Clear()
			if err != nil {
				var known *exit
				if errors.As(err, &known) {
					return err
				}
				return internalError(err)
			}
			if v != linearizability.Valid {
				fmt.Fprintf(a.Stderr, "%s\n  %s\n", reproduceTitle, a.command(append(again, args...)...))
			}
			return exitFor(v)
		},
	}
	for _, s := range suite.Switches {
		cmd.Flags().Bool(s.Name, false, s.About)
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	return cmd
}
