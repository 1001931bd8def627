package pve

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/rules"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// span is a time.
type span struct{ from, to time.Duration }

// wishes are what the operator wanted of the services over time, as far as that is certain: from
// the moment at which a command may have been given to the one at which it is known to have been
// carried out, nothing is.
type wishes struct {
	services map[string]*ha.ServiceConfig // at the beginning
	rules    map[string]*config.Rule
	unwanted map[string][]span // sid -> when it need not run
	resting  map[string][]span // node -> when it may be in maintenance
	disarmed []span            // when nothing need be done for anybody
}

// newWishes reads them from the scenario, from what the operator reports to have done and masters to
// have taken, and from what clients asked for.
func newWishes(h *haspec.Spec, warmup, inPlace time.Duration, did []didAt, taken []takenBatch, events []history.Event) *wishes {
	w := &wishes{unwanted: map[string][]span{}, resting: map[string][]span{}}
	var err error
	if w.services, _, err = config.ParseResources(h.ResourcesText()); err != nil {
		panic("pve: resources that were accepted cannot be read: " + err.Error())
	}
	parsed, _, err := config.ParseRules(h.Rules)
	if err != nil {
		panic("pve: rules that were accepted cannot be read: " + err.Error())
	}
	groups, _, err := config.ParseGroups(h.Groups)
	if err != nil {
		panic("pve: groups that were accepted cannot be read: " + err.Error())
	}
	w.rules = rules.AddGroups(rules.Set(parsed), groups, w.services)
	words, switches := map[string][]word{}, map[string]*switched{}
	done := doneAt(h.Commands, warmup, did)
	for i := range h.Commands {
		take(h.Commands[i].Run, warmup+h.Commands[i].At, done[i], words, switches)
	}
	for node, s := range switches {
		w.resting[node] = s.spans()
	}
	w.disarmed = w.resting[everything]
	delete(w.resting, everything)
	requested(events, words)
	w.delayStops(words, taken)
	for sid, cd := range w.services {
		w.unwanted[sid] = unwanted(cd.State == ha.WantStarted, inPlace, words[sid])
	}
	return w
}

// word is a command that says whether a service is to run.
type word struct {
	due, done time.Duration
	verb      string // remove, add, on, off, stop
	line      string
}

// unwanted are the times in which a service need not run, or nobody knows. Commands count in the
// order in which they were carried out, which is not the one in which they were due.
func unwanted(on bool, inPlace time.Duration, words []word) []span {
	spans := []span{{0, inPlace}}
	slices.SortStableFunc(words, func(a, b word) int { return cmp.Compare(a.done, b.done) })
	configured, since := true, inPlace
	for _, word := range words {
		spans = append(spans, span{word.due, word.done})
		if !on || !configured {
			spans = append(spans, span{since, word.done})
		}
		since = word.done
		switch word.verb {
		case "add":
			on = on || !configured
			configured = true
		case "remove":
			configured = false
		default:
			on = word.verb == "on"
		}
	}
	if !on || !configured {
		spans = append(spans, span{since, forever})
	}
	return spans
}

// stopGrace is how long after it has taken an order a master may need to carry it out.
const stopGrace = time.Minute

// delayStops: the order to stop a service goes to the master, who takes it when there is one and carries
// it out when it can, after arming at the earliest. Then the service is not wanted, whatever was said in
// between.
func (w *wishes) delayStops(words map[string][]word, taken []takenBatch) {
	for _, list := range words {
		for i := range list {
			word := &list[i]
			if word.verb != "stop" || word.done == forever {
				continue
			}
			first := slices.IndexFunc(taken, func(b takenBatch) bool { return b.at >= word.due && slices.Contains(b.Lines, word.line) })
			if first < 0 {
				word.done = forever
				continue
			}
			word.done = max(word.done, taken[first].at)
			for _, s := range w.disarmed {
				if s.from <= word.done && word.done < s.to {
					word.done = s.to
				}
			}
			if word.done != forever {
				word.done += stopGrace
			}
		}
	}
}

