package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/linearizability"
)

// conformanceCommand is the command "conformance" with one command below it for each suite.
type conformanceCommand struct{ *app }

func (a conformanceCommand) cobraCommand() *cobra.Command {
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

// seedsFlag is the flag of suites that draw their cases.
const seedsFlag = "seeds"

func (a conformanceCommand) suiteCommand(suite Suite) *cobra.Command {
	cmd := &cobra.Command{
		Use:     suite.Name + " FOLDER...",
		Short:   suite.About,
		Long:    suite.Long,
		Example: a.examples("  NAME conformance " + suite.Name + " test-cases/"),
		Args:    cobra.MinimumNArgs(1),
		RunE:    func(cmd *cobra.Command, folders []string) error { return a.runSuite(cmd, suite, folders) },
	}
	if suite.Seeds != "" {
		cmd.Use, cmd.Args = suite.Name, cobra.NoArgs
		cmd.Example = a.examples("  NAME conformance " + suite.Name + " --seeds " + suite.Seeds)
		cmd.Flags().String(seedsFlag, suite.Seeds, "seeds `A-B` of the cases; N means 1-N")
	}
	for _, s := range suite.Switches {
		cmd.Flags().Bool(s.Name, false, s.About)
	}
	for _, v := range suite.Values {
		cmd.Flags().String(v.Name, "", v.About)
	}
	cmd.Flags().Bool("json", false, "print the report as JSON")
	return cmd
}

func (a conformanceCommand) runSuite(cmd *cobra.Command, suite Suite, folders []string) error {
	flags, again := cmd.Flags(), []string{"conformance", suite.Name}
	o := SuiteOptions{Out: a.Stdout, On: map[string]bool{}, Values: map[string]string{}}
	o.JSON, _ = flags.GetBool("json")
	for _, s := range suite.Switches {
		if o.On[s.Name], _ = flags.GetBool(s.Name); o.On[s.Name] {
			again = append(again, "--"+s.Name)
		}
	}
	for _, v := range suite.Values {
		if text, _ := flags.GetString(v.Name); text != "" {
			o.Values[v.Name] = text
		}
	}
	if suite.Seeds != "" {
		text, _ := flags.GetString(seedsFlag)
		var err error
		if o.FirstSeed, o.LastSeed, err = parseSeeds(text); err != nil {
			return err
		}
		again = append(again, "--"+seedsFlag, text)
	}
	p, done := a.progress(false), 0
	o.Progress = func(name string) {
		done++
		p.Show(fmt.Sprintf("%d done, last: %s", done, name))
	}
	v, err := suite.Run(cmd.Context(), folders, o)
	p.Clear()
	if err != nil {
		var known *exit
		if errors.As(err, &known) {
			return err
		}
		return internalError(err)
	}
	if v != linearizability.Valid {
		fmt.Fprintf(a.Stderr, "%s\n  %s\n", reproduceTitle, a.command(append(again, folders...)...))
	}
	return exitFor(v)
}
