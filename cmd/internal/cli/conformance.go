package cli

import (
	"github.com/spf13/cobra"
)

func (a *app) conformanceCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "conformance",
		Short: "Run conformance suites against the engine",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	for _, suite := range a.Suites {
		cmd.AddCommand(&cobra.Command{
			Use:     suite.Name + " FOLDER...",
			Short:   suite.About,
			Example: "  holdfast conformance " + suite.Name + " test-cases/",
			Args:    cobra.MinimumNArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				v, err := suite.Run(cmd.Context(), args, a.Stdout)
				if err != nil {
					return internal(err)
				}
				return verdict(v)
			},
		})
	}
	return cmd
}
