package scenarios_test

import (
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// toy is a subject with a part of its own and nothing behind it.
type toy struct{ part toyPart }

type toyPart struct {
	Votes  map[string]int `yaml:"votes,omitempty,flow"`
	Policy string         `yaml:"policy,omitempty"`
}

func (*toy) Kind() string               { return "toy" }
func (*toy) Builder() scenarios.Builder { return nil }
func (*toy) Driver() scenarios.Driver   { return nil }
func (*toy) Client() workload.Codec     { return toyCodec{} }
func (*toy) Judge() scenarios.Judge     { return nil }

type toyCodec struct{ workload.Codec }

func (toyCodec) Functions() []workload.Weight {
	return []workload.Weight{{F: workload.Read, Weight: 3}, {F: workload.Write, Weight: 2}}
}

func decodeToy(s *scenarios.Scenario) (scenarios.Subject, error) {
	var part toyPart
	if err := s.Subject.Decode(&part); err != nil {
		return nil, err
	}
	for name := range part.Votes {
		if name != "n1" {
			return nil, s.Errorf("subject.votes."+name, "no machine is called %q; write n1", name)
		}
	}
	s.Subject.Value = part
	return &toy{part: part}, nil
}

func toyKinds() scenarios.Kinds { return scenarios.Kinds{"toy": decodeToy} }
