package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/library"
)

// source is a scenario as it was asked for.
type source struct {
	word string // as typed
	file string // for messages
	data []byte
}

// find reads a scenario: a file, or a story of the library.
func find(word string) (source, error) {
	if isPath(word) {
		data, err := os.ReadFile(word)
		if errors.Is(err, os.ErrNotExist) && !strings.ContainsAny(word, `/\`) {
			name := strings.TrimSuffix(strings.TrimSuffix(word, ".yaml"), ".yml")
			if _, libErr := library.Get(name); libErr == nil {
				return source{}, usagef("there is no file %s here; the story of the library is called %s", word, name)
			}
		}
		if err != nil {
			return source{}, usagef("reading scenario: %w", err)
		}
		return source{word, word, data}, nil
	}
	data, err := library.Get(word)
	if err != nil {
		if exists(word) {
			return source{}, usagef("%w; write ./%s for the file", err, word)
		}
		return source{}, usagef("%w; list them with: holdfast scenario list", err)
	}
	return source{word, library.FileName(word), data}, nil
}

// isPath says whether a word means a file and not a story of the library.
func isPath(word string) bool {
	ext := filepath.Ext(word)
	return strings.ContainsAny(word, `/\`) || ext == ".yaml" || ext == ".yml"
}

// load reads a scenario and makes its subject, on the machines of a topology file if one is
// given.
func (a *app) load(from source, topology string) (*scenarios.Scenario, scenarios.Subject, error) {
	s, err := scenarios.ParseScenario(from.file, from.data)
	if err != nil {
		return nil, nil, usage(err)
	}
	if topology != "" {
		if err := a.replaceMachines(s, topology); err != nil {
			return nil, nil, err
		}
	}
	subject, err := a.Kinds.Subject(s)
	if err != nil {
		return nil, nil, usage(err)
	}
	return s, subject, nil
}

func (a *app) replaceMachines(s *scenarios.Scenario, file string) error {
	replace := a.Topologies[s.Subject.Kind]
	if replace == nil {
		return usagef("--topology: subject %s of scenario %s takes its machines from no configuration file",
			s.Subject.Kind, s.Name)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return usagef("reading topology: %w", err)
	}
	if err := replace(s, file, data); err != nil {
		return usage(err)
	}
	if err := s.Validate(); err != nil {
		return usage(fmt.Errorf("scenario %s on the machines of %s: %w", s.Name, file, err))
	}
	return nil
}
