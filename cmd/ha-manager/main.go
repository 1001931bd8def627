// Command ha-manager is the operator's tool for high availability, with the well-known commands:
// what is configured, how it is, where it should go. It reads and changes the cluster's files
// through a node's API; it never talks to the HA manager itself and decides nothing.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/spf13/cobra"
)

// Exit codes, as everywhere in Holdfast.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 254
)

// apiVariable is the environment variable that names the node's API.
const apiVariable = "HOLDFAST_API"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// errUsage marks what was wrong with the command line.
var errUsage = errors.New("usage")

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintln(stderr, "ha-manager:", err)
	if errors.Is(err, errUsage) {
		return exitUsage
	}
	return exitFailed
}

// tool is what every command needs.
type tool struct{ api string }

func (t *tool) connect() (*api, error) { return connect(t.api) }

func newRoot() *cobra.Command {
	t := &tool{}
	root := &cobra.Command{
		Use:           "ha-manager",
		Short:         "high availability: services, rules and where they run",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentFlags().StringVar(&t.api, "api", os.Getenv(apiVariable),
		"the node's API: the path of its `socket`, or http://HOST:PORT (default from $"+apiVariable+")")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return fmt.Errorf("%w: %w", errUsage, err) })
	root.AddCommand(t.status(), t.config(), t.add(), t.remove(), t.set(), t.move("migrate"), t.move("relocate"),
		t.crmCommand(), t.rules(), t.groupAdd(), t.groupSet(), t.groupRemove(), t.groupConfig())
	return root
}

// exactly is cobra.ExactArgs with the exit code of wrong usage.
func exactly(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return fmt.Errorf("%w: write `%s`", errUsage, cmd.UseLine())
		}
		return nil
	}
}
