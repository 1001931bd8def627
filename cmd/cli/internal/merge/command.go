package merge

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/cmd/cli/internal/cireports"
	"github.com/holdfast-sim/holdfast/cmd/cli/internal/pagefile"
	"github.com/holdfast-sim/holdfast/linearizability"
)

const help = `Adds up the journals of the shards of a campaign (--shard) and reports them as one campaign:
table, groups of failures with how rarely they were seen, page, JUnit, annotations. Runs of different
builds, of different texts of a scenario, or of the same seed are refused.`

// Command is the command campaign merge. Its fields must be set before it is used.
type Command struct {
	Program        string // its name
	Stdout, Stderr io.Writer
	Env            func(string) string // reads an environment variable
	// End turns the result, or the error of an input, into the error of the command; Broken an error of an
	// output.
	End    func(v linearizability.Validity, err error) error
	Broken func(err error) error

	junit string
	page  string
	json  bool
}

// Cobra returns the command for a command line.
func (c *Command) Cobra() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "merge JOURNAL...",
		Short:   "Report the shards of a campaign as one",
		Long:    help,
		Example: "  " + c.Program + " campaign merge shards/*/campaign-*.jsonl --page campaign.html",
		Args:    cobra.MinimumNArgs(1),
		RunE:    func(_ *cobra.Command, files []string) error { return c.run(files) },
	}
	cmd.Flags().StringVar(&c.junit, "junit", "", "write a JUnit report to this `file`")
	cmd.Flags().StringVar(&c.page, "page", "", "write the page of the whole campaign to this `file`")
	cmd.Flags().BoolVar(&c.json, "json", false, "print the summary as JSON")
	return cmd
}

func (c *Command) run(files []string) error {
	all, err := Files(files)
	if err != nil {
		return c.End(linearizability.Unknown, err)
	}
	err = cireports.Write(all.Summary, all.Outcomes, cireports.To{Program: c.Program, JUnitFile: c.junit,
		Env: c.Env, Stderr: c.Stderr})
	if c.page != "" {
		page := pagefile.File{Path: c.page, Summary: all.Summary}
		err = errors.Join(err, page.Finish())
	}
	if c.json {
		err = errors.Join(err, all.Summary.JSON(c.Stdout))
	} else {
		err = errors.Join(err, all.Summary.Text(c.Stdout, nil))
	}
	if err != nil {
		return c.Broken(err)
	}
	if len(all.Missing) > 0 {
		fmt.Fprintf(c.Stderr, "no run of shard %s\n", strings.Join(all.Missing, ", "))
	}
	switch {
	case all.AnyInvalid():
		return c.End(linearizability.Invalid, nil)
	case !all.Summary.OK(), len(all.Missing) > 0:
		return c.End(linearizability.Unknown, nil)
	}
	return c.End(linearizability.Valid, nil)
}
