// Command ha-manager is the operator's tool for high availability, with Proxmox VE's commands: it shows
// and changes the configuration, shows the status, and orders moves. It reads and changes the cluster's
// files through a node's API; it never contacts the HA manager itself and never decides anything about
// services.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/cmd/ha-manager/internal/oneof"
	"github.com/holdfast-sim/holdfast/cmd/ha-manager/internal/output"
	"github.com/holdfast-sim/holdfast/cmd/internal/nodeapi"
	"github.com/holdfast-sim/holdfast/cmd/internal/version"
	"github.com/holdfast-sim/holdfast/engine/ha"
)

// Exit codes, the same as those of Proxmox VE's command, which does not tell a refusal from wrong usage.
const (
	exitOK     = 0
	exitFailed = 255
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// errUsage marks an error in the command line.
var errUsage = errors.New("usage")

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(joinBooleans(args))
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintln(stderr, "ha-manager:", err)
	return exitFailed
}

// tool is what every command needs. The types that embed it hold the commands, one type per group.
type tool struct {
	apiAddress string
	format     output.Format
}

func (t *tool) newAPIClient() (*api, error) { return newAPI(t.apiAddress) }

const about = `High availability: which services the cluster keeps running, by which rules, and their status.

Every command asks one node, named by --api or $HOLDFAST_API: the path of its API socket (api_socket
in its machine file) or https://HOST:PORT. Over TCP, $HOLDFAST_API_TOKEN_FILE names a file with a token of
"holdfastd api-token", and $HOLDFAST_API_CA one with the node's certificate or its authority. Changes need
quorum; status and the lists do not.

A service has the id of its guest, vm:NUMBER or ct:NUMBER. A bare number stands for the guest that has it.
Switches take 0 or 1, as in --failback 0.

What cannot be read in a file of the cluster is left out, with a warning; "ha-manager file" corrects it.
"ha-manager completion" makes a shell complete services, nodes and rules.

Exit codes: 0 done, 255 refused, failed or wrong usage. A command for the master (migrate, relocate,
crm-command) is done when it is in the master's queue; "ha-manager status" shows what results from
it.`

func newRoot() *cobra.Command {
	t := &tool{format: output.Text}
	root := &cobra.Command{
		Use:           "ha-manager",
		Short:         "high availability: services, rules and where they run",
		Long:          about,
		Version:       version.Text(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.RunE = func(cmd *cobra.Command, _ []string) error {
		return fmt.Errorf("%w: no command: write ha-manager help for the commands", errUsage)
	}
	root.PersistentFlags().StringVar(&t.apiAddress, "api", os.Getenv(nodeapi.AddressVariable),
		"the node's API: the path of its `socket`, or https://HOST:PORT (default from $"+
			nodeapi.AddressVariable+")")
	root.PersistentFlags().Lookup("api").DefValue = ""
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return fmt.Errorf("%w: %w", errUsage, err)
	})
	resources, moves, groups := resourceCommands{t}, moveCommands{t}, groupCommands{t}
	root.AddCommand(
		t.newStatusCommand(),
		resources.newConfigCommand(), resources.newAddCommand(), resources.newRemoveCommand(),
		resources.newSetCommand(),
		moves.newMoveCommand(ha.CommandMigrate), moves.newMoveCommand(ha.CommandRelocate),
		moves.newCRMCommand(),
		ruleCommands{t}.newRulesCommand(),
		groups.newGroupAddCommand(), groups.newGroupSetCommand(), groups.newGroupRemoveCommand(),
		groups.newGroupConfigCommand(),
		guestCommands{t}.newGuestCommand(),
		fenceCommands{t}.newFenceCommand(),
		fileCommands{t}.newFileCommand(),
	)
	return root
}

// exactArgs is cobra.ExactArgs with the exit code of wrong usage.
func exactArgs(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return fmt.Errorf("%w: write `%s`", errUsage, cmd.UseLine())
		}
		return nil
	}
}

// commandGroup makes a group of commands refuse a call without one of them.
func commandGroup(cmd *cobra.Command) *cobra.Command {
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		var names []string
		for _, c := range cmd.Commands() {
			names = append(names, c.Name())
		}
		what := "which one"
		if len(args) > 0 {
			what = "there is no " + args[0]
		}
		return fmt.Errorf("%w: %s: %s? write %s", errUsage, cmd.CommandPath(), what,
			strings.Join(names, ", "))
	}
	cmd.RunE = func(*cobra.Command, []string) error { return nil }
	return cmd
}

// wordVar adds an option that takes one of some words, and completes it.
func wordVar(cmd *cobra.Command, value *string, name, usage string, list ...string) {
	cmd.Flags().Var(&oneof.Flag{Value: value, Words: list}, name, usage)
	completeWords(cmd, name, list...)
}

// booleanFlag is a switch with Proxmox VE's values.
type booleanFlag struct{ value string }

// Values of a switch.
var (
	onWords  = []string{"1", "yes", "on", "true"}
	offWords = []string{"0", "no", "off", "false"}
)

// String implements pflag.Value.
func (b *booleanFlag) String() string { return b.value }

// Type implements pflag.Value.
func (b *booleanFlag) Type() string { return "boolean" }

// Set implements pflag.Value.
func (b *booleanFlag) Set(word string) error {
	switch w := strings.ToLower(word); {
	case slices.Contains(onWords, w):
		b.value = "1"
	case slices.Contains(offWords, w):
		b.value = "0"
	default:
		return fmt.Errorf("write 0 or 1")
	}
	return nil
}

// switches are the names of all switches. The word after a switch may be its value.
var switches = []string{"--failback", "--strict", "--disable", "--restricted", "--nofailback", "--purge",
	"--" + noBorderFlag, "--" + noHeaderFlag, "--" + humanFlag, "--" + quietFlag}

func withBooleanFlag(cmd *cobra.Command, name, value, usage string) {
	cmd.Flags().Var(&booleanFlag{value}, name, usage)
	cmd.Flags().Lookup(name).NoOptDefVal = "1"
}

// joinBooleans writes "--failback 0" as "--failback=0".
func joinBooleans(args []string) (out []string) {
	for i := 0; i < len(args); i++ {
		if slices.Contains(switches, args[i]) && i+1 < len(args) && (&booleanFlag{}).Set(args[i+1]) == nil {
			out = append(out, args[i]+"="+args[i+1])
			i++
			continue
		}
		out = append(out, args[i])
	}
	return out
}
