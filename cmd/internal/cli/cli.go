// Package cli is the command line of Holdfast: flags, files, what is printed where and how a
// command ends. Results go to standard output, progress and problems to standard error.
//
// It runs nothing itself and judges nothing: backends, subjects and suites are given to it, so that
// a program holds just those that it was built with.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/schema"
)

// Config is what a program offers.
type Config struct {
	// Kinds are the subjects that scenarios may name.
	Kinds scenarios.Kinds
	// Backends are where scenarios can run, the first being the default.
	Backends []Backend
	// Parts describe what subjects read from their part of a scenario, for the schema.
	Parts []schema.Part
	// Topologies take the machines of a scenario from a subject's own configuration file, by the
	// subject's kind.
	Topologies map[string]Topology
	// Suites are conformance suites, by name.
	Suites []Suite
	// Doctor looks at what this machine can do; more than the basics, which are always looked at.
	Doctor func(ctx context.Context) []Capability
	// CleanUp removes what killed runs have left and returns their ids.
	CleanUp func() ([]string, error)
	// Version is what --version prints.
	Version string

	Stdout, Stderr io.Writer
	// Env reads environment variables.
	Env func(key string) string
}

// Backend is a place for scenarios to run in.
type Backend struct {
	Name   string // for --on
	About  string // in a few words
	Runner scenarios.Runner
	// RealTime says that runs take the time that they last, so that a timescale makes sense.
	RealTime bool
}

// Topology changes a scenario, read from no matter where, such that it runs on the machines of a
// configuration file. Errors name the place in that file.
type Topology func(s *scenarios.Scenario, file string, data []byte) error

// Suite is a conformance suite.
type Suite struct {
	Name, About string
	// Switches are flags of its own.
	Switches []Switch
	// Run runs the cases in folders, writes their results and returns how they went.
	Run func(ctx context.Context, folders []string, o SuiteOptions) (linearizability.Validity, error)
}

// Switch is a flag of a suite that is on or off.
type Switch struct{ Name, About string }

// SuiteOptions are what a suite is told besides its folders.
type SuiteOptions struct {
	Out io.Writer
	// JSON asks for one value of JSON instead of text.
	JSON bool
	// On are the switches that are on.
	On map[string]bool
	// Progress is called with the name of each case that is done.
	Progress func(name string)
}

// Exit codes. A time-out or a check that could not decide is never a success.
const (
	ExitValid    = 0
	ExitInvalid  = 1
	ExitUnknown  = 2
	ExitUsage    = 254
	ExitInternal = 255
)

// exit is an error that decides the exit code. Err may be nil when all has been said.
type exit struct {
	code int
	err  error
}

func (e *exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

// usage is an error of the person who typed the command.
func usage(err error) error { return &exit{ExitUsage, err} }

// Usage marks an error as that of the person who typed the command.
func Usage(err error) error { return usage(err) }

func usagef(format string, args ...any) error { return usage(fmt.Errorf(format, args...)) }

// internal is an error that is not about the subject: the harness or the machine failed.
func internal(err error) error { return &exit{ExitInternal, err} }

// verdict ends a command that has printed its result.
func verdict(v linearizability.Validity) error {
	switch v {
	case linearizability.Valid:
		return nil
	case linearizability.Invalid:
		return &exit{code: ExitInvalid}
	}
	return &exit{code: ExitUnknown}
}

// Main runs a command line and returns the exit code. The first interrupt stops what is running
// and reports, a second one ends the program at once.
func Main(args []string, c Config) int {
	if c.Stdout == nil {
		c.Stdout = os.Stdout
	}
	if c.Stderr == nil {
		c.Stderr = os.Stderr
	}
	if c.Env == nil {
		c.Env = os.Getenv
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return execute(ctx, args, c)
}

func execute(ctx context.Context, args []string, c Config) int {
	a := &app{Config: c, program: invocation()}
	root := a.root()
	root.SetArgs(args)
	root.SetOut(c.Stdout)
	root.SetErr(c.Stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return ExitValid
	}
	var e *exit
	if !errors.As(err, &e) { // cobra's own complaints: unknown commands and flags, wrong arguments
		fmt.Fprintf(c.Stderr, "holdfast: %s\nsee: %s --help\n", err, a.program)
		return ExitUsage
	}
	if e.err != nil {
		fmt.Fprintf(c.Stderr, "holdfast: %s\n", e.err)
	}
	if e.code == ExitInternal && ctx.Err() == nil {
		fmt.Fprintf(c.Stderr, "to see it again:\n  %s\n", a.command(args...))
	}
	return e.code
}

type app struct {
	Config
	program string // how this program was called
}

const rootHelp = `Holdfast runs a distributed system under faults and judges what its clients saw.

One scenario file says which machines there are, what clients do, what goes wrong and what must
come out. It runs in a deterministic simulator (one seed is one run, byte for byte) or on real
processes, and ends with one of three verdicts.

Exit codes: 0 valid, 1 invalid, 2 unknown (not decided, never a success), 254 wrong usage,
255 the harness itself failed.`

// goSays is what the standard library adds to the error of a number that does not parse.
var goSays = regexp.MustCompile(`: strconv\.Parse(\w+): parsing "[^"]*": (.*)$`)

// plainFlagError says what a flag's value should be, in the place of which function did not like it.
func plainFlagError(err error) error {
	found := goSays.FindStringSubmatch(err.Error())
	if found == nil {
		return err
	}
	wanted := "write a whole number from 0 on"
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
		Use:           "holdfast",
		Short:         "Run distributed systems under faults and judge what clients saw",
		Long:          rootHelp,
		Version:       a.Version,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		Example: `  holdfast run pair-cut
  holdfast run my-story.yaml --seeds 1-200
  holdfast scenario list`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return plainFlagError(err) })
	root.AddCommand(a.runCommand(), a.campaignCommand(), a.replayCommand(), a.checkCommand(), a.scenarioCommand(), a.doctorCommand())
	if len(a.Suites) > 0 {
		root.AddCommand(a.conformanceCommand())
	}
	return root
}
