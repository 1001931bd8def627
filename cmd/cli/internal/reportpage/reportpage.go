// Package reportpage is the command that writes the page of a run's folder again, also with another run
// beside it.
//
// Package reportpage never runs or judges anything.
package reportpage

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/reports"
)

const help = `Writes the page of a run's folder again, from the files of the folder: report.html.

With --against the page shows the run beside another one up to their first difference. Runs of one seed are
compared with all their times. Of others, whose times differ from the start, what each process, each client
and the nemesis did is compared, and the earliest difference counts.`

// Command is the command "report".
type Command struct {
	Name   string // of the program
	Stdout io.Writer
	// Usage marks an error of the caller.
	Usage func(error) error
}

// Cobra returns the command with its flags.
func (c Command) Cobra() *cobra.Command {
	var other string
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "report RUNFOLDER",
		Short:   "Write the page of a run again, or of two runs side by side",
		Long:    help,
		Example: "  " + c.Name + " report runs/my-scenario/1 --against runs/my-scenario/2",
		Args:    cobra.ExactArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return c.write(args[0], other, asJSON) },
	}
	cmd.Flags().StringVar(&other, "against", "", "show the run of this `folder` beside it")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one line of JSON")
	return cmd
}

func (c Command) write(dir, other string, asJSON bool) error {
	page, err := reports.RewritePage(dir, other)
	switch {
	case err != nil:
		return c.Usage(err)
	case asJSON:
		return json.NewEncoder(c.Stdout).Encode(page)
	case page.Difference != "":
		fmt.Fprintln(c.Stdout, page.Difference)
	}
	_, err = fmt.Fprintf(c.Stdout, "page: %s\n", page.Page)
	return err
}
