package reports_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/reports"
	"github.com/holdfast-sim/holdfast/scenarios"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// golden compares with a file of testdata.
func golden(t *testing.T, file, got string) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *rewrite {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "make it with: go test ./reports -rewrite")
	require.Equal(t, strings.ReplaceAll(string(want), "\r\n", "\n"), got,
		"if the change is meant, write it anew: go test ./reports -rewrite")
}

func text(t *testing.T, run *scenarios.Run, page string) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, reports.Text(&out, run, page))
	return out.String()
}

func TestTextGolden(t *testing.T) {
	golden(t, "valid.txt", text(t, smallSample().make(), "runs/minority-partition/42/report.html"))
	s := smallSample()
	s.stale = true
	golden(t, "invalid.txt", text(t, s.make(), "runs/minority-partition/42/report.html"))
}

func TestTextEndsWithTheCommand(t *testing.T) {
	for _, stale := range []bool{false, true} {
		s := smallSample()
		s.stale = stale
		run := s.make()
		lines := strings.Split(strings.TrimSuffix(text(t, run, "x"), "\n"), "\n")
		require.Equal(t, "reproduce: "+run.Reproduce, lines[len(lines)-1])
	}
}

func TestTextSaysWhatIsUnusual(t *testing.T) {
	run := smallSample().make()
	run.Applied[0].Problem = "this kernel has no\nsuch thing"
	run.Scenario.Expect.Verdict = "invalid"
	out := text(t, run, "")
	require.Contains(t, out, "VALID (expected invalid)")
	require.Contains(t, out, `NOT APPLIED: this kernel has no\nsuch thing`)
	require.NotContains(t, out, "page:")

	run.Verdicts = []linearizability.Verdict{{Checker: "store", Validity: linearizability.Invalid,
		Summary: "s"}}
	require.Contains(t, text(t, run, ""), "INVALID (as expected)")
	run.Verdicts = nil
	require.Contains(t, text(t, run, ""), "UNKNOWN (expected invalid)")
	require.Contains(t, text(t, run, ""), "nothing was checked")
}

func TestTextIsBounded(t *testing.T) {
	s := largeSample()
	s.stale = true
	run := s.make()
	v := &run.Verdicts[0].Violations[0]
	for len(v.Ops) < 50 {
		v.Ops = append(v.Ops, v.Ops[0])
	}
	for range 100 {
		run.Applied = append(run.Applied, run.Applied[0])
	}
	out := text(t, run, "")
	require.Less(t, strings.Count(out, "\n"), 45)
	require.Contains(t, out, "and 42 more\n")
	require.Contains(t, out, "and 95 more\n")
}

func TestTextEscapes(t *testing.T) {
	run := smallSample().make()
	evil := "x\x1b]0;owned\x07\ny"
	run.Verdicts[0].Summary, run.Verdicts[0].Checker, run.Reproduce = evil, evil, evil
	run.Scenario.Name, run.Applied[0].Fault.Groups[0][0] = evil, evil
	out := text(t, run, evil)
	require.NotContains(t, out, "\x1b")
	require.NotContains(t, out, "\x07")
	require.Equal(t, strings.Count(text(t, smallSample().make(), "p"), "\n"), strings.Count(out, "\n"))
}

func TestTextColors(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, reports.TextOptions{Color: true}.Text(&out, smallSample().make()))
	require.Contains(t, out.String(), "\x1b[1;32mVALID\x1b[0m")
}

func TestSummarizeWithoutScenario(t *testing.T) {
	s := reports.Summarize(&scenarios.Run{Duration: time.Second})
	require.Equal(t, "unnamed", s.Scenario)
	require.Equal(t, linearizability.Unknown, s.Verdict)
}

// TestVerdictOfAnotherSystem: a run without settings of its configuration is not plainly valid, in the text,
// in the summary and on the page.
func TestVerdictOfAnotherSystem(t *testing.T) {
	run := smallSample().make()
	subject := run.Subject.(sampleSubject)
	for _, name := range []string{"quorum.two_node", "quorum.device", "ring1_addr", "more"} {
		subject.story.NotCarriedOut = append(subject.story.NotCarriedOut,
			scenarios.NotCarriedOut{Setting: name, File: "corosync.conf", Line: 7, Effect: "nothing"})
	}
	subject.story.NotCarriedOut = append(subject.story.NotCarriedOut,
		scenarios.NotCarriedOut{Setting: "logging.debug", Effect: "nothing", Minor: true})
	run.Subject = subject
	got := text(t, run, "")
	require.True(t, strings.HasPrefix(got,
		"VALID, BUT WITHOUT quorum.two_node, quorum.device, ring1_addr and 1 more  "), got)
	require.Contains(t, got, "  quorum.device (corosync.conf:7) is not carried out: nothing\n")
	require.Contains(t, got, "not carried out either:\n  logging.debug is not carried out: nothing\n")
	require.Len(t, reports.Summarize(run).NotCarriedOut, 5)
	html := pageOf(t, reports.Options{}, run)
	require.Contains(t, html, "BUT WITHOUT quorum.two_node")
	require.Contains(t, html, "<li>quorum.device (corosync.conf:7) is not carried out: nothing</li>")
}
