// Package cli is the command line of Holdfast, for any program: a main of ten lines registers its
// subjects and has run, campaign, replay, check, scenario and doctor for them.
//
//	func main() {
//		cli.Main(cli.Config{Subjects: []scenarios.Subject{keeper.Subject()}})
//	}
//
// What to put into [Config]:
//
//   - Subjects: systems under test that scenario files only name. This is enough for most programs.
//   - Kinds: systems with a part of their own in scenario files, decoded by a function, or with topologies.
//   - Library: a file system of scenarios, which "run NAME", "run --all" and "scenario list" find.
//   - Backends: where runs are made, the simulator and real nodes unless given.
//   - Suites: other tests of the program that belong to its command line, under "conformance".
//
// Results go to standard output, progress and problems to standard error. Exit codes are those of
// [ExitValid] and its neighbours. Every failure ends with a command that reproduces it; it names the
// program as it was called, also through "go run".
//
// To use more than one processor the package runs the program again with arguments of its own, so
// main must call [Main] (or [Run] with the arguments of the process) without reading the arguments
// or writing to standard output first.
//
// Package cli never judges a history and never registers anything by itself: subjects, scenarios and
// backends are values in [Config], and two configurations do not know of each other.
package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/cmd/cli/internal/invocation"
	"github.com/holdfast-sim/holdfast/cmd/cli/internal/mistyped"
	"github.com/holdfast-sim/holdfast/cmd/cli/internal/reportpage"
)

// Main runs the command line of this process and exits with its exit code.
func Main(c Config) { os.Exit(Run(os.Args[1:], c)) }

// Run runs a command line and returns the exit code. The first interrupt stops what is running
// and reports what was done so far; a second one ends the program at once.
func Run(args []string, c Config) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return executeCommand(ctx, args, c.withDefaults())
}

func executeCommand(ctx context.Context, args []string, c Config) int {
	a := &app{Config: c, program: invocation.Program()}
	err := a.Config.validate()
	see := a.program
	if err == nil {
		root := a.root()
		root.SetArgs(args)
		root.SetOut(c.Stdout)
		root.SetErr(c.Stderr)
		var cmd *cobra.Command
		if cmd, err = mistyped.Command(root, args); err == nil {
			cmd, err = root.ExecuteContextC(ctx)
		}
		see += strings.TrimPrefix(cmd.CommandPath(), root.Name())
	}
	if err == nil {
		return ExitValid
	}
	var e *exit
	if !errors.As(err, &e) { // cobra's own errors: unknown commands and flags, wrong arguments
		fmt.Fprintf(c.Stderr, "%s: %s\nsee: %s --help\n", c.Name, err, see)
		return ExitUsage
	}
	if e.err != nil {
		fmt.Fprintf(c.Stderr, "%s: %s\n", c.Name, e.err)
	}
	if e.code == ExitInternal && ctx.Err() == nil && !strings.Contains(e.Error(), "\n"+reproduceTitle) {
		fmt.Fprintf(c.Stderr, "%s\n  %s\n", reproduceTitle, a.command(args...))
	}
	return e.code
}

// reproduceTitle precedes a command that repeats what failed.
const reproduceTitle = "to reproduce:"

// app is a program with its configuration.
type app struct {
	Config
	program string // how this program was called
}

const rootHelp = `Runs distributed systems under faults and judges what their clients observed.

A scenario file describes the machines, the workload, the faults and the expected outcome. It runs in a
deterministic simulator (the same seed gives the same run, byte for byte) or on real processes. Each run
ends with one of three verdicts: valid, invalid, unknown.

Exit codes: 0 valid, 1 invalid, 2 unknown (not decided, never a success), 254 wrong usage,
255 failure of the harness itself.`

// parseError is what the standard library appends to the error of a number that does not parse.
var parseError = regexp.MustCompile(`: strconv\.Parse(\w+): parsing "[^"]*": (.*)$`)

// plainFlagError replaces the name of a Go function in a flag's error by what the value should be.
func plainFlagError(err error) error {
	found := parseError.FindStringSubmatch(err.Error())
	if found == nil {
		return err
	}
	wanted := "write a whole number, 0 or more"
	switch {
	case found[2] == strconv.ErrRange.Error():
		wanted = "the number is too large"
	case found[1] == "Bool":
		wanted = "write true or false"
	case found[1] == "Int":
		wanted = "write a whole number"
	}
	return errors.New(strings.TrimSuffix(err.Error(), found[0]) + ": " + wanted)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           a.Name,
		Short:         "Run distributed systems under faults and judge what clients observed",
		Long:          rootHelp,
		Version:       a.Version,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		Example: a.examples(`  NAME run my-scenario.yaml
  NAME run my-scenario.yaml --seeds 1-200
  NAME campaign my-scenario.yaml --seeds 1-10000 --junit report.xml
  NAME scenario list`),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return plainFlagError(mistyped.Flag(cmd, err))
	})
	root.AddCommand(a.newRunCommand(), a.newCampaignCommand(), replayCommand{a}.cobraCommand(),
		shrinkCommand{a}.cobraCommand(), likelihoodCommand{a}.cobraCommand(),
		shrinkCommand{a}.newWorkerCommand(), a.newRunWorkerCommand(), checkCommand{a}.cobraCommand(),
		reportpage.Command{Name: a.Name, Stdout: a.Stdout, Usage: Usage}.Cobra(),
		scenarioCommands{a}.cobraCommand(),
		doctorCommand{a}.cobraCommand())
	if len(a.Suites) > 0 {
		root.AddCommand(conformanceCommand{a}.cobraCommand())
	}
	return root
}

// command is a command line of this program that can be pasted into a shell.
func (a *app) command(args ...string) string {
	words := []string{a.program}
	for _, arg := range args {
		words = append(words, invocation.Quote(arg))
	}
	return strings.Join(words, " ")
}

// examples puts the program's name into the examples of a command.
func (a *app) examples(text string) string { return strings.ReplaceAll(text, "NAME", a.Name) }
