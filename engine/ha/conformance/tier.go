package conformance

import (
	"fmt"
	"regexp"
	"sort"
	"strconv"
	"strings"
)

// ParseLog reads an expected log. Lines of another form are kept as text, so that nothing is lost.
func ParseLog(text string) []Line {
	var out []Line
	for _, raw := range splitLines(text) {
		match := linePattern.FindStringSubmatch(raw)
		if match == nil {
			out = append(out, Line{Message: raw})
			continue
		}
		seconds, _ := strconv.ParseInt(match[2], 10, 64) // digits, see the pattern
		out = append(out, Line{Level: match[1], Seconds: seconds, ID: match[3], Message: match[4]})
	}
	return out
}

var (
	linePattern = regexp.MustCompile(`^(\S+)\s+(\d{1,9})\s+(\S+): (.*)$`)

	daemonChange  = regexp.MustCompile(`^status change (\S+) => (\S+)$`)
	nodeChange    = regexp.MustCompile(`^node '([^']+)': state changed from '([^']+)' => '([^']+)'$`)
	serviceChange = regexp.MustCompile(
		`^service '([^']+)': state changed from '([^']+)' to '([^']+)'(?:\s+\((.*)\))?$`)
	serviceAdded  = regexp.MustCompile(`^adding new service '([^']+)' on node '([^']+)'$`)
	serviceGone   = regexp.MustCompile(`^removing stale service '([^']+)'`)
	serviceFrozen = regexp.MustCompile(`^disarm: freezing service '([^']+)' \(was '([^']+)'\)$`)
	serviceMoved  = regexp.MustCompile(`^service '([^']+)': updating node '[^']+' => '([^']+)'`)
	fenced        = regexp.MustCompile(`^fencing: acknowledged - got agent lock for node '([^']+)'$`)
	guestStarted  = regexp.MustCompile(`^service status (\S+) started$`)
	guestStopped  = regexp.MustCompile(`^service status (\S+) stopped$`)
	guestArrived  = regexp.MustCompile(`^service (\S+) - end (?:migrate|relocate) to node '([^']+)'$`)
	poweredOff    = regexp.MustCompile(`^execute power (\S+) off$`)
	guestCarried  = regexp.MustCompile(`^execute service (\S+) manual-migrate (\S+)$`)
	guestAdded    = regexp.MustCompile(`^execute service (\S+) add (\S+) \S+ 1$`)
)

// Transitions are the state changes of every entity in order, by "service S", "node N" and "daemon
// N/D", and the sequence of nodes of every service by "placement S". Times, uids and wording are
// left out.
type Transitions map[string][]string

// ExtractTransitions reads the transitions from a log.
func ExtractTransitions(log []Line) Transitions {
	out := Transitions{}
	add := func(entity, step string) { out[entity] = append(out[entity], step) }
	place := func(sid, node string) {
		key := "placement " + sid
		if steps := out[key]; len(steps) == 0 || steps[len(steps)-1] != node {
			add(key, node)
		}
	}
	for _, line := range log {
		if m := daemonChange.FindStringSubmatch(line.Message); m != nil {
			add("daemon "+line.ID, m[1]+" => "+m[2])
		} else if m := nodeChange.FindStringSubmatch(line.Message); m != nil {
			add("node "+m[1], m[2]+" => "+m[3])
		} else if m := serviceChange.FindStringSubmatch(line.Message); m != nil {
			add("service "+m[1], m[2]+" => "+m[3])
			if node := detailAfter(m[4], "node"); node != "" {
				place(m[1], node)
			}
		} else if m := serviceAdded.FindStringSubmatch(line.Message); m != nil {
			add("service "+m[1], "added")
			place(m[1], m[2])
		} else if m := serviceGone.FindStringSubmatch(line.Message); m != nil {
			add("service "+m[1], "removed")
		} else if m := serviceFrozen.FindStringSubmatch(line.Message); m != nil {
			add("service "+m[1], m[2]+" => freeze")
		} else if m := serviceMoved.FindStringSubmatch(line.Message); m != nil {
			place(m[1], m[2])
		}
	}
	return out
}

func detailAfter(details, name string) string {
	for _, entry := range strings.Split(details, ", ") {
		key, value, found := strings.Cut(entry, " = ")
		if found && key == name {
			return value
		}
	}
	return ""
}

// compareTransitions lists the entities that differ.
func compareTransitions(want, got Transitions) []string {
	entities := map[string]bool{}
	for entity := range want {
		entities[entity] = true
	}
	for entity := range got {
		entities[entity] = true
	}
	var out []string
	for _, entity := range sortedKeys(entities) {
		if w, g := strings.Join(want[entity], ", "), strings.Join(got[entity], ", "); w != g {
			out = append(out, fmt.Sprintf("%s: expected [%s], got [%s]", entity, w, g))
		}
	}
	return out
}

// Outcome is how a run ended.
type Outcome struct {
	// Services is the final "state on node" of each service.
	Services map[string]string `json:"services"`
	// Running is the node on which each guest runs at the end.
	Running map[string]string `json:"running"`
	// Fenced are the nodes that were fenced.
	Fenced []string `json:"fenced"`
	// Double are services that ran on two machines at once.
	Double []DoubleRun `json:"double,omitempty"`
}