// doneAt is when each command was first known to be carried out, by its place in the list. Of those
// that say the same on the same machine, each has a report of its own.
func doneAt(commands []haspec.Command, warmup time.Duration, did []didAt) []time.Duration {
	done, counted := make([]time.Duration, len(commands)), make([]bool, len(did))
	byDue := make([]int, len(commands))
	for i := range byDue {
		byDue[i] = i
	}
	slices.SortStableFunc(byDue, func(a, b int) int { return cmp.Compare(commands[a].At, commands[b].At) })
	for _, i := range byDue {
		c := &commands[i]
		done[i] = forever
		for n, d := range did {
			if !counted[n] && d.on == c.On && d.what == c.Run && d.at >= warmup+c.At {
				done[i], counted[n] = d.at, true
				break
			}
		}
	}
	return done
}

// switched are the commands that begin something which lasts, and those that end it.
type switched struct{ on, off []word }

// spans are the times in which it may last: from when a command that begins it is due until one that
// was given later, and came later, is done.
func (s *switched) spans() (spans []span) {
	for _, on := range s.on {
		until := forever
		for _, off := range s.off {
			if on.due <= off.due && (on.done == forever || on.done < off.done) {
				until = min(until, off.done)
			}
		}
		spans = append(spans, span{on.due, until})
	}
	return spans
}

// everything stands for the node in what concerns all nodes.
const everything = ""

// take notes what a command may mean from when it is due, and what it means since it was done: for the
// services that it is about, and for what is switched on or off by it, by node.
func take(line string, due, done time.Duration, about map[string][]word, switches map[string]*switched) {
	words := strings.Fields(line)
	tell := func(verb string) { about[words[1]] = append(about[words[1]], word{due, done, verb, line}) }
	turn := func(node string) *switched {
		if switches[node] == nil {
			switches[node] = &switched{}
		}
		return switches[node]
	}
	switch words[0] {
	case "set":
		switch {
		case words[2] == "state" && (words[3] == ha.WantStarted || words[3] == "enabled"):
			tell("on")
		case words[2] == "state":
			tell("off")
		}
	case "add", "remove":
		tell(words[0])
	case config.CommandStop:
		tell("stop")
	case config.CommandEnableMaintenance:
		turn(words[1]).on = append(turn(words[1]).on, word{due: due, done: done})
	case config.CommandDisableMaintenance:
		turn(words[1]).off = append(turn(words[1]).off, word{due: due, done: done})
	case config.CommandDisarm:
		turn(everything).on = append(turn(everything).on, word{due: due, done: done})
	case config.CommandArm:
		turn(everything).off = append(turn(everything).off, word{due: due, done: done})
	}
}

func within(spans []span, at time.Duration) bool {
	return slices.ContainsFunc(spans, func(s span) bool { return s.from <= at && at < s.to })
}

// edges are the instants at which spans begin and end.
func edges(spans []span) (at []time.Duration) {
	for _, s := range spans {
		at = append(at, s.from, s.to)
	}
	return at
}

// allowed are the nodes on which the rules let a service run, given those that are there: nil when
// the rules may leave it none at all. It errs towards fewer: with rules of both kinds a service waits
// for the best of its nodes even if others are allowed.
func (w *wishes) allowed(sid string, there []string) []string {
	together, apart := w.partners(sid)
	nodes := slices.Clone(there)
	for _, r := range w.rules {
		if r.Kind != config.NodeAffinity || !r.Enabled() || !slices.ContainsFunc(together, r.Has) {
			continue
		}
		listed := func(n string) bool { _, is := r.Nodes[n]; return is }
		mixed := apart > 0 || len(together) > 1
		if r.Strict.On() || mixed && slices.ContainsFunc(there, listed) {
			nodes = slices.DeleteFunc(nodes, func(n string) bool { return !listed(n) })
		}
		if mixed {
			best := math.MinInt
			for _, n := range nodes {
				best = max(best, r.Nodes[n])
			}
			nodes = slices.DeleteFunc(nodes, func(n string) bool { return r.Nodes[n] < best })
		}
	}
	if len(nodes) <= apart {
		return nil
	}
	return nodes
}

// partners are the services that must be where this one is, itself among them, and how many must
// not be where any of them is.
func (w *wishes) partners(sid string) (together []string, apart int) {
	together = []string{sid}
	for _, r := range w.rules {
		if r.Affinity == config.Positive && r.Enabled() && r.Has(sid) {
			together = append(together, r.Resources...)
		}
	}
	for _, r := range w.rules {
		if r.Affinity == config.Negative && r.Enabled() && slices.ContainsFunc(together, r.Has) {
			apart += len(r.Resources) - 1
		}
	}
	return together, apart
}
