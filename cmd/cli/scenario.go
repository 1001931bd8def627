package cli

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/cmd/cli/internal/sources"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/schema"
)

// scenarioCommands are the commands below "scenario".
type scenarioCommands struct{ *app }

func (a scenarioCommands) cobraCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "scenario",
		Short: "List, show and check scenarios",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.listCommand(), a.showCommand(), a.lintCommand(), a.schemaCommand())
	return cmd
}

func (a scenarioCommands) listCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the library scenarios",
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return a.list(asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one line of JSON for each")
	return cmd
}

func (a scenarioCommands) list(asJSON bool) error {
	names, err := a.libraryNames()
	if err != nil {
		return err
	}
	width := 0
	for _, name := range names {
		width = max(width, len(name))
	}
	for _, name := range names {
		from, _ := a.finder().InLibrary(name)
		s, err := scenarios.ParseScenario(from.File, from.Data)
		if err != nil {
			return internalError(err)
		}
		if asJSON {
			err = json.NewEncoder(a.Stdout).Encode(map[string]any{
				"schema": "holdfast.scenario/1", "name": name, "subject": s.Subject.Kind,
				"machines": len(s.Machines), "story": s.Story,
			})
		} else {
			_, err = fmt.Fprintf(a.Stdout, "%-*s  %-8s  %s\n", width, name, s.Subject.Kind,
				firstSentence(s.Story))
		}
		if err != nil {
			return internalError(err)
		}
	}
	return nil
}

// maxSentence is how many characters of a description a list shows.
const maxSentence = 100

// firstSentence is the beginning of a description on one line.
func firstSentence(description string) string {
	text := strings.Join(strings.Fields(description), " ")
	sentence, _, _ := strings.Cut(text, ". ")
	end := strings.LastIndexByte(sentence[:min(len(sentence), maxSentence)], ' ')
	if len(sentence) > maxSentence && end > 0 {
		sentence = sentence[:end] + " …"
	}
	return strings.TrimSuffix(sentence, ".")
}

func (a scenarioCommands) showCommand() *cobra.Command {
	var resolved bool
	cmd := &cobra.Command{
		Use:   "show SCENARIO",
		Short: "Print a scenario's file",
		Long: `Prints a library scenario, or a file. A library scenario that is saved under another name
is a good start for a new one. With --resolved every default is written out.`,
		Example: a.examples(`  NAME scenario show my-scenario.yaml --resolved`),
		Args:    cobra.ExactArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return a.show(args[0], resolved) },
	}
	cmd.Flags().BoolVar(&resolved, "resolved", false, "write out every default")
	return cmd
}

func (a scenarioCommands) show(word string, resolved bool) error {
	from, err := a.findScenario(word)
	if err != nil {
		return err
	}
	out := from.Data
	if resolved {
		s, err := scenarios.ParseScenario(from.File, from.Data)
		if err != nil {
			return Usage(err)
		}
		if out, err = scenarios.Marshal(s); err != nil {
			return internalError(err)
		}
	}
	if _, err := a.Stdout.Write(out); err != nil {
		return internalError(err)
	}
	return nil
}

func (a scenarioCommands) lintCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "lint FILE|FOLDER...",
		Short: "Check scenario files without running them",
		Long: `Reads scenario files as strictly as run does and prints every error with file, line,
column and what to write instead. A folder stands for the .yaml and .yml files in it. Exits 1 if any
file is invalid.`,
		Example: a.examples(`  NAME scenario lint my-scenario.yaml
  NAME scenario lint scenarios/`),
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return a.lint(args) },
	}
}

func (a scenarioCommands) lint(words []string) error {
	files, err := sources.Files(words)
	if err != nil {
		return Usage(err)
	}
	invalid := 0
	for _, file := range files {
		from, err := a.findScenario(file)
		if err == nil {
			_, err = a.loadScenario(from, origin{})
		}
		if err != nil {
			invalid++
			fmt.Fprintln(a.Stdout, err)
		}
	}
	if invalid > 0 {
		return &exit{ExitInvalid, fmt.Errorf("%d of %d files invalid", invalid, len(files))}
	}
	if len(files) == 1 {
		fmt.Fprintln(a.Stdout, "1 file OK")
		return nil
	}
	fmt.Fprintf(a.Stdout, "%d files OK\n", len(files))
	return nil
}

func (a scenarioCommands) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of scenario files",
		Long: `Prints the JSON Schema of scenario files. Editors with a YAML language server complete
and check files whose first line names it:

  # yaml-language-server: $schema=scenario.schema.json`,
		Example: a.examples("  NAME scenario schema > scenario.schema.json"),
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			out, err := schema.Generate(a.schemaParts()...)
			if err == nil {
				_, err = a.Stdout.Write(out)
			}
			if err != nil {
				return internalError(err)
			}
			return nil
		},
	}
}