// tracker follows a run by its log alone, independently of what wrote the log.
type tracker struct {
	serviceState, serviceNode map[string]string
	running                   map[string]map[string]bool
	fencedNodes               map[string]bool
	doubleRuns                []DoubleRun
}

// ExtractOutcome follows a log from beginning to end.
func ExtractOutcome(log []Line) Outcome {
	t := &tracker{
		serviceState: map[string]string{}, serviceNode: map[string]string{},
		running: map[string]map[string]bool{}, fencedNodes: map[string]bool{},
	}
	for _, line := range log {
		t.followLine(line)
	}
	out := Outcome{Services: map[string]string{}, Running: map[string]string{}, Double: t.doubleRuns}
	for sid, state := range t.serviceState {
		out.Services[sid] = state
		if node := t.serviceNode[sid]; node != "" {
			out.Services[sid] += " on " + node
		}
	}
	for sid, nodes := range t.running {
		if len(nodes) > 0 {
			out.Running[sid] = strings.Join(sortedKeys(nodes), " and ")
		}
	}
	out.Fenced = sortedKeys(t.fencedNodes)
	return out
}

func (t *tracker) followLine(line Line) {
	node, daemon, _ := strings.Cut(line.ID, "/")
	message := line.Message
	switch daemon {
	case "lrm":
		t.followGuest(line.Seconds, node, message)
	case "crm":
		t.followManager(message)
	default:
		if m := poweredOff.FindStringSubmatch(message); m != nil {
			for _, nodes := range t.running {
				delete(nodes, m[1])
			}
		} else if m := guestCarried.FindStringSubmatch(message); m != nil {
			t.running[m[1]] = nil
		} else if m := guestAdded.FindStringSubmatch(message); m != nil {
			t.start(line.Seconds, m[1], m[2])
		}
	}
}

func (t *tracker) followGuest(seconds int64, node, message string) {
	if m := guestStarted.FindStringSubmatch(message); m != nil {
		t.start(seconds, m[1], node)
	} else if m := guestStopped.FindStringSubmatch(message); m != nil {
		delete(t.running[m[1]], node)
	} else if m := guestArrived.FindStringSubmatch(message); m != nil {
		delete(t.running[m[1]], node)
	}
}

func (t *tracker) start(seconds int64, sid, node string) {
	if t.running[sid] == nil {
		t.running[sid] = map[string]bool{}
	}
	for _, other := range sortedKeys(t.running[sid]) {
		if other != node {
			t.doubleRuns = append(t.doubleRuns, DoubleRun{SID: sid, Nodes: [2]string{other, node},
				Seconds: seconds})
		}
	}
	t.running[sid][node] = true
}

func (t *tracker) followManager(message string) {
	if m := serviceChange.FindStringSubmatch(message); m != nil {
		t.serviceState[m[1]] = m[3]
		if node := detailAfter(m[4], "node"); node != "" {
			t.serviceNode[m[1]] = node
		}
	} else if m := serviceAdded.FindStringSubmatch(message); m != nil {
		t.serviceState[m[1]], t.serviceNode[m[1]] = "added", m[2]
	} else if m := serviceGone.FindStringSubmatch(message); m != nil {
		delete(t.serviceState, m[1])
		delete(t.serviceNode, m[1])
	} else if m := serviceFrozen.FindStringSubmatch(message); m != nil {
		t.serviceState[m[1]] = "freeze"
	} else if m := serviceMoved.FindStringSubmatch(message); m != nil {
		t.serviceNode[m[1]] = m[2]
	} else if m := fenced.FindStringSubmatch(message); m != nil {
		t.fencedNodes[m[1]] = true
	}
}

// compareOutcomes lists what differs in the end, and every double run that is not in the expected log.
func compareOutcomes(want, got Outcome) []string {
	var out []string
	out = append(out, compareMaps("service", want.Services, got.Services)...)
	out = append(out, compareMaps("guest", want.Running, got.Running)...)
	if w, g := strings.Join(want.Fenced, ", "), strings.Join(got.Fenced, ", "); w != g {
		out = append(out, fmt.Sprintf("fenced nodes: expected [%s], got [%s]", w, g))
	}
	for _, d := range newDoubleRuns(want.Double, got.Double) {
		out = append(out, fmt.Sprintf("DOUBLE RUN of %s on %s and %s at %d s", d.SID, d.Nodes[0],
			d.Nodes[1], d.Seconds))
	}
	return out
}

// newDoubleRuns returns the double runs that are not expected. A log of Proxmox VE's manager can contain
// some.
func newDoubleRuns(want, got []DoubleRun) (out []DoubleRun) {
	type pair struct{ sid, one, other string }
	expected := map[pair]bool{}
	for _, d := range want {
		expected[pair{d.SID, d.Nodes[0], d.Nodes[1]}] = true
		expected[pair{d.SID, d.Nodes[1], d.Nodes[0]}] = true
	}
	for _, d := range got {
		if !expected[pair{d.SID, d.Nodes[0], d.Nodes[1]}] {
			out = append(out, d)
		}
	}
	return out
}

func compareMaps(what string, want, got map[string]string) []string {
	keys := map[string]bool{}
	for key := range want {
		keys[key] = true
	}
	for key := range got {
		keys[key] = true
	}
	var out []string
	for key := range keys {
		if want[key] != got[key] {
			out = append(out, fmt.Sprintf("%s %s: expected %q, got %q", what, key, want[key], got[key]))
		}
	}
	sort.Strings(out)
	return out
}
