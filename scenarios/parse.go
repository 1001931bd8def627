package scenarios

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/strictyaml"
)

// Parse reads a scenario file, fills in what it leaves out and makes its subject. The error is of
// type [strictyaml.Problems] and gives every problem its place in the file.
func Parse(filename string, data []byte, kinds Kinds) (*Scenario, Subject, error) {
	s, err := ParseScenario(filename, data)
	if err != nil {
		return nil, nil, err
	}
	subject, err := kinds.Subject(s)
	if err != nil {
		return nil, nil, err
	}
	return s, subject, nil
}

// Load is [Parse] on a file of a file system.
func Load(fsys fs.FS, path string, kinds Kinds) (*Scenario, Subject, error) {
	data, err := fs.ReadFile(fsys, path)
	if err != nil {
		return nil, nil, fmt.Errorf("reading scenario: %w", err)
	}
	return Parse(path, data, kinds)
}

// ParseScenario reads the generic part of a scenario file and leaves the subject's part alone.
func ParseScenario(filename string, data []byte) (*Scenario, error) {
	root, err := strictyaml.Parse(filename, data)
	if err != nil {
		return nil, err
	}
	var s Scenario
	var problems strictyaml.Problems
	problems.Add(strictyaml.Problem{}, strictyaml.Decode(filename, root, &s))
	s.Subject.file, s.Subject.root = filename, root
	decoded := len(problems) == 0
	for _, f := range givenProblems(root, &s) {
		if p := f.in(filename, root); !problems.At(p.Line, p.Column) {
			problems = append(problems, p)
		}
	}
	if decoded {
		s.SetDefaults()
		for _, p := range s.problems() {
			problems = append(problems, p.in(filename, root))
		}
	}
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return &s, nil
}

// Subject makes the subject that a scenario names and checks the workload against it.
func (k Kinds) Subject(s *Scenario) (Subject, error) {
	decode := k[s.Subject.Kind]
	if decode == nil {
		known := slices.Sorted(maps.Keys(k))
		text := fmt.Sprintf("unknown subject %q; write one of %s", s.Subject.Kind, strings.Join(known, ", "))
		if near := strictyaml.Nearest(s.Subject.Kind, known); near != "" {
			text = fmt.Sprintf("unknown subject %q; did you mean %q?", s.Subject.Kind, near)
		}
		return nil, s.Errorf("subject.kind", "%s", text)
	}
	subject, err := decode(s)
	if err != nil {
		var problems strictyaml.Problems
		var at strictyaml.Problem
		if !errors.As(err, new(strictyaml.Problems)) && !errors.As(err, new(*strictyaml.Problem)) {
			at = *s.problem("subject", "")
		}
		problems.Add(at, err)
		return nil, problems.Err()
	}
	if client := subject.Client(); client != nil {
		if err := s.Workload.CheckMix(client); err != nil {
			return nil, s.Errorf("workload.mix", "%s", err)
		}
	}
	if err := CheckProcesses(s, subject); err != nil {
		return nil, err
	}
	return subject, nil
}

// Errorf is a problem with the value at a path such as "subject.votes.n2", at its place in the
// file when the scenario was read from one. It says what to write instead.
func (s *Scenario) Errorf(path, format string, args ...any) error {
	return strictyaml.Problems{s.problem(path, fmt.Sprintf(format, args...))}
}

func (s *Scenario) problem(path, text string) *strictyaml.Problem {
	p := &strictyaml.Problem{File: s.Subject.file, Path: path, Text: text}
	if s.Subject.root != nil {
		n, _ := strictyaml.Find(s.Subject.root, path)
		p.Line, p.Column = n.Line, n.Column
	}
	return p
}

// DecodeNode reads a part of a scenario file into a struct, following its yaml tags, as strictly
// as the rest of the file: fields without omitempty must be given, unknown keys are refused. The
// error gives the place of every problem.
func DecodeNode(file string, node *yaml.Node, into any) error {
	return strictyaml.Decode(file, node, into)
}

// Decode reads the subject's part of a scenario, without its kind, into a struct. In a scenario
// that was made in Go the part is what Value holds.
func (s *SubjectSpec) Decode(into any) error {
	part, err := s.part()
	if err != nil {
		return err
	}
	var problems strictyaml.Problems
	problems.Add(strictyaml.Problem{File: s.file, Path: "subject"}, DecodeNode(s.file, part, into))
	return problems.Err()
}

// File is the scenario's file, against which a subject resolves relative paths; "" for a scenario
// that was made in Go.
func (s *SubjectSpec) File() string { return s.file }

