package docstest

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"

	"github.com/holdfast-sim/holdfast/reports"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/library"
	"github.com/holdfast-sim/holdfast/scenarios/pve"
	"github.com/holdfast-sim/holdfast/sim"
)

var update = flag.Bool("update", false, "write pasted outputs and the picture anew")

func sorted(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

func place(name string, line int) string { return fmt.Sprintf("%s:%d: ", name, line+1) }

const (
	root       = "../../.." // of the module, from here
	firstStory = "minority-partition"
	picture    = "docs/run.svg"
	// maxPictureBytes keeps the picture small enough to be loaded with the page that shows it.
	maxPictureBytes = 150_000
)

// pasted is an output in a document: the block of text that follows a command.
type pasted struct {
	document, command string
	// run runs the command and returns its output as it must be pasted.
	run func(t *testing.T) string
}

var outputs = []pasted{
	{"README.md", "go run ./cmd/holdfast run " + firstStory, firstCommand},
	{"docs/models.md", "go run ./cmd/holdfast check --help", checkHelp},
	{"docs/tutorial.md", "PAIR_TAKEOVER=1 go test -run TestPair ./sim/simtest -sim.seed=6 -sim.shrink=30s",
		smallPair},
	{"docs/testing-your-own-system.md", "KEEPER_HASTY=1 go test -run TestKeeper ./sim/simtest -sim.seed=8",
		hastyKeeper},
}

// TestPastedOutputs compares pasted outputs with those of the commands: words and digests exactly, but no
// other numbers, because times differ from machine to machine.
func TestPastedOutputs(t *testing.T) {
	for i, p := range outputs {
		if i > 0 && !thorough.On() && !*update {
			t.Logf("only the first of %d outputs is compared: make thorough compares all", len(outputs))
			break
		}
		file := filepath.Join(root, p.document)
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		at := strings.Index(string(data), p.command)
		require.GreaterOrEqual(t, at, 0, "%s: no %s", p.document, p.command)
		begin := at + strings.Index(string(data[at:]), "```text\n") + len("```text\n")
		end := begin + strings.Index(string(data[begin:]), "```")
		got := p.run(t)
		if *update {
			text := string(data[:begin]) + got + string(data[end:])
			require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
			continue
		}
		want, anew := string(data[begin:end]), "%s: paste anew with: go test ./cmd/internal/docstest -update"
		require.Equal(t, shape(want), shape(got), anew, p.document)
		require.Equal(t, hexDigits.FindAllString(want, -1), hexDigits.FindAllString(got, -1),
			anew, p.document)
	}
}

var (
	hexDigits = regexp.MustCompile(`\b[0-9a-f]{64}\b`)
	numbers   = regexp.MustCompile(`[0-9][0-9.  ]*(ms|µs|ns)?`)
)

// shape is a text without its numbers.
func shape(text string) string {
	return numbers.ReplaceAllString(hexDigits.ReplaceAllString(text, "#"), "0")
}

func command(t *testing.T, environment string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), environment)
	var out bytes.Buffer
	cmd.Stdout = &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String()
}

// firstCommand runs the first command of the README, with another folder for runs.
func firstCommand(t *testing.T) string {
	dir := t.TempDir()
	out := command(t, "HOLDFAST=1", "go", "run", "./cmd/holdfast", "run", firstStory, "--runs", dir)
	page := regexp.MustCompile(`(?m)^page: (.*)$`).FindStringSubmatch(out)
	require.NotNil(t, page, out)
	require.FileExists(t, page[1])
	require.True(t, strings.HasPrefix(out, "VALID"), out)
	out = strings.ReplaceAll(out, filepath.ToSlash(dir), "runs")
	return strings.ReplaceAll(strings.ReplaceAll(out, dir, "runs"), " --runs runs", "")
}

// checkHelp returns the list of models from the help text.
func checkHelp(t *testing.T) string {
	out := command(t, "HOLDFAST=1", "go", "run", "./cmd/holdfast", "check", "--help")
	begin, end := strings.Index(out, "Models, and"), strings.Index(out, "\nUsage:")
	require.True(t, 0 < begin && begin < end, out)
	return out[begin:end]
}

var search = regexp.MustCompile(`(?m)^ +\d+ operations, \d+ checked by search in .*\n`)

func hastyKeeper(t *testing.T) string {
	out := command(t, "KEEPER_HASTY=1", "go", "test", "-run", "TestKeeper", "./sim/simtest", "-sim.seed=8")
	require.Contains(t, out, "FAIL")
	out, _, _ = strings.Cut(search.ReplaceAllString(out, ""), "FAIL\n")
	return out
}

// smallPair is what is left of a failing run of the pair, as a file.
func smallPair(t *testing.T) string {
	out := command(t, "PAIR_TAKEOVER=1", "go", "test", "-run", "TestPair", "./sim/simtest", "-sim.seed=6",
		"-sim.shrink=30s")
	_, small, found := strings.Cut(out, "left after ")
	require.True(t, found, out)
	small, _, found = strings.Cut(small, "            expect:")
	require.True(t, found, out)
	lines := strings.Split("left after "+small, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimPrefix(line, "            ")
	}
	return strings.Join(lines, "\n")
}

// TestTheTutorialIsOneFile: a reader copies it into a module of their own.
func TestTheTutorialIsOneFile(t *testing.T) {
	cmd := exec.Command("go", "vet", "./sim/simtest/pair_test.go")
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func TestPicture(t *testing.T) {
	file := filepath.Join(root, picture)
	if *update {
		data, err := library.Get(firstStory)
		require.NoError(t, err)
		s, subject, err := scenarios.Parse(library.FileName(firstStory), data,
			scenarios.Kinds{pve.Kind: pve.Decode})
		require.NoError(t, err)
		run, err := sim.Runner{}.Run(context.Background(), s, subject, scenarios.RunOptions{Seed: 1})
		require.NoError(t, err)
		var b bytes.Buffer
		require.NoError(t, reports.SVG(&b, run))
		require.NoError(t, os.WriteFile(file, b.Bytes(), 0o644))
	}
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Less(t, len(data), maxPictureBytes)
	require.Contains(t, string(data), firstStory+", seed 1: valid")
	for d := xml.NewDecoder(bytes.NewReader(data)); ; {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
	}
}
