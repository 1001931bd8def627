package main

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// completionTimeout is how long the node may take to answer a completion. A person waits for it.
const completionTimeout = 2 * time.Second

// completer returns the words that may stand at a place.
type completer = cobra.CompletionFunc

// completeFrom returns a completer that asks the node.
func (t *tool) completeFrom(words func(*view) []string) completer {
	return t.completeAsking(func(a *api, ctx context.Context) ([]string, error) {
		v, err := readView(ctx, a)
		if err != nil {
			return nil, err
		}
		return words(v), nil
	})
}

// completeAsking returns a completer that asks the node. It offers nothing when the node does not answer,
// without an error in the middle of the command line.
func (t *tool) completeAsking(words func(*api, context.Context) ([]string, error)) completer {
	return func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		parent := cmd.Context()
		if parent == nil {
			parent = context.Background()
		}
		ctx, cancel := context.WithTimeout(parent, completionTimeout)
		defer cancel()
		a, err := t.newAPIClient()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		found, err := words(a, ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		// In a list separated by commas the last word is completed, and nothing is offered twice.
		list, taken := "", args
		if i := strings.LastIndex(toComplete, ","); i >= 0 {
			list, taken = toComplete[:i+1], append(strings.Split(toComplete[:i], ","), args...)
		}
		var out []string
		for _, word := range found {
			if full := list + word; strings.HasPrefix(full, toComplete) && !slices.Contains(taken, word) {
				out = append(out, full)
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeFiles completes the files that there are.
func (t *tool) completeFiles(cmd *cobra.Command, args []string, word string,
) ([]string, cobra.ShellCompDirective) {
	return inOrder(t.completeAsking((*api).listHAFiles))(cmd, args, word)
}

// inOrder returns a completer of arguments that takes one completer for each.
func inOrder(each ...completer) completer {
	return func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= len(each) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return each[len(args)](cmd, args, toComplete)
	}
}

// words returns a completer of words that are always the same.
func words(list ...string) completer {
	return cobra.FixedCompletions(list, cobra.ShellCompDirectiveNoFileComp)
}

// completeFlag completes the values of an option.
func completeFlag(cmd *cobra.Command, flag string, f completer) {
	if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(err) // the option was not defined before
	}
}

// completeWords completes an option with words that are always the same.
func completeWords(cmd *cobra.Command, flag string, list ...string) {
	completeFlag(cmd, flag, words(list...))
}

// completeManaged completes the services under HA.
func (t *tool) completeManaged(cmd *cobra.Command, args []string, word string,
) ([]string, cobra.ShellCompDirective) {
	return t.completeFrom(func(v *view) []string {
		return slices.Sorted(maps.Keys(v.services))
	})(cmd, args, word)
}

// completeUnmanaged completes the guests that are not under HA.
func (t *tool) completeUnmanaged(cmd *cobra.Command, args []string, word string,
) ([]string, cobra.ShellCompDirective) {
	return t.completeFrom(func(v *view) (out []string) {
		for _, sid := range slices.Sorted(maps.Keys(v.configNodes)) {
			if v.services[sid] == nil {
				out = append(out, sid)
			}
		}
		return out
	})(cmd, args, word)
}

// completeGuests completes all guests.
func (t *tool) completeGuests(cmd *cobra.Command, args []string, word string,
) ([]string, cobra.ShellCompDirective) {
	return t.completeFrom(func(v *view) []string {
		return slices.Sorted(maps.Keys(v.configNodes))
	})(cmd, args, word)
}

// completeNodes completes the nodes.
func (t *tool) completeNodes(cmd *cobra.Command, args []string, word string,
) ([]string, cobra.ShellCompDirective) {
	return t.completeFrom((*view).nodes)(cmd, args, word)
}

// completeRules completes the rules.
func (t ruleCommands) completeRules(cmd *cobra.Command, args []string, word string,
) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return t.completeFrom(func(v *view) []string {
		return slices.Sorted(maps.Keys(v.rules))
	})(cmd, args, word)
}

// completeRuleKinds completes the kind of a rule and, to change one, the rules of this kind.
func (t ruleCommands) completeRuleKinds(cmd *cobra.Command, args []string, word string,
) ([]string, cobra.ShellCompDirective) {
	switch {
	case len(args) == 0:
		return words(ruleKinds...)(cmd, args, word)
	case len(args) > 1 || cmd.Name() == "add":
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return t.completeFrom(func(v *view) (out []string) {
		for _, id := range slices.Sorted(maps.Keys(v.rules)) {
			if v.rules[id].Kind == args[0] {
				out = append(out, id)
			}
		}
		return out
	})(cmd, nil, word)
}

// withRuleCompletion completes the options of a rule.
func (t ruleCommands) withRuleCompletion(cmd *cobra.Command) *cobra.Command {
	completeFlag(cmd, "resources", t.completeManaged)
	completeFlag(cmd, "nodes", t.completeNodes)
	completeWords(cmd, "affinity", "positive", "negative")
	return cmd
}

// completeGroups completes the groups.
func (t groupCommands) completeGroups(cmd *cobra.Command, args []string, word string,
) ([]string, cobra.ShellCompDirective) {
	return t.completeFrom(func(v *view) []string {
		return slices.Sorted(maps.Keys(v.groups))
	})(cmd, args, word)
}
