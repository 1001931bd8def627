//go:build unix

package docstest

import (
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
)

// workflow is what the test below understands of a workflow of GitHub Actions.
type workflow struct {
	Env  map[string]string
	Jobs map[string]job
}

type job struct {
	Needs    string
	Strategy struct{ Matrix struct{ Shard []string } }
	Steps    []step
}

type step struct {
	Name, Uses, Run string
	With            map[string]string
}

// runner does what the runner of GitHub Actions does with a job, as far as the workflow needs it.
type runner struct {
	t         *testing.T
	root      string // the checkout
	artifacts string // a folder for each
	temp      string // of the job
	summary   string // the file of the step's summary
	env       map[string]string
	shard     string
	output    strings.Builder
}

// run makes the steps of a job, and returns the exit code of the first step that fails, or 0. Steps after it
// that only store something are made all the same.
func (r *runner) run(j job) (code int) {
	r.temp = r.t.TempDir()
	for _, s := range j.Steps {
		switch action, _, _ := strings.Cut(s.Uses, "@"); {
		case s.Run != "" && code == 0:
			code = r.shell(s.Run)
		case action == "actions/upload-artifact":
			from, name := r.expand(s.With["path"]), r.expand(s.With["name"])
			r.copy(from, filepath.Join(r.artifacts, name))
		case action == "actions/download-artifact":
			r.download(s.With)
		case s.Run != "", action == "actions/checkout", action == "actions/setup-go":
		default:
			r.t.Fatalf("the test does not know the step %q %q", s.Name, s.Uses)
		}
	}
	return code
}

// expand replaces the expressions of a workflow.
func (r *runner) expand(text string) string {
	out := strings.NewReplacer("${{ runner.temp }}", r.temp, "${{ matrix.shard }}", r.shard).Replace(text)
	require.NotContains(r.t, out, "${{", "an expression that the test does not know")
	return out
}

// shell runs the commands of a step as the runner does on Linux.
func (r *runner) shell(commands string) int {
	cmd := exec.Command("bash", "-e", "-c", r.expand(commands))
	cmd.Dir = r.root
	cmd.Env = append(os.Environ(), "GITHUB_ACTIONS=true", "GITHUB_STEP_SUMMARY="+r.summary,
		"RUNNER_TEMP="+r.temp)
	for name, value := range r.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.CombinedOutput()
	r.output.Write(out)
	if err != nil {
		require.IsType(r.t, &exec.ExitError{}, err)
	}
	return cmd.ProcessState.ExitCode()
}

func (r *runner) download(with map[string]string) {
	to := r.expand(with["path"])
	if with["name"] != "" {
		r.copy(filepath.Join(r.artifacts, with["name"]), to)
		return
	}
	all, err := os.ReadDir(r.artifacts)
	require.NoError(r.t, err)
	for _, a := range all {
		if matches, err := path.Match(with["pattern"], a.Name()); err == nil && matches {
			r.copy(filepath.Join(r.artifacts, a.Name()), filepath.Join(to, a.Name()))
		}
	}
}

// copy copies a file, or the content of a folder, without permissions and links, as artifacts have none.
func (r *runner) copy(from, to string) {
	require.NoError(r.t, filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(name, from))
		if name == from {
			target = filepath.Join(to, filepath.Base(from))
		}
		data, err := os.ReadFile(name)
		require.NoError(r.t, err)
		require.NoError(r.t, os.MkdirAll(filepath.Dir(target), 0o755))
		return os.WriteFile(target, data, 0o600)
	}))
}

// TestWorkflow runs the steps of the workflow in docs/ci.md with fewer scenarios and seeds: once where all
// runs are valid, and once with a scenario that expects a violation which does not show.
func TestWorkflow(t *testing.T) {
	thorough.Only(t, "building the program and two small campaigns take some seconds of processor time")
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("needs bash: " + err.Error())
	}
	_, docs := documents(t)
	root, err := filepath.Abs(filepath.Join("..", "..", ".."))
	require.NoError(t, err)
	var file workflow
	for _, b := range blocks(docs["docs/ci.md"]) {
		if b.Language == "yaml" {
			require.NoError(t, yaml.Unmarshal([]byte(b.Text()), &file))
		}
	}
	require.Len(t, file.Jobs, 3)
	failing := filepath.Join(t.TempDir(), "fails.yaml")
	require.NoError(t, os.WriteFile(failing, []byte(failingScenario), 0o600))
	for _, c := range []struct {
		scenarios string
		code      int
		text      string
	}{
		{"register-partition register-crash", 0, "12 runs, 0 failed"},
		{"register-partition " + failing, 1, "12 runs, 6 failed"},
	} {
		dir := t.TempDir()
		r := &runner{t: t, root: root, artifacts: filepath.Join(dir, "artifacts"),
			summary: filepath.Join(dir, "summary.md"),
			env:     map[string]string{"SCENARIOS": c.scenarios, "SEEDS": "1-6", "TIME": file.Env["TIME"]}}
		require.Len(t, file.Env, len(r.env))
		require.Zero(t, r.run(file.Jobs["build"]), r.output.String())
		require.Equal(t, "build", file.Jobs["search"].Needs)
		require.Len(t, file.Jobs["search"].Strategy.Matrix.Shard, 4)
		for _, r.shard = range file.Jobs["search"].Strategy.Matrix.Shard {
			require.Zero(t, r.run(file.Jobs["search"]), r.output.String())
		}
		require.NotContains(t, r.output.String(), "::error", "each failure is annotated once")
		require.Equal(t, "search", file.Jobs["report"].Needs)
		require.Equal(t, c.code, r.run(file.Jobs["report"]), r.output.String())
		require.Contains(t, r.output.String(), c.text)
		summary, err := os.ReadFile(r.summary)
		require.NoError(t, err)
		require.Contains(t, string(summary), c.text)
		require.Equal(t, c.code == 1, strings.Contains(r.output.String(), "::error"), r.output.String())
		junit, err := os.ReadFile(filepath.Join(r.artifacts, "junit", "junit.xml"))
		require.NoError(t, err)
		require.Contains(t, string(junit), `<testsuite name="register-partition" tests="6" failures="0"`)
		page, err := os.ReadFile(filepath.Join(r.artifacts, "page", "campaign.html"))
		require.NoError(t, err)
		linked, err := regexp.Match(`href="\./shards/shard-\d/fails/1/report\.html"`, page)
		require.NoError(t, err)
		require.Equal(t, c.code == 1, linked)
		require.Contains(t, string(page), "Before 12 of the 12")
	}
}

// failingScenario expects what does not happen.
const failingScenario = `name: fails
story: A register of which the scenario expects that it loses what was written, which it does not.
machines: 3
duration: 10s
quiescence: 10s
workload: {clients: 2, operations: 20}
faults:
  - {kind: partition, at: 2s, for: 2s, groups: [[n1]]}
expect: {verdict: invalid}
subject: {kind: register}
`
