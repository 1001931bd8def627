package pve

import (
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/rules"
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

// newWishes reads them from the scenario and from what the operator reports to have done.
func newWishes(h *HASpec, warmup, inPlace time.Duration, did []didAt) *wishes {
	w := &wishes{unwanted: map[string][]span{}, resting: map[string][]span{}}
	var err error
	if w.services, _, err = config.ParseResources(h.resources()); err != nil {
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
	off := map[string]bool{}
	for sid, cd := range w.services {
		off[sid] = cd.State != ha.WantStarted
		w.unwanted[sid] = []span{{0, inPlace}}
		if off[sid] {
			w.unwanted[sid] = []span{{0, forever}}
		}
	}
	for i := range h.Commands {
		c := &h.Commands[i]
		w.take(c.Run, warmup+c.At, doneAt(c.Run, warmup+c.At, did))
	}
	return w
}

// doneAt is when a command that was due at an instant was first known to be carried out.
func doneAt(line string, due time.Duration, did []didAt) time.Duration {
	for _, d := range did {
		if d.what == line && d.at >= due {
			return d.at
		}
	}
	return forever
}

// take notes what a command may mean from when it is due, and what it means since it was done.
func (w *wishes) take(line string, due, done time.Duration) {
	words := strings.Fields(line)
	switch words[0] {
	case "set":
		if words[2] == "state" {
			w.want(words[1], words[3] == ha.WantStarted || words[3] == "enabled", due, done)
		}
	case "add", "remove", config.CommandStop:
		w.want(words[1], words[0] == "add", due, done)
	case config.CommandEnableMaintenance:
		w.resting[words[1]] = append(w.resting[words[1]], span{due, forever})
	case config.CommandDisableMaintenance:
		w.resting[words[1]] = closed(w.resting[words[1]], due, done)
	case config.CommandDisarm:
		w.disarmed = append(w.disarmed, span{due, forever})
	case config.CommandArm:
		w.disarmed = closed(w.disarmed, due, done)
	}
}

// want: a service is wanted again when a wish for it was carried out and nothing was said since.
func (w *wishes) want(sid string, on bool, due, done time.Duration) {
	if on {
		w.unwanted[sid] = append(closed(w.unwanted[sid], due, done), span{due, done})
		return
	}
	w.unwanted[sid] = append(w.unwanted[sid], span{due, forever})
}

// closed ends the spans that were open when a command became due at the time when it was done. A
// command that was done before ended them already.
func closed(spans []span, due, done time.Duration) []span {
	out := slices.Clone(spans)
	for i := range out {
		if out[i].from <= due {
			out[i].to = min(out[i].to, done)
		}
	}
	return out
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
// the rules may leave it none at all. It errs towards fewer.
func (w *wishes) allowed(sid string, there []string) []string {
	together, apart := w.partners(sid)
	nodes := slices.Clone(there)
	for _, r := range w.rules {
		if r.Kind == config.NodeAffinity && r.Enabled() && r.Strict.On() && slices.ContainsFunc(together, r.Has) {
			nodes = slices.DeleteFunc(nodes, func(n string) bool { _, listed := r.Nodes[n]; return !listed })
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
