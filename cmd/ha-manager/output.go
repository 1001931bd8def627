package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// format is how a command prints its result.
type format string

const (
	formatText   format = "text"
	formatJSON   format = "json"
	formatPretty format = "json-pretty"
)

// String implements pflag.Value.
func (f *format) String() string { return string(*f) }

// Type implements pflag.Value.
func (f *format) Type() string { return "format" }

// Set implements pflag.Value.
func (f *format) Set(word string) error {
	switch format(word) {
	case formatText, formatJSON, formatPretty:
		*f = format(word)
		return nil
	}
	return fmt.Errorf("write %s, %s or %s", formatText, formatJSON, formatPretty)
}

// withFormatFlag gives a command the option for the format of its output.
func (t *tool) withFormatFlag(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().Var(&t.format, "output-format", "text, json or json-pretty")
	return cmd
}

// printValue prints a value as JSON, or as the text that the function writes.
func (t *tool) printValue(cmd *cobra.Command, value any, text func(w io.Writer) error) error {
	w := cmd.OutOrStdout()
	if t.format == formatText {
		return text(w)
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	if t.format == formatPretty {
		encoder.SetIndent("", "   ")
	}
	return encoder.Encode(value)
}

// printTable writes rows in columns, the first of which are the titles.
func printTable(w io.Writer, rows [][]string) error {
	var text strings.Builder
	tw := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(tw, strings.Join(row, "\t"))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(text.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}
