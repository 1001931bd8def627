package scenarios

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/strictyaml"
)

// draft is the readable part of a scenario file, with the problems found so far.
type draft struct {
	scenario       Scenario
	fileName       string
	rootNode       *yaml.Node
	problems       strictyaml.Problems
	decodeProblems int // so many problems, the first ones, are about values that cannot be read
}

// decodeDraft reads and validates the generic part of a file. Its error is for text that is no YAML;
// all else that is wrong is in the draft.
func decodeDraft(file string, data []byte) (*draft, error) {
	root, err := strictyaml.Parse(file, data)
	if err != nil {
		return nil, err
	}
	d := &draft{fileName: file, rootNode: root}
	d.problems.Add(strictyaml.Problem{}, strictyaml.Decode(file, root, &d.scenario))
	d.decodeProblems = len(d.problems)
	d.scenario.Subject.fileName, d.scenario.Subject.rootNode = file, root
	d.addPathProblems(givenProblems(root, &d.scenario))
	d.scenario.SetDefaults()
	v := validator{scenario: &d.scenario}
	v.checkIndependentParts()
	d.addPathProblems(v.findings)
	if d.knownValid("machines", "warmup", "duration", "quiescence") {
		v.findings = nil
		v.checkSchedule()
		d.addPathProblems(v.findings)
	}
	return d, nil
}

// addPathProblems adds findings with their places.
func (d *draft) addPathProblems(found []pathProblem) {
	problems := make([]*strictyaml.Problem, len(found))
	for i, f := range found {
		problems[i] = f.withPlace(d.fileName, d.rootNode)
	}
	d.addProblems(problems...)
}

// addProblems adds problems, except those that follow from earlier ones.
func (d *draft) addProblems(problems ...*strictyaml.Problem) {
	known := len(d.problems)
	for _, p := range problems {
		if !d.isConsequence(p, d.problems[:known]) {
			d.problems = append(d.problems, p)
		}
	}
}

// isConsequence reports whether a problem is only a consequence of a known one, which has the same place or
// is about an unreadable part of the same value or list item. For example, a fault with a misspelled key
// also lacks the correct key.
func (d *draft) isConsequence(p *strictyaml.Problem, known strictyaml.Problems) bool {
	if known.At(p.Line, p.Column) {
		return true
	}
	unit := itemPrefix(p.Path)
	return slices.ContainsFunc(d.problems[:d.decodeProblems], func(k *strictyaml.Problem) bool {
		return isInsidePath(k.Path, p.Path) || unit != "" && itemPrefix(k.Path) == unit
	})
}

// knownValid reports whether nothing is known to be wrong with the values of these keys, and none is
// missing that must be there.
func (d *draft) knownValid(keys ...string) bool {
	for _, key := range keys {
		if slices.ContainsFunc(d.problems, func(p *strictyaml.Problem) bool {
			return isInsidePath(p.Path,
				key)
		}) {
			return false
		}
		_, given := strictyaml.Find(d.rootNode, key)
		if !given && slices.Contains(requiredKeys, key) {
			return false
		}
	}
	return true
}

// requiredKeys are the keys without a default on which others depend.
var requiredKeys = []string{"machines", "duration", "subject"}

// isInsidePath reports whether a path is another one or leads into it.
func isInsidePath(path, whole string) bool {
	rest, ok := strings.CutPrefix(path, whole)
	return ok && whole != "" && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// itemPrefix returns the part of a path up to the first item of a list, such as "faults[2]"; "" when the
// path leads through no list.
func itemPrefix(path string) string { return path[:strings.IndexByte(path, ']')+1] }

// pathProblem is a problem with the value at a path.
type pathProblem struct{ path, problem string }

// withPlace returns the finding with its place: the place of the value, or of the mapping that lacks it.
func (f pathProblem) withPlace(file string, root *yaml.Node) *strictyaml.Problem {
	n, _ := strictyaml.Find(root, f.path)
	return &strictyaml.Problem{File: file, Line: n.Line, Column: n.Column, Path: f.path, Text: f.problem}
}

// givenProblems reports problems that are visible only in the file: zeros that would silently become
// defaults, and fields that a kind of fault does not have.
func givenProblems(root *yaml.Node, s *Scenario) []pathProblem {
	var out []pathProblem
	for _, path := range defaulted {
		n, ok := strictyaml.Find(root, path)
		if ok && n.Kind == yaml.ScalarNode && isZeroText(n.Value) {
			out = append(out, pathProblem{path,
				"0 stands for the default here; leave the key out, or write more than 0"})
		}
	}
	for i := range s.Faults {
		path := fmt.Sprintf("faults[%d]", i)
		n, ok := strictyaml.Find(root, path)
		if !ok || n.Kind != yaml.MappingNode {
			continue
		}
		must, may := fault.Fields(s.Faults[i].Kind)
		known := append(slices.Concat(must, may), "kind", "at", "for")
		for k := 0; k+1 < len(n.Content) && len(must) > 0; k += 2 {
			key := n.Content[k].Value
			if !slices.Contains(known, key) && slices.Contains(faultKeys, key) {
				out = append(out, pathProblem{path + "." + key,
					fmt.Sprintf("a %s fault has no %s; it takes %s",
						s.Faults[i].Kind, key, strings.Join(slices.Concat(must, may), ", "))})
			}
		}
	}
	return out
}

// defaulted are the paths at which 0 means "not given".
var defaulted = []string{"network.latency", "network.jitter", "disk.write", "disk.sync", "warmup",
	"quiescence", "workload.clients", "workload.operations", "workload.keys", "workload.value_bytes",
	"workload.pause", "workload.timeout", "workload.locks.hold", "workload.locks.ttl", "workload.locks.renew",
	"workload.locks.poll", "workload.locks.within", "nemesis.at_once", "nemesis.every", "nemesis.for_min",
	"nemesis.for_max"}

func isZeroText(text string) bool {
	d, err := strictyaml.ParseDuration(text)
	return text == "0" || err == nil && d == 0
}
