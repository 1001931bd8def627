package scenarios

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/holdfast-sim/holdfast/scenarios/strictyaml"
)

// Parse reads a scenario file, sets its defaults and makes its subject. The error is of type
// [strictyaml.Problems] and gives every problem its place in the file.
//
// Parse reports all problems at once: unreadable keys and values, invalid values, and the problems that
// the subject finds in its part. It skips only checks that depend on an invalid value: those of the
// faults need the machines and the duration, and the subject also the other times.
func Parse(filename string, data []byte, kinds Kinds) (*Scenario, Subject, error) {
	d, err := decodeDraft(filename, data)
	if err != nil {
		return nil, nil, err
	}
	var subject Subject
	if d.knownValid("machines", "warmup", "duration", "quiescence", "subject") {
		subject, err = kinds.Subject(&d.scenario)
		var found strictyaml.Problems
		found.Add(strictyaml.Problem{File: filename}, err)
		d.addProblems(found...)
	}
	if subject != nil {
		d.scenario = *d.scenario.WithTimers(TimersOf(subject))
	}
	if err := d.problems.Err(); err != nil {
		return nil, nil, err
	}
	return &d.scenario, subject, nil
}

// Load is [Parse] on a file of a file system.
func Load(fsys fs.FS, path string, kinds Kinds) (*Scenario, Subject, error) {
	data, err := fs.ReadFile(fsys, path)
	if err != nil {
		return nil, nil, fmt.Errorf("reading scenario: %w", err)
	}
	return Parse(path, data, kinds)
}

// ParseScenario reads the generic part of a scenario file and leaves the subject's part alone. Its
// error is like that of [Parse].
func ParseScenario(filename string, data []byte) (*Scenario, error) {
	d, err := decodeDraft(filename, data)
	if err != nil {
		return nil, err
	}
	if err := d.problems.Err(); err != nil {
		return nil, err
	}
	return &d.scenario, nil
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
			at = *s.problemAt("subject", "")
		}
		problems.Add(at, err)
		return nil, problems.Err()
	}
	var problems strictyaml.Problems
	if client := subject.Client(); client != nil {
		if err := s.Workload.CheckMix(client); err != nil {
			problems.Add(strictyaml.Problem{}, s.Errorf("workload.mix", "%s", err))
		}
	}
	problems.Add(strictyaml.Problem{}, CheckProcesses(s, subject))
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return subject, nil
}

// Errorf returns a problem with the value at a path such as "subject.votes.n2", at its place in the
// file when the scenario was read from one. The text should name what to write instead.
func (s *Scenario) Errorf(path, format string, args ...any) error {
	return strictyaml.Problems{s.problemAt(path, fmt.Sprintf(format, args...))}
}

func (s *Scenario) problemAt(path, text string) *strictyaml.Problem {
	p := &strictyaml.Problem{File: s.Subject.fileName, Path: path, Text: text}
	if s.Subject.rootNode != nil {
		n, _ := strictyaml.Find(s.Subject.rootNode, path)
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
	part, err := s.subjectNode()
	if err != nil {
		return err
	}
	var problems strictyaml.Problems
	problems.Add(strictyaml.Problem{File: s.fileName, Path: "subject"}, DecodeNode(s.fileName, part, into))
	return problems.Err()
}

// File is the scenario's file, against which a subject resolves relative paths; "" for a scenario
// that was made in Go.
func (s *SubjectSpec) File() string { return s.fileName }

// subjectNode is the subject mapping without the kind.
func (s *SubjectSpec) subjectNode() (*yaml.Node, error) {
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
	part, err := s.subjectNode()
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
