package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/library"
	"github.com/holdfast-sim/holdfast/scenarios/register"
)

// TestMain offers four programs to the scripts: holdfast with the toy register and the library in the
// simulator, one whose only backend does what its seed says, one with a subject and nothing else, and
// one without any subject.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"holdfast": func() {
			Main(Config{Name: "holdfast", Version: "v0-test",
				Kinds:   []Kind{{Name: register.Kind, Decode: register.Decode}},
				Library: library.Files()})
		},
		"puppet": func() {
			Main(Config{Kinds: []Kind{{Name: register.Kind, Decode: register.Decode, Topology: twoMachines}},
				Library: library.Files(),
				Backends: []Backend{{Name: "stage", About: "does what its seed says", Runner: puppet{},
					RealTime: true,
					CleanUp:  func() ([]string, error) { return []string{"r1"}, nil }}},
				Suites: []Suite{{Name: "ha", About: "fails folders named bad", Run: conform}},
				Doctor: func(context.Context) []Capability {
					return []Capability{{Name: "moon", Detail: "out of reach", Remedy: "build a rocket"}}
				}})
		},
		"bare": func() {
			Main(Config{Kinds: []Kind{{Name: register.Kind, Decode: register.Decode}}})
		},
		"empty": func() { Main(Config{}) },
	})
}

// puppet is a runner in which seed 2 is invalid, 3 unknown, 4 no run at all, 5 lasts until it is
// interrupted, 6 gives another digest each time, and all others are valid.
type puppet struct{}

var played int

func (puppet) Run(ctx context.Context, s *scenarios.Scenario, subject scenarios.Subject,
	o scenarios.RunOptions) (*scenarios.Run, error) {
	played++
	if _, err := s.Scaled(o.Timescale); err != nil {
		return nil, err
	}
	if o.Progress != nil {
		o.Progress(scenarios.Progress{Phase: "faults", At: time.Second, End: s.End()})
	}
	run := &scenarios.Run{Scenario: s, Subject: subject, Seed: o.Seed, Backend: "stage", Duration: s.End(),
		Digest: "d1"}
	v := linearizability.Verdict{Checker: "puppet", Validity: linearizability.Valid,
		Summary: "as the seed says"}
	if s.Name == "canary" {
		v.Validity = linearizability.Invalid // as from every runner that works
		if os.Getenv("PUPPET_IS_BLIND") != "" {
			v.Validity = linearizability.Valid
		}
		run.Verdicts = []linearizability.Verdict{v}
		return run, nil
	}
	switch o.Seed {
	case 2:
		v.Validity = linearizability.Invalid
	case 3:
		v.Validity = linearizability.Unknown
	case 4:
		return nil, errors.New("the stage is on fire")
	case 5:
		if err := os.WriteFile("started", nil, 0o644); err != nil {
			return nil, err
		}
		<-ctx.Done()
		return nil, context.Cause(ctx)
	case 6:
		run.Digest = fmt.Sprintf("d%d", played)
	}
	run.Verdicts = []linearizability.Verdict{v}
	return run, nil
}

// twoMachines takes the names of two machines from the lines of a file.
func twoMachines(s *scenarios.Scenario, file string, data []byte) error {
	names := strings.Fields(string(data))
	if len(names) != 2 {
		return fmt.Errorf("%s:1:1: this file names %d machines; name 2", file, len(names))
	}
	s.Machines, s.Faults = names, nil
	return nil
}

func conform(_ context.Context, folders []string, o SuiteOptions) (linearizability.Validity, error) {
	for _, folder := range folders {
		fmt.Fprintln(o.Out, folder)
		o.Progress(folder)
		if folder == "bad" {
			return linearizability.Invalid, nil
		}
	}
	return linearizability.Valid, nil
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"append":  appendTo,
			"exits":   exits,
			"paste":   paste,
			"waitfor": waitFor,
		},
		Condition: func(name string) (bool, error) {
			if name == "thorough" {
				return thorough.On(), nil
			}
			return false, fmt.Errorf("there is no condition %q", name)
		},
	})
}

// exits runs a program and checks its exit code: exits CODE PROGRAM ARGS...
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	var failed *exec.ExitError
	switch err := ts.Exec(args[1], args[2:]...); {
	case errors.As(err, &failed):
		code = failed.ExitCode()
	default:
		ts.Check(err)
	}
	if code != want {
		ts.Fatalf("exit code %d, expected %d", code, want)
	}
}

// appendTo writes a text behind a file's end, without an end of line: append FILE TEXT.
func appendTo(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: append FILE TEXT")
	}
	path := ts.MkAbs(args[0])
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	ts.Check(err)
	_, err = file.WriteString(args[1])
	ts.Check(errors.Join(err, file.Close()))
}

// paste runs the last line that a program printed, as a person would, and checks the exit code:
// paste CODE stdout|stderr
func paste(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: paste CODE stdout|stderr")
	}
	lines := strings.Split(strings.TrimSpace(ts.ReadFile(args[1])), "\n")
	last := strings.TrimPrefix(strings.TrimSpace(lines[len(lines)-1]), "reproduce: ")
	exits(ts, false, append([]string{args[0]}, strings.Fields(last)...))
}

// waitFor waits until a program has made a file: waitfor FILE.
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitfor FILE")
	}
	for range 600 {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("%s did not appear", args[0])
}
