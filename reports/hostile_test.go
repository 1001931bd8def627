package reports_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/reports"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// hostile puts a text everywhere where a run holds one.
func hostile(s string) *scenarios.Run {
	sample := smallSample()
	sample.stale = true
	run := sample.make()
	run.Backend, run.Digest, run.Reproduce = s, s, s
	run.Probes = map[string]int{s: 1}
	sc := run.Scenario
	sc.Name, sc.Story, sc.References = s, s, []string{s, s}
	sc.Machines, sc.Expect.Probes, sc.Expect.Verdict = []string{s, s, s}, []string{s + "2"}, s
	sc.Subject.Value = map[string]any{"kind": s, s: s}
	for i := range run.Events {
		e := &run.Events[i]
		e.F, e.Key, e.Error, e.ID, e.Node, e.Value = s, s, s, s, s, jsonOf(s)
	}
	for i := range run.Verdicts {
		hostileVerdict(&run.Verdicts[i], s)
	}
	run.Applied = append(run.Applied, run.Applied[0], run.Applied[0])
	run.Applied[0].Fault.Groups = [][]string{{s}, {s, s}}
	run.Applied[1].Problem = s
	run.Applied[2].Fault = fault.Fault{Kind: fault.Kind(s), Machines: []string{s}, Process: s, Operation: s}
	for i := range run.Logs {
		run.Logs[i] = scenarios.LogLine{At: run.Logs[i].At, Machine: s, Process: s, Level: s, Text: s}
	}
	run.Finals[0].Output, run.Finals[0].Op.F, run.Finals[0].Op.Key = []byte(s), s, s
	run.Finals[1].Err = errors.New(s)
	story := scenarios.Timeline{Policy: s, Notes: []string{s}, Lanes: []scenarios.Lane{{Machine: s, Name: s,
		Spans: []scenarios.Span{{To: run.Duration, Text: s, Class: s}}}}}
	run.Subject = sampleSubject{story}
	return run
}

func hostileVerdict(v *linearizability.Verdict, s string) {
	v.Checker, v.Summary, v.Details = s, s, []string{s}
	for i := range v.Violations {
		x := &v.Violations[i]
		x.Kind, x.Explain, x.Nodes = linearizability.Kind(s), s, []string{s}
		for j := range x.Ops {
			hostileOp(&x.Ops[j], s)
		}
		v.Evidence = append(v.Evidence, x.Ops...)
	}
}

func hostileOp(op *history.Operation, s string) {
	op.F, op.Key, op.ID, op.Node, op.Error = s, s, s, s, s
	op.Input, op.Output = jsonOf(s), json.RawMessage(s)
}

// hostileTexts try to leave an attribute, an element, a script, a style, a comment and CDATA.
var hostileTexts = []string{
	`<x-evil onclick="x">`, `"><x-evil x="`, `'><x-evil>`, `</script><x-evil>`, `</style><x-evil>`,
	`</title><x-evil>`,
	`</svg><x-evil>`, `]]><x-evil>`, `--><x-evil>`, `" onmouseover="x-evil`, "`${x}`", `{{.CSS}}`,
	`javascript:alert(1)`,
	"\x00\x01\x1b[31m\xff\xfe\u202e\u2066", strings.Repeat("very-long-name-", 300), "\n\n\r\t", "ﷺ🙂𝕏e\u0301",
	`&lt;x-evil&gt;`, `<!--`, `<![CDATA[`, `</iframe></textarea><x-evil>`, `<svg/onload=x>`,
}

