package cli

import (
	"fmt"
	"os"

	"github.com/holdfast-sim/holdfast/cmd/cli/internal/sources"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// finder finds the program's scenarios.
func (a *app) finder() *sources.Finder {
	return &sources.Finder{Library: a.Library, HasKind: func(kind string) bool { return a.kind(kind) != nil },
		ListCommand: a.command("scenario", "list")}
}

// libraryNames lists the scenarios of the library whose subjects this program has, by name.
func (a *app) libraryNames() ([]string, error) {
	names, err := a.finder().Names()
	if err != nil {
		return nil, internalError(err)
	}
	return names, nil
}

// findScenario reads a scenario: a file, or a scenario of the library.
func (a *app) findScenario(word string) (sources.Source, error) {
	from, err := a.finder().Find(word)
	if err != nil {
		return from, Usage(err)
	}
	return from, nil
}

// origin is where the machines of scenarios come from, if not from the scenarios themselves.
type origin struct {
	topology string // a configuration file
	etc      string // a folder of configuration files
}

// loadScenario reads a scenario and makes its subject, on the machines of its origin.
func (a *app) loadScenario(from sources.Source, o origin) (job, error) {
	if o == (origin{}) {
		s, subject, err := scenarios.Parse(from.File, from.Data, a.decoders())
		if err != nil {
			return job{}, Usage(err)
		}
		return job{source: from, scenario: s, subject: subject}, nil
	}
	s, err := scenarios.ParseScenario(from.File, from.Data)
	if err != nil {
		return job{}, Usage(err)
	}
	taken, err := a.replaceMachines(s, o)
	if err != nil {
		return job{}, err
	}
	subject, err := a.decoders().Subject(s)
	if err != nil {
		return job{}, Usage(err)
	}
	return job{source: from, scenario: s, subject: subject, taken: taken}, nil
}

// replaceMachines puts a scenario on the machines of a topology file, or of a folder.
func (a *app) replaceMachines(s *scenarios.Scenario, o origin) (taken []string, err error) {
	kind, flag, file := a.kind(s.Subject.Kind), "--topology", o.topology
	if o.etc != "" {
		flag, file = "--etc", o.etc
	}
	if kind == nil || o.etc == "" && kind.Topology == nil || o.etc != "" && kind.Etc == nil {
		return nil, usagef("%s: subject %s of scenario %s takes its machines from no configuration file",
			flag, s.Subject.Kind, s.Name)
	}
	if o.etc != "" {
		if taken, err = kind.Etc(s, o.etc); err != nil {
			return nil, Usage(err)
		}
	} else {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, usagef("reading topology: %w", err)
		}
		if err := kind.Topology(s, file, data); err != nil {
			return nil, Usage(err)
		}
	}
	if err := s.Validate(); err != nil {
		return nil, Usage(fmt.Errorf("scenario %s on the machines of %s: %w", s.Name, file, err))
	}
	return taken, nil
}
