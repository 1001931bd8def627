package simtest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/holdfast-sim/holdfast/scenarios"
)

// savedRuns is which saved failures of a test were run; a test may call Run for several scenarios.
type savedRuns struct {
	mu     sync.Mutex
	byTest map[string]*testFiles
}

// testFiles are the files of one test.
type testFiles struct {
	paths []string
	names []string // of the scenarios of the test
	fits  map[string]bool
}

var savedOf savedRuns

// registerTest returns the files of a test, and notes that it has a scenario of a name. At the test's end it
// complains about files whose scenario has another name than all of the test's.
func (r *savedRuns) registerTest(t *testing.T, scenario string) (*testFiles, error) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	files := r.byTest[t.Name()]
	if files == nil {
		paths, err := savedFiles(t.Name())
		if err != nil || len(paths) == 0 {
			return &testFiles{}, err
		}
		if r.byTest == nil {
			r.byTest = map[string]*testFiles{}
		}
		files = &testFiles{paths: paths, fits: map[string]bool{}}
		r.byTest[t.Name()] = files
		t.Cleanup(func() { r.conclude(t, files) })
	}
	files.names = append(files.names, scenario)
	return files, nil
}

func (r *savedRuns) conclude(t *testing.T, files *testFiles) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.byTest, t.Name())
	for _, path := range files.paths {
		if !files.fits[path] {
			t.Errorf("%s: its scenario has the name of none of this test's (%s)\n%v", shown(path),
				strings.Join(slices.Compact(files.names), ", "), errUnfit)
		}
	}
}

// runSavedFailures runs the saved failures of the batch's test, each as a subtest that is named after its
// file.
func (b *batch) runSavedFailures() {
	b.t.Helper()
	parent, ok := b.t.(*testing.T)
	if !ok || *flagSeed != "" {
		return
	}
	files, err := savedOf.registerTest(parent, b.scenario.Name)
	if err != nil {
		parent.Errorf("%v", err)
		return
	}
	for _, path := range files.paths {
		s, err := b.readSavedFailure(path)
		if err == nil && s.scenario.Name != b.scenario.Name {
			continue
		}
		files.fits[path] = true // or it is complained about now
		parent.Run(filepath.Base(path), func(t *testing.T) {
			t.Helper()
			if err != nil {
				t.Fatalf("%v\n%v", err, errUnfit)
			}
			s.judge(t, b.opts)
		})
	}
}

// runSavedOf runs the saved failures of a fuzz test, which has no subtests.
func runSavedOf(f *testing.F, s *scenarios.Scenario, subject scenarios.Subject, opts []Option) {
	f.Helper()
	paths, err := savedFiles(f.Name())
	if err != nil {
		f.Errorf("%v", err)
	}
	b := batch{t: f, scenario: s, subject: subject, opts: opts}
	for _, path := range paths {
		failure, err := b.readSavedFailure(path)
		if err == nil && failure.scenario.Name != s.Name {
			err = fmt.Errorf("%s: its scenario is %s, and that of the test %s", shown(path),
				failure.scenario.Name, s.Name)
		}
		if err != nil {
			f.Errorf("%v\n%v", err, errUnfit)
			continue
		}
		f.Logf("saved failure %s", shown(path))
		failure.judge(f, opts)
	}
}

// readSavedFailure reads a saved failure with the subject of the batch.
func (b *batch) readSavedFailure(path string) (*savedFailure, error) {
	trial := newTrial(b.t, b.scenario, b.subject, 0, b.opts)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading a saved failure: %w", err)
	}
	return parseSavedFailure(shown(path), data, trial.subjectOf, b.scenario.Subject.Kind)
}

// judge runs a saved failure.
func (s *savedFailure) judge(t TB, opts []Option) {
	t.Helper()
	trial := newTrial(t, s.scenario, s.subject, s.Seed, opts)
	trial.saved, trial.overrides = s, s.Overrides
	trial.judge()
}

// skipWithoutVerdict skips the test of a saved failure whose run has no verdict: what is left of a
// failure is often too little to show that a correct system is right.
func (c *trial) skipWithoutVerdict() {
	c.t.Helper()
	text := describe(c.run, "valid") +
		"\nthe saved failure is not seen again, and its run is too small to show more"
	if t, ok := c.t.(*testing.T); ok {
		t.Skip(text)
	}
	c.t.Logf("%s", text)
}