// tag reads one plain tag at the beginning of a page: its name and its attributes' names.
func tag(page string) (name string, length int, err error) {
	bad := fmt.Errorf("no tag: %.60q", page)
	word := func(from int) int {
		end := from
		for end < len(page) && (page[end] == '-' || page[end] >= '0' && page[end] <= '9' ||
			page[end] >= 'a' && page[end] <= 'z' || page[end] >= 'A' && page[end] <= 'Z') {
			end++
		}
		return end
	}
	begin := 1 + len(page[1:min(2, len(page))]) - len(strings.TrimPrefix(page[1:min(2, len(page))], "/"))
	at := word(begin)
	if at == begin {
		return "", 0, bad
	}
	name = page[1:at]
	for at < len(page) {
		switch {
		case page[at] == '>':
			return name, at + 1, nil
		case strings.HasPrefix(page[at:], "/>"):
			return name, at + 2, nil
		case page[at] != ' ' && page[at] != '\n':
			return "", 0, bad
		}
		end := word(at + 1)
		if end == at+1 {
			return "", 0, bad
		}
		name += " " + page[at+1:end]
		if at = end; strings.HasPrefix(page[at:], `="`) {
			close := strings.IndexByte(page[at+2:], '"')
			if close < 0 || strings.Contains(page[at+2:at+2+close], "<") {
				return "", 0, bad
			}
			at += 2 + close + 1
		}
	}
	return "", 0, bad
}

// shape lists the elements and attributes of a page in order. Texts are left out, so that pages
// that differ in texts alone have the same shape. It fails on a "<" that begins no plain tag.
func shape(page string) (tags []string, err error) {
	page = strings.TrimPrefix(page, "<!doctype html>")
	for {
		at := strings.IndexByte(page, '<')
		if at < 0 {
			return tags, nil
		}
		page = page[at:]
		name, length, err := tag(page)
		if err != nil {
			return nil, err
		}
		tags = append(tags, name)
		page = page[length:]
		if name == "script" || name == "style" {
			end := strings.Index(page, "</"+name+">")
			if end < 0 {
				return nil, errors.New("unclosed " + name)
			}
			page = page[end:]
		}
	}
}

// known are all elements, with their attributes, that a page is made of.
func known(t testing.TB) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	withPicture := reports.Options{Picture: func(*scenarios.Run) ([]byte, error) { return []byte("x"), nil }}
	longTexts := hostile(strings.Repeat("abc ", 40))
	for _, run := range []*scenarios.Run{smallSample().make(), hostile("plain"), longTexts} {
		for _, o := range []reports.Options{{}, withPicture} {
			tags, err := shape(pageOf(t, o, run))
			require.NoError(t, err)
			require.Greater(t, len(tags), 200)
			for _, tag := range tags {
				out[tag] = true
			}
		}
	}
	return out
}

func checkHostile(t testing.TB, known map[string]bool, s string) {
	t.Helper()
	run := hostile(s)
	o := reports.Options{Picture: func(*scenarios.Run) ([]byte, error) { return []byte(s), nil },
		Scenario: func(*scenarios.Scenario) ([]byte, error) { return []byte(s), nil }}
	page := pageOf(t, o, run)
	tags, err := shape(page)
	require.NoError(t, err)
	for _, tag := range tags {
		require.True(t, known[tag], "an element that no page has: %q", tag)
	}
	require.False(t, strings.Contains(page, "ZgotmplZ"),
		"the template met a value in a place that it cannot make safe")

	var picture bytes.Buffer
	require.NoError(t, reports.SVG(&picture, run))
	for dec := xml.NewDecoder(&picture); ; {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			break
		} else {
			require.NoError(t, err)
		}
	}
	require.NoError(t, reports.Text(io.Discard, run, s))
}

func TestHostileTexts(t *testing.T) {
	all := known(t)
	for _, s := range hostileTexts {
		checkHostile(t, all, s)
	}
}

// The check above must be able to fail.
func TestShapeSeesInjection(t *testing.T) {
	all := known(t)
	for _, evil := range []string{"<x-evil>", `<p onclick="x">`, `<p <b>`, "<script src=\"x\"></script>"} {
		tags, err := shape(strings.Replace(pageOf(t, reports.Options{}, smallSample().make()), "<main",
			evil+"<main", 1))
		bad := err != nil
		for _, tag := range tags {
			bad = bad || !all[tag]
		}
		require.True(t, bad, evil)
	}
}

func FuzzPage(f *testing.F) {
	for _, s := range hostileTexts {
		f.Add(s)
	}
	all := known(f)
	f.Fuzz(func(t *testing.T, s string) { checkHostile(t, all, s) })
}
