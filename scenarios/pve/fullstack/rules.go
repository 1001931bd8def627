package fullstack

import (
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/ha/conformance"
)

// Rule is a difference that a real cluster may show on T1.
type Rule struct {
	Name string `json:"name"`
	// Why is what may differ, and for what reason.
	Why string `json:"why"`
	// apply takes what may differ out of transitions, on both sides alike.
	apply change
}

// Rules are applied in this order, as long as differences remain. None takes out anything about a
// service: its transitions and its sequence of nodes must always be the same.
var Rules = []Rule{
	{Name: "order-of-masters",
		Why: "who becomes master is a race for a lock; master and slave count as one state of a manager",
		apply: each("daemon ", "/crm", func(steps []string) []string {
			return renameStates(steps, map[string]string{"master": "standing", "slave": "standing"})
		})},
	{Name: "ring-forming",
		Why: "while a ring forms, after a machine has come or gone, renewals and quorum fail for some " +
			"seconds; a daemon that leaves its state for that and comes back to it has never left it",
		apply: inSequence(
			each("daemon ", "/lrm", without("lost_agent_lock")),
			each("daemon ", "/crm", without("lost_manager_lock")),
			each("daemon ", "/crm", without("wait_for_quorum")))},
	{Name: "short-absence",
		Why: "machines take time to boot, so the master sees them go and come back where a reboot " +
			"was a single instant; an absence that ends before anything is decided does not count",
		apply: each("node ", "", without("unknown"))},
	{Name: "going-idle",
		Why: "daemons go idle after a number of rounds, and rounds last 10 s and not 20 s; " +
			"when a daemon has nothing to do, it may wait or stand by",
		apply: inSequence(
			each("daemon ", "/lrm", without("wait_for_agent_lock")),
			each("daemon ", "/lrm", notLast("active => wait_for_agent_lock")),
			each("daemon ", "/crm", notLast("standing => wait_for_quorum")))},
}

// change changes the transitions of all entities.
type change func(conformance.Transitions) conformance.Transitions

// transform changes the steps of one entity.
type transform func(steps []string) []string

// each changes the steps of entities of a kind.
func each(prefix, suffix string, f transform) change {
	return func(t conformance.Transitions) conformance.Transitions {
		out := conformance.Transitions{}
		for entity, steps := range t {
			if strings.HasPrefix(entity, prefix) && strings.HasSuffix(entity, suffix) {
				steps = f(slices.Clone(steps))
			}
			out[entity] = steps
		}
		return out
	}
}

// inSequence applies changes one after the other.
func inSequence(all ...change) change {
	return func(t conformance.Transitions) conformance.Transitions {
		for _, f := range all {
			t = f(t)
		}
		return t
	}
}

const arrow = " => "

// renameStates gives states other names; a step from a state to itself is dropped.
func renameStates(steps []string, names map[string]string) []string {
	var out []string
	for _, step := range steps {
		from, to, ok := strings.Cut(step, arrow)
		if name, is := names[from]; is {
			from = name
		}
		if name, is := names[to]; is {
			to = name
		}
		if ok && from != to {
			out = append(out, from+arrow+to)
		}
	}
	return out
}

// without removes visits to a state that end where they began.
func without(state string) transform {
	return func(steps []string) []string {
		for i := 0; i+1 < len(steps); {
			from, in, _ := strings.Cut(steps[i], arrow)
			out, to, _ := strings.Cut(steps[i+1], arrow)
			if in != state || out != state || from != to {
				i++
				continue
			}
			steps = slices.Delete(steps, i, i+2)
			i = max(i-1, 0)
		}
		return steps
	}
}

// notLast removes a step if it is the last one before the end, or before a restart of the daemon.
func notLast(step string) transform {
	return func(steps []string) []string {
		var out []string
		for i, s := range steps {
			last := i+1 == len(steps) || strings.HasPrefix(steps[i+1], "startup"+arrow)
			if s != step || !last {
				out = append(out, s)
			}
		}
		return out
	}
}
