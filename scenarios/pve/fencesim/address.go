package fencesim

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// outletAddress returns what identifies an outlet: the agent and all of its arguments, in a fixed order.
// Agents take a key with dashes or with underscores.
func outletAddress(agent string, args map[string]string) string {
	var b strings.Builder
	b.WriteString(agent)
	for _, key := range slices.Sorted(maps.Keys(args)) {
		fmt.Fprintf(&b, "\n%s=%s", strings.ReplaceAll(key, "-", "_"), args[key])
	}
	return b.String()
}

// agentArguments returns what an agent is given: its options ("--key=value", "-k value") if there are any, or
// else the lines of its input ("key=value").
func agentArguments(c *env.Command) map[string]string {
	args := map[string]string{}
	words := c.Args[1:]
	if len(words) == 0 {
		for line := range strings.Lines(string(c.Input)) {
			if key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "="); ok {
				args[key] = value
			}
		}
	}
	for i := 0; i < len(words); i++ {
		if long, ok := strings.CutPrefix(words[i], "--"); ok {
			key, value, _ := strings.Cut(long, "=")
			args[key] = value
		} else if i+1 < len(words) {
			args[strings.TrimPrefix(words[i], "-")] = words[i+1]
			i++
		}
	}
	return args
}
