package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
)

// foreign is a program of another module, built as its users build it.
type foreign struct {
	t       *testing.T
	dir     string // of the module
	program string
}

// TestForeignModule gives a module of its own, with a subject of 50 lines and a main of ten, every
// command. The module is testdata/notes; a copy is built, because building completes its go.mod.
func TestForeignModule(t *testing.T) {
	thorough.Only(t, "building programs of another module takes most of a minute")
	f := buildForeign(t, "testdata/notes")

	out, _ := f.run(0, "run", "calm")
	require.Contains(t, out, "VALID  calm, seed 1, sim")
	require.Contains(t, out, "reproduce: "+f.program+" run calm --seed 1\n")

	out, _ = f.run(1, "run", "scenarios/killed.yaml", "--seeds", "4")
	require.Regexp(t, `killed: 4 seeds: \d valid, [1-4] not, 0 unknown`, out)
	again := lastLine(out)
	require.Regexp(t, `^`+regexp.QuoteMeta(f.program)+` run scenarios/killed\.yaml --seed [1-4]$`, again)
	out, _ = f.run(1, strings.Fields(again)[1:]...)
	require.Contains(t, out, "INVALID (expected valid)  killed")

	out, _ = f.run(1, "campaign", "calm:1-40", "killed:1-10", "--workers", "2", "--junit", "report.xml")
	require.Regexp(t, `(?m)^calm +40 +40 +0`, out)
	require.Regexp(t, `(?m)^reproduce: `+regexp.QuoteMeta(f.program)+` run killed --seed \d+$`, out)
	report, err := os.ReadFile(filepath.Join(f.dir, "report.xml"))
	require.NoError(t, err)
	require.Contains(t, string(report), `<testsuite name="calm" tests="40" failures="0"`)

	out, problems := f.run(0, "replay", "runs/calm/1")
	require.Contains(t, out, "VALID  calm")
	require.Empty(t, problems, "the digest is the recorded one")
	out, _ = f.run(0, "check", "runs/calm/1")
	require.Contains(t, out, "valid\n")
	out, _ = f.run(1, "check", "runs/killed/latest")
	require.Contains(t, out, "invalid\n")

	out, _ = f.run(0, "scenario", "list")
	require.Regexp(t, `^calm +notes +Nothing goes wrong\nkilled +notes +`, out)
	require.NotContains(t, out, "foreign", "its subject is another program's")
	out, _ = f.run(0, "scenario", "lint", "calm", "killed")
	require.Equal(t, "2 files OK\n", out)
	out, _ = f.run(1, "scenario", "lint", "scenarios")
	require.Contains(t, out, `scenarios/foreign.yaml:5:17: subject.kind: unknown subject "something-else"`)
	out, _ = f.run(0, "scenario", "schema")
	require.Contains(t, out, `"notes"`)
	out, _ = f.run(0, "doctor")
	require.Contains(t, out, "yes  simulator")
	_, problems = f.run(254, "run", "calm", "--on", "netns")
	require.Contains(t, problems, "mine: --on netns: no such backend in this program")
	out, _ = f.run(0, "--version")
	require.Regexp(t, `^mine version .*, holdfast `, out)

	// Through "go run" the program is in a folder that is removed afterwards.
	cmd := exec.Command("go", "run", "./cmd/mine", "run", "calm", "--seed", "3")
	cmd.Dir, cmd.Env = f.dir, f.env()
	text, err := cmd.Output()
	require.NoError(t, err)
	require.Contains(t, string(text), "reproduce: go run ./cmd/mine run calm --seed 3\n")
}

// buildForeign copies a module, completes it from the module cache and builds its command.
func buildForeign(t *testing.T, module string) *foreign {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("needs the go tool: " + err.Error())
	}
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	f := &foreign{t: t, dir: t.TempDir()}
	require.NoError(t, os.CopyFS(f.dir, os.DirFS(module)))
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(f.dir, "go.sum"), sums, 0o600))
	f.program = "./mine"
	if runtime.GOOS == "windows" {
		f.program += ".exe"
	}
	f.goTool("mod", "edit", "-replace", modulePath+"="+root)
	f.goTool("build", "-o", f.program, "./cmd/mine")
	return f
}

// env is the environment of the go tool: it may complete go.mod, from the module cache.
func (f *foreign) env() []string { return append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off") }

func (f *foreign) goTool(args ...string) {
	f.t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Env = f.dir, f.env()
	out, err := cmd.CombinedOutput()
	require.NoError(f.t, err, "go %v: %s", args, out)
}

// run runs the program in the module's folder and returns what it printed.
func (f *foreign) run(code int, args ...string) (stdout, stderr string) {
	f.t.Helper()
	cmd := exec.Command(f.program, args...)
	cmd.Path, cmd.Err = filepath.Join(f.dir, f.program), nil
	cmd.Dir = f.dir
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	err := cmd.Run()
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) {
		require.NoError(f.t, err)
	}
	require.Equal(f.t, code, cmd.ProcessState.ExitCode(), fmt.Sprintf("%v\n%s%s", args, &out, &problems))
	return out.String(), problems.String()
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
