package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/scenarios/strictyaml"
)

// mutant is one planted bug.
type mutant struct {
	Name string `yaml:"name"`
	// About describes what is wrong with the changed code and what results from it.
	About string `yaml:"about"`
	// Reference is the rule that the bug breaks.
	Reference string `yaml:"reference"`
	File      string `yaml:"file"`
	Search    string `yaml:"search"`
	Replace   string `yaml:"replace"`
	// Hunts are the scenarios that look for it, in turn: files in the catalogue's hunts folder when
	// their names begin so, else library scenarios.
	Hunts []string `yaml:"hunts,omitempty,flow"`
	// Conformance are the HA manager's own scenario folders that look for it, before the hunts: for
	// bugs of decisions that a fake world shows best.
	Conformance []string `yaml:"conformance,omitempty,flow"`
	// Slow, when given, is how long the bug usually takes: it is left out unless asked for.
	Slow time.Duration `yaml:"slow,omitempty"`

	// HeldOut reports that the bug was written without knowledge of the strategies and has no hunt. It
	// measures the default campaign, and nothing is ever adapted to find it.
	HeldOut bool `yaml:"held-out,omitempty"`

	// Checker, when given, must find the bug. In the simulator what other checkers find does not count then.
	Checker string `yaml:"checker,omitempty"`

	path string
}

// libraryDir is the folder of the library scenarios.
const libraryDir = "scenarios/library"

// conformanceFolders is the folder of the HA manager's own scenario folders.
const conformanceFolders = "engine/ha/conformance/testdata/scenarios"

var errMatch = errors.New("search text does not match exactly once")

// readCatalogue reads every planted bug of a folder and checks that each can be planted.
func readCatalogue(dir, only string) ([]*mutant, error) {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return nil, fmt.Errorf("reading --only: %w", err)
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("no planted bugs in %s: run from the module's top folder", dir)
	}
	var list []*mutant
	var problems []error
	for _, path := range paths {
		m, err := readMutant(path)
		if err == nil {
			_, err = m.mutate()
		}
		if err != nil {
			problems = append(problems, err)
			continue
		}
		if pattern.MatchString(m.Name) {
			list = append(list, m)
		}
	}
	return list, errors.Join(problems...)
}

func readMutant(path string) (*mutant, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	node, err := strictyaml.Parse(path, data)
	if err != nil {
		return nil, err
	}
	m := &mutant{path: path}
	if err := strictyaml.Decode(path, node, m); err != nil {
		return nil, err
	}
	if want := strings.TrimSuffix(filepath.Base(path), ".yaml"); m.Name != want {
		return nil, fmt.Errorf("%s: name is %q, must be the file's, %q", path, m.Name, want)
	}
	hunts := len(m.Hunts) + len(m.Conformance)
	switch {
	case m.HeldOut && (hunts > 0 || m.Checker != "" || m.Slow > 0):
		return nil, fmt.Errorf("%s: held out, so it has no hunts, no checker and no time of its own", path)
	case !m.HeldOut && hunts == 0:
		return nil, fmt.Errorf("%s: no hunts: nothing would search for it", path)
	}
	return m, nil
}

// huntFile is the file of a scenario that hunts.
func huntFile(catalogue, name string) string {
	if strings.HasPrefix(name, "hunt-") {
		return filepath.Join(catalogue, "hunts", name+".yaml")
	}
	return filepath.Join(filepath.FromSlash(libraryDir), name+".yaml")
}

// folders are the places of the bug's scenario folders.
func (m *mutant) folders() []string {
	var paths []string
	for _, name := range m.Conformance {
		paths = append(paths, filepath.Join(filepath.FromSlash(conformanceFolders), name))
	}
	return paths
}

// mutate returns the file with the bug in it.
func (m *mutant) mutate() ([]byte, error) {
	source, err := os.ReadFile(filepath.FromSlash(m.File))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.path, err)
	}
	search := []byte(strings.TrimRight(m.Search, "\n"))
	if n := bytes.Count(source, search); n != 1 || len(search) == 0 {
		return nil, fmt.Errorf("%s: %w: it is %d times in %s; follow the code's change", m.path, errMatch, n,
			m.File)
	}
	return bytes.Replace(source, search, []byte(strings.TrimRight(m.Replace, "\n")), 1), nil
}