// part is the subject mapping without the kind.
func (s *SubjectSpec) part() (*yaml.Node, error) {
	whole := s.Node
	if whole == nil {
		if s.Value == nil {
			return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}, nil
		}
		var err error
		if whole, err = strictyaml.Encode(s.Value); err != nil {
			return nil, fmt.Errorf("subject %s: %w", s.Kind, err)
		}
		if whole.Kind != yaml.MappingNode {
			return nil, fmt.Errorf("subject %s: its part is a %T; give a struct or a map", s.Kind, s.Value)
		}
	}
	part := *whole
	part.Content = nil
	for i := 0; i+1 < len(whole.Content); i += 2 {
		if whole.Content[i].Value != "kind" {
			part.Content = append(part.Content, whole.Content[i], whole.Content[i+1])
		}
	}
	return &part, nil
}

// UnmarshalYAML keeps the subject's part for the subject and reads its kind.
func (s *SubjectSpec) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return errors.New("write a mapping such as {kind: pve}")
	}
	kind, ok := strictyaml.Find(n, "kind")
	if !ok {
		return errors.New("kind is missing; add \"kind: pve\" or another subject")
	}
	s.Node = n
	return strictyaml.Decode("", kind, &s.Kind)
}

// MarshalYAML writes the kind and then the subject's part.
func (s SubjectSpec) MarshalYAML() (any, error) {
	part, err := s.part()
	if err != nil {
		return nil, err
	}
	kind, err := strictyaml.Encode(struct {
		Kind string `yaml:"kind"`
	}{s.Kind})
	if err != nil {
		return nil, err
	}
	for _, n := range part.Content {
		kind.Content = append(kind.Content, withoutPlace(n))
	}
	return kind, nil
}

// withoutPlace copies a node without comments and places, which do not belong to its meaning.
func withoutPlace(n *yaml.Node) *yaml.Node {
	out := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Value: n.Value, Style: n.Style}
	for _, child := range n.Content {
		out.Content = append(out.Content, withoutPlace(child))
	}
	return out
}

// UnmarshalYAML reads the number of machines or the list of their names.
func (m *Machines) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.SequenceNode {
		return strictyaml.Decode("", n, (*[]string)(m))
	}
	var count int
	if err := strictyaml.Decode("", n, &count); err != nil {
		return errors.New("write a number of machines such as 3, or a list of names such as [n1, n2, n3]")
	}
	if count < 1 || count > MaxMachines {
		return fmt.Errorf("%d machines are impossible; write 1 to %d", count, MaxMachines)
	}
	*m = Count(count)
	return nil
}

// MarshalYAML writes a number where the names are those of [Count].
func (m Machines) MarshalYAML() (any, error) {
	if slices.Equal(m, Count(len(m))) {
		return strictyaml.Encode(len(m))
	}
	n, err := strictyaml.Encode([]string(m))
	if err == nil {
		n.Style = yaml.FlowStyle
	}
	return n, err
}

// Marshal writes a scenario as a canonical file: what [Parse] reads back as the same scenario.
func Marshal(s *Scenario) ([]byte, error) {
	n, err := strictyaml.Encode(s)
	if err != nil {
		return nil, fmt.Errorf("writing scenario %s: %w", s.Name, err)
	}
	out, err := strictyaml.Format(n)
	if err != nil {
		return nil, fmt.Errorf("writing scenario %s: %w", s.Name, err)
	}
	return out, nil
}

// finding is a problem with the value at a path.
type finding struct{ path, text string }

// in gives a finding its place: that of the value, or of what it is missing in.
func (f finding) in(file string, root *yaml.Node) *strictyaml.Problem {
	n, _ := strictyaml.Find(root, f.path)
	return &strictyaml.Problem{File: file, Line: n.Line, Column: n.Column, Path: f.path, Text: f.text}
}

// givenProblems reports what only the file shows: zeros that would silently become defaults, and
// fields that a kind of fault does not have.
func givenProblems(root *yaml.Node, s *Scenario) []finding {
	var out []finding
	for _, path := range defaulted {
		n, ok := strictyaml.Find(root, path)
		if ok && n.Kind == yaml.ScalarNode && isZero(n.Value) {
			out = append(out, finding{path, "0 stands for the default here; leave the key out, or write more than 0"})
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
				out = append(out, finding{path + "." + key, fmt.Sprintf("a %s fault has no %s; it takes %s",
					s.Faults[i].Kind, key, strings.Join(slices.Concat(must, may), ", "))})
			}
		}
	}
	return out
}

// defaulted are the paths at which 0 means "not given".
var defaulted = []string{"network.latency", "network.jitter", "disk.write", "disk.sync", "warmup",
	"quiescence", "workload.clients", "workload.operations", "workload.keys", "workload.value_bytes",
	"workload.pause", "workload.timeout", "nemesis.at_once"}

func isZero(text string) bool {
	d, err := strictyaml.ParseDuration(text)
	return text == "0" || err == nil && d == 0
}
