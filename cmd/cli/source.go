package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/strictyaml"
)

// source is the text of a scenario and where it is from.
type source struct {
	word string // as typed
	file string // for messages
	data []byte
}

// scenarioExtension ends the names of the files in a library.
const scenarioExtension = ".yaml"

// libraryNames lists the scenarios of the library whose subjects this program has, by name.
func (a *app) libraryNames() ([]string, error) {
	if a.Library == nil {
		return nil, nil
	}
	files, err := fs.Glob(a.Library, "*"+scenarioExtension)
	if err != nil {
		return nil, internalError(fmt.Errorf("listing the library: %w", err))
	}
	var names []string
	for _, file := range files {
		data, err := fs.ReadFile(a.Library, file)
		if err != nil {
			return nil, internalError(fmt.Errorf("reading the library: %w", err))
		}
		s, err := scenarios.ParseScenario(file, data)
		if err != nil {
			return nil, internalError(fmt.Errorf("reading the library: %w", err))
		}
		if a.kind(s.Subject.Kind) != nil {
			names = append(names, strings.TrimSuffix(file, scenarioExtension))
		}
	}
	slices.Sort(names)
	return names, nil
}

// fromLibrary reads a scenario of the library; false when it has none of that name.
func (a *app) fromLibrary(name string) (source, bool) {
	file := name + scenarioExtension
	if a.Library == nil || !fs.ValidPath(file) {
		return source{}, false
	}
	data, err := fs.ReadFile(a.Library, file)
	return source{name, file, data}, err == nil
}

// findScenario reads a scenario: a file, or a scenario of the library.
func (a *app) findScenario(word string) (source, error) {
	if isPath(word) {
		data, err := os.ReadFile(word)
		if errors.Is(err, os.ErrNotExist) && !strings.ContainsAny(word, `/\`) {
			name := strings.TrimSuffix(strings.TrimSuffix(word, ".yaml"), ".yml")
			if _, ok := a.fromLibrary(name); ok {
				return source{}, usagef("file %s does not exist; the library scenario is called %s",
					word, name)
			}
		}
		if err != nil {
			return source{}, usagef("reading scenario: %w", err)
		}
		return source{word, word, data}, nil
	}
	if from, ok := a.fromLibrary(word); ok {
		return from, nil
	}
	if _, err := os.Stat(word); err == nil {
		return source{}, usagef("no such scenario in the library: %q; write ./%s for the file", word, word)
	}
	names, err := a.libraryNames()
	if err != nil {
		return source{}, err
	}
	if len(names) == 0 {
		return source{}, usagef("file %s does not exist, and this program has no library of scenarios", word)
	}
	if near := strictyaml.Nearest(word, names); near != "" {
		return source{}, usagef("no such scenario in the library: %q; did you mean %q? List all with: %s",
			word, near, a.command("scenario", "list"))
	}
	return source{}, usagef("no such scenario in the library: %q; list all with: %s", word,
		a.command("scenario", "list"))
}

// isPath reports whether a word means a file and not a library scenario.
func isPath(word string) bool {
	ext := filepath.Ext(word)
	return strings.ContainsAny(word, `/\`) || ext == ".yaml" || ext == ".yml"
}

// ownFile is the scenario's file when it is not one of the library, for annotations beside its lines.
func (s *source) ownFile() string {
	if isPath(s.word) {
		return s.file
	}
	return ""
}

// origin is where the machines of scenarios come from, if not from the scenarios themselves.
type origin struct {
	topology string // a configuration file
	etc      string // a folder of configuration files
}

// loadScenario reads a scenario and makes its subject, on the machines of its origin.
func (a *app) loadScenario(from source, o origin) (job, error) {
	if o == (origin{}) {
		s, subject, err := scenarios.Parse(from.file, from.data, a.decoders())
		if err != nil {
			return job{}, Usage(err)
		}
		return job{source: from, scenario: s, subject: subject}, nil
	}
	s, err := scenarios.ParseScenario(from.file, from.data)
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
