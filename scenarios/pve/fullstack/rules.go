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
	// removeAllowed takes what may differ out of transitions, on both sides alike.
	removeAllowed transitionsEdit
}

// Rules are applied in this order, as long as differences remain. None takes out anything about a
// service: its transitions and its sequence of nodes must always be the same.
var Rules = []Rule{
	{Name: "order-of-masters",
		Why: "who becomes master is a race for a lock; master and slave count as one state of a manager",
		removeAllowed: forEntities("daemon ", "/crm", func(steps []string) []string {
			return renameStates(steps, map[string]string{"master": "standing", "slave": "standing"})
		})},
	{Name: "ring-forming",
		Why: "while a ring forms, after a machine has come or gone, renewals and quorum fail for some " +
			"seconds; a daemon that leaves its state for that and comes back to it has never left it",
		removeAllowed: inSequence(
			forEntities("daemon ", "/lrm", removeDetours("lost_agent_lock")),
			forEntities("daemon ", "/crm", removeDetours("lost_manager_lock")),
			forEntities("daemon ", "/crm", removeDetours("wait_for_quorum")))},
	{Name: "short-absence",
		Why: "machines take time to boot, so the master sees them go and come back where a reboot " +
			"was a single instant; an absence that ends before anything is decided does not count",
		removeAllowed: forEntities("node ", "", removeDetours("unknown"))},
	{Name: "going-idle",
		Why: "daemons go idle after a number of rounds, and rounds last 10 s and not 20 s; " +
			"when a daemon has nothing to do, it may wait or stand by",
		removeAllowed: inSequence(
			forEntities("daemon ", "/lrm", removeDetours("wait_for_agent_lock")),
			forEntities("daemon ", "/lrm", removeUnlessLast("active => wait_for_agent_lock")),
			forEntities("daemon ", "/crm", removeUnlessLast("standing => wait_for_quorum")))},
}

// transitionsEdit changes the transitions of all entities.
type transitionsEdit func(conformance.Transitions) conformance.Transitions

// stepsEdit changes the steps of one entity.
type stepsEdit func(steps []string) []string

// forEntities changes the steps of entities of a kind.
func forEntities(prefix, suffix string, f stepsEdit) transitionsEdit {
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
func inSequence(all ...transitionsEdit) transitionsEdit {
	return func(t conformance.Transitions) conformance.Transitions {
		for _, f := range all {
			t = f(t)
		}
		return t
	}
}

const stateArrow = " => "

// renameStates gives states other names; a step from a state to itself is dropped.
func renameStates(steps []string, names map[string]string) []string {
	var out []string
	for _, step := range steps {
		from, to, ok := strings.Cut(step, stateArrow)
		if name, is := names[from]; is {
			from = name
		}
		if name, is := names[to]; is {
			to = name
		}
		if ok && from != to {
			out = append(out, from+stateArrow+to)
		}
	}
	return out
}

// removeDetours removes visits to a state that end where they began.
func removeDetours(state string) stepsEdit {
	return func(steps []string) []string {
		for i := 0; i+1 < len(steps); {
			from, in, _ := strings.Cut(steps[i], stateArrow)
			out, to, _ := strings.Cut(steps[i+1], stateArrow)
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

// removeUnlessLast removes a step if it is the last one before the end, or before a restart of the daemon.
func removeUnlessLast(step string) stepsEdit {
	return func(steps []string) []string {
		var out []string
		for i, s := range steps {
			last := i+1 == len(steps) || strings.HasPrefix(steps[i+1], "startup"+stateArrow)
			if s != step || !last {
				out = append(out, s)
			}
		}
		return out
	}
}
