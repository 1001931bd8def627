package simtest

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/scenarios/strictyaml"
)

// savedDir is the folder of a package in which its tests have their saved failures: a folder for each test,
// with a file for each failure.
const savedDir = "testdata/holdfast"

// maxSaved is how many files one test may have.
const maxSaved = 1000

// savedFailure is a failure that was saved: a scenario with the seed and the replaced draws with which it
// failed. Its file has two YAML documents: this one, and the scenario.
type savedFailure struct {
	Seed      uint64          `yaml:"seed"`
	Overrides []draw.Override `yaml:"overrides,omitempty"`

	scenario *scenarios.Scenario
	subject  scenarios.Subject
}

// savedHead begins each file.
const savedHead = `# Failed in %s: %s
# go test runs this before any other seed. Delete the file when the test has changed so much that it shows
# nothing any longer.
`

// documentMark is the line between the two documents.
const documentMark = "\n---\n"

// folderOf is the folder of a test's saved failures.
func folderOf(test string) string {
	safe := func(r rune) rune {
		if strings.ContainsRune(`\:*?"<>|`, r) {
			return '_'
		}
		return r
	}
	return filepath.Join(startDir, filepath.FromSlash(savedDir), filepath.FromSlash(strings.Map(safe, test)))
}

// savedFiles lists the files of a test, in order of their names.
func savedFiles(test string) ([]string, error) {
	entries, err := os.ReadDir(folderOf(test))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing saved failures: %w", err)
	}
	var paths []string
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); !e.IsDir() && (ext == ".yaml" || ext == ".yml") {
			paths = append(paths, filepath.Join(folderOf(test), e.Name()))
		}
	}
	if len(paths) > maxSaved {
		return nil, fmt.Errorf("listing saved failures: %s holds %d files, at most %d are run",
			folderOf(test), len(paths), maxSaved)
	}
	return paths, nil
}

// parseSavedFailure reads a saved failure, and makes the subject of its scenario. name is that of the file in
// errors.
func parseSavedFailure(name string, data []byte, decode scenarios.Decode, kind string) (
	*savedFailure, error) {
	s := &savedFailure{}
	head, scenario, found := bytes.Cut(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")),
		[]byte(documentMark))
	if !found {
		return nil, fmt.Errorf("%s: there is no line --- between seed and scenario", name)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(head, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(doc.Content) == 0 {
		return nil, fmt.Errorf("%s: there is no seed above the line ---", name)
	}
	if err := scenarios.DecodeNode(name, doc.Content[0], s); err != nil {
		return nil, err
	}
	above := bytes.Repeat([]byte("\n"), bytes.Count(head, []byte("\n"))+2) // errors have the right lines
	var err error
	s.scenario, s.subject, err = scenarios.Parse(name, append(above, scenario...),
		scenarios.Kinds{kind: decode})
	return s, err
}

// shown is how a path is written for people: as seen from the folder of the package.
func shown(path string) string {
	if short, err := filepath.Rel(startDir, path); err == nil {
		return filepath.ToSlash(short)
	}
	return path
}

// errUnfit is what to do about a file that cannot be run.
var errUnfit = errors.New("this saved failure no longer fits its test: correct the file, or delete it if " +
	"it is of no use any longer")

// write writes the failure into the folder of a test.
func (s *savedFailure) write(test, why string) (path string, err error) {
	var out bytes.Buffer
	why, _, _ = strings.Cut(why, "\n")
	fmt.Fprintf(&out, savedHead, test, strings.Map(printable, why))
	head, err := s.head()
	if err != nil {
		return "", fmt.Errorf("writing the failure: %w", err)
	}
	scenario, err := scenarios.Marshal(s.scenario)
	if err != nil {
		return "", err
	}
	out.Write(bytes.TrimRight(head, "\n"))
	out.WriteString(documentMark)
	out.Write(scenario)
	path = filepath.Join(folderOf(test), s.name())
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", fmt.Errorf("writing the failure: %w", err)
	}
	return path, os.WriteFile(path, out.Bytes(), 0o644)
}

// printable replaces characters that could end a comment.
func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return '?'
}

// head is the first document of the file.
func (s *savedFailure) head() ([]byte, error) {
	node, err := strictyaml.Encode(s)
	if err != nil {
		return nil, err
	}
	return strictyaml.Format(node)
}

// name is the name of the file: a failure with other faults or draws has another one.
func (s *savedFailure) name() string {
	hash := fnv.New32a()
	text, _ := scenarios.Marshal(s.scenario) // it was written before
	_, _ = fmt.Fprintf(hash, "%s%v", text, s.Overrides)
	return fmt.Sprintf("seed-%d-%08x.yaml", s.Seed, hash.Sum32())
}

// save writes a failing run as a file that go test runs first from then on, where -sim.save asks for it.
func (c *trial) save(s *savedFailure, why string) {
	c.t.Helper()
	switch {
	case !*flagSave || c.saved != nil || fuzzing():
		return
	case c.byOne:
		c.t.Logf("-sim.save: simtest.One runs no saved failures; save the scenario yourself")
		return
	}
	if why == "" {
		why = "the verdict is " + c.run.Verdict().String()
	}
	path, err := s.write(c.testOf(), why)
	if err != nil {
		c.t.Errorf("-sim.save: %v", err)
		return
	}
	c.t.Logf("saved as %s: commit it, and go test runs it first", shown(path))
}

// asSavedFailure is the trial's run as a failure to save, as it is.
func (c *trial) asSavedFailure() (*savedFailure, string) {
	s := &savedFailure{Seed: c.seed, Overrides: c.overrides, scenario: c.scenario.WithNemesisOf(c.run)}
	for _, v := range c.run.Verdicts {
		if v.Validity != linearizability.Valid {
			return s, v.Checker + ": " + v.Summary
		}
	}
	return s, ""
}
