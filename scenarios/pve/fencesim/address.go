package fencesim

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/fence"
)

// outletAddress returns what identifies an outlet: the agent and all of its arguments, in a fixed order.
func outletAddress(agent string, args map[string]string) string {
	var b strings.Builder
	b.WriteString(agent)
	for _, key := range slices.Sorted(maps.Keys(args)) {
		fmt.Fprintf(&b, "\n%s=%s", key, args[key])
	}
	return b.String()
}

// plannedArguments returns the arguments of a part as its agent will be given them; ok is false for a part
// whose arguments the agent does not take, or whose agent does not describe itself: it is never called.
func plannedArguments(p *fence.Part, m *fence.Metadata) (args map[string]string, ok bool) {
	if m == nil {
		return nil, false
	}
	list, err := m.Translate(p)
	if err != nil {
		return nil, false
	}
	args = map[string]string{}
	for _, a := range list {
		args[a.Key] = a.Value
	}
	return args, true
}

// agentArguments returns what an agent is given on its input: a key and a value in each line. Real agents
// drop one pair of quotes around a value as well.
func agentArguments(c *env.Command) map[string]string {
	args := map[string]string{}
	for line := range strings.Lines(string(c.Input)) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"' {
			value = value[1 : len(value)-1]
		}
		if ok {
			args[key] = value
		}
	}
	return args
}
