// Package mistyped finds out what a person meant who typed a command or a flag that does not exist.
//
// It never runs a command.
package mistyped

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/holdfast-sim/holdfast/scenarios/strictyaml"
)

// Command returns an error for a command that does not exist, also where --help follows: cobra would print
// the help of the command above it and exit with 0. It returns the command above as well.
func Command(root *cobra.Command, args []string) (*cobra.Command, error) {
	if len(args) > 0 && args[0] == "help" {
		args = args[1:]
	}
	if len(args) > 0 && (args[0] == "completion" || strings.HasPrefix(args[0], "__complete")) {
		return root, nil // cobra adds these commands when it runs
	}
	cmd, rest, err := root.Find(args)
	takesWords := err == nil && cmd.Args != nil && cmd.Args(cmd, []string{"word"}) == nil
	if err != nil || !cmd.HasSubCommands() || takesWords {
		return cmd, err
	}
	for _, word := range rest {
		if strings.HasPrefix(word, "-") {
			continue
		}
		var known []string
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				known = append(known, sub.Name())
			}
		}
		err := fmt.Errorf("unknown command %q for %q", word, cmd.CommandPath())
		if near := strictyaml.Nearest(word, known); near != "" {
			err = fmt.Errorf("%w; did you mean %q?", err, near)
		}
		return cmd, err
	}
	return cmd, nil
}

// Flag adds to the error of a flag that does not exist the flag of the command that was meant.
func Flag(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) || unknown.GetSpecifiedShortnames() != "" {
		return err
	}
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			known = append(known, f.Name)
		}
	})
	if near := strictyaml.Nearest(unknown.GetSpecifiedName(), known); near != "" {
		return fmt.Errorf("%w; did you mean --%s?", err, near)
	}
	return err
}
