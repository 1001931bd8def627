package main

import (
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/cmd/ha-manager/internal/output"
)

// withFormatFlag gives a command the option for the format of its output.
func (t *tool) withFormatFlag(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().Var(&t.format, "output-format", "the `format`: "+strings.Join(output.Formats(), ", "))
	completeWords(cmd, "output-format", output.Formats()...)
	return cmd
}

// Options of commands that print a table, as in Proxmox VE.
const (
	noBorderFlag = "noborder"
	noHeaderFlag = "noheader"
	humanFlag    = "human-readable"
	quietFlag    = "quiet"
)

// withTableFlags gives a command the options of those that print a table.
func (t *tool) withTableFlags(cmd *cobra.Command) *cobra.Command {
	withBooleanFlag(cmd, noBorderFlag, "0", "print a table without borders")
	withBooleanFlag(cmd, noHeaderFlag, "0", "print a table without titles")
	withBooleanFlag(cmd, humanFlag, "1",
		"write values for people; there are none here that scripts would read in another form")
	withBooleanFlag(cmd, quietFlag, "0", "print nothing")
	return t.withFormatFlag(cmd)
}

// isOn reports whether a switch of the command is on.
func isOn(cmd *cobra.Command, name string) bool {
	flag := cmd.Flags().Lookup(name)
	return flag != nil && flag.Value.String() == "1"
}

// printValue prints a value in the format that was asked for, or as the text that the function writes.
func (t *tool) printValue(cmd *cobra.Command, value any, text func(w io.Writer) error) error {
	switch {
	case isOn(cmd, quietFlag):
		return nil
	case t.format == output.Text:
		return text(cmd.OutOrStdout())
	}
	return output.WriteValue(cmd.OutOrStdout(), t.format, value)
}

// printTable prints rows under their titles, and nothing when there are none.
func (t *tool) printTable(cmd *cobra.Command, value any, titles []string, rows [][]string) error {
	return t.printValue(cmd, value, func(w io.Writer) error {
		if len(rows) == 0 {
			return nil
		}
		style := output.Style{NoBorder: isOn(cmd, noBorderFlag), NoHeader: isOn(cmd, noHeaderFlag)}
		return output.WriteTable(w, titles, rows, style.InTerminal(w, os.Getenv))
	})
}
