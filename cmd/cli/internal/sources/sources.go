// Package sources finds scenario files: those of a library, and those that are named by a path.
//
// Package sources never decodes a subject and never runs anything.
package sources

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

// Source is the text of a scenario and where it is from.
type Source struct {
	Word string // as typed
	File string // for messages
	Data []byte
}

// OwnFile is the scenario's file when it is not one of the library, for annotations beside its lines.
func (s *Source) OwnFile() string {
	if IsPath(s.Word) {
		return s.File
	}
	return ""
}

// Finder finds scenarios.
type Finder struct {
	// Library holds the scenarios that are named without a path; nil: none.
	Library fs.FS
	// HasKind reports whether the program has a kind of subject; scenarios of others are not listed.
	HasKind func(kind string) bool
	// ListCommand is the command that lists the library, for advice.
	ListCommand string
}

// extension ends the names of the files in a library.
const extension = ".yaml"

// Names lists the scenarios of the library, by name.
func (f *Finder) Names() ([]string, error) {
	if f.Library == nil {
		return nil, nil
	}
	files, err := fs.Glob(f.Library, "*"+extension)
	if err != nil {
		return nil, fmt.Errorf("listing the library: %w", err)
	}
	var names []string
	for _, file := range files {
		data, err := fs.ReadFile(f.Library, file)
		if err != nil {
			return nil, fmt.Errorf("reading the library: %w", err)
		}
		s, err := scenarios.ParseScenario(file, data)
		if err != nil {
			return nil, fmt.Errorf("reading the library: %w", err)
		}
		if f.HasKind(s.Subject.Kind) {
			names = append(names, strings.TrimSuffix(file, extension))
		}
	}
	slices.Sort(names)
	return names, nil
}

// InLibrary reads a scenario of the library; false when it has none of that name.
func (f *Finder) InLibrary(name string) (Source, bool) {
	file := name + extension
	if f.Library == nil || !fs.ValidPath(file) {
		return Source{}, false
	}
	data, err := fs.ReadFile(f.Library, file)
	return Source{name, file, data}, err == nil
}

// Find reads a scenario: a file, or a scenario of the library. Its errors advise what to write.
func (f *Finder) Find(word string) (Source, error) {
	if IsPath(word) {
		data, err := os.ReadFile(word)
		if errors.Is(err, os.ErrNotExist) && !strings.ContainsAny(word, `/\`) {
			name := strings.TrimSuffix(strings.TrimSuffix(word, ".yaml"), ".yml")
			if _, ok := f.InLibrary(name); ok {
				return Source{}, fmt.Errorf("file %s does not exist; the library scenario is called %s",
					word, name)
			}
		}
		if err != nil {
			return Source{}, fmt.Errorf("reading scenario: %w", err)
		}
		return Source{word, word, data}, nil
	}
	if from, ok := f.InLibrary(word); ok {
		return from, nil
	}
	if _, err := os.Stat(word); err == nil {
		return Source{}, fmt.Errorf("no such scenario in the library: %q; write ./%s for the file", word,
			word)
	}
	names, err := f.Names()
	if err != nil {
		return Source{}, err
	}
	if len(names) == 0 && f.Library != nil {
		return Source{}, fmt.Errorf("file %s does not exist, and the library of this program has no "+
			"scenario of its subjects: their files (*.yaml) must be in its top folder, see fs.Sub", word)
	}
	if len(names) == 0 {
		return Source{}, fmt.Errorf("file %s does not exist, and this program has no library of scenarios",
			word)
	}
	if near := strictyaml.Nearest(word, names); near != "" {
		return Source{}, fmt.Errorf("no such scenario in the library: %q; did you mean %q? List all with: %s",
			word, near, f.ListCommand)
	}
	return Source{}, fmt.Errorf("no such scenario in the library: %q; list all with: %s", word,
		f.ListCommand)
}

// IsPath reports whether a word means a file and not a library scenario.
func IsPath(word string) bool {
	ext := filepath.Ext(word)
	return strings.ContainsAny(word, `/\`) || ext == ".yaml" || ext == ".yml"
}

// Files replaces folders by the scenario files in them.
func Files(words []string) ([]string, error) {
	var files []string
	for _, word := range words {
		info, err := os.Stat(word)
		if errors.Is(err, fs.ErrNotExist) && !IsPath(word) {
			files = append(files, word) // a scenario of the library
			continue
		}
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			if !IsPath(word) {
				word = "." + string(filepath.Separator) + word
			}
			files = append(files, word)
			continue
		}
		var found []string
		for _, pattern := range []string{"*.yaml", "*.yml"} {
			more, err := filepath.Glob(filepath.Join(word, pattern))
			if err != nil {
				return nil, err
			}
			found = append(found, more...)
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("folder %s has no .yaml or .yml files", word)
		}
		for _, file := range found {
			if !IsPath(file) {
				file = "." + string(filepath.Separator) + file
			}
			files = append(files, file)
		}
	}
	return files, nil
}
