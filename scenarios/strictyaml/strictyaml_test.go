package strictyaml_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/scenarios/strictyaml"
)

func TestLimits(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"bytes":       {"a: " + strings.Repeat("x", strictyaml.MaxFileBytes), "at most 524288 are read"},
		"nodes":       {"a: [" + strings.Repeat("1,", strictyaml.MaxNodes) + "]", "more than 50000 values"},
		"flow depth":  {"a: " + strings.Repeat("[", 5000), "nests deeper than 16 levels"},
		"block depth": {deepBlock(40), "nests deeper than 16 levels"},
		"flow lines":  {"a: " + strings.Repeat("[\n", 5000), "nests deeper than 16 levels"},
		"aliases":     {"a: &a [1]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n", "anchors are not read"},
		"text":        {"a: \xff\xfe", "not UTF-8"},
		"control":     {"a: \x00", "not YAML"},
	} {
		begun := time.Now()
		_, err := strictyaml.Parse("f.yaml", []byte(c.text))
		require.ErrorContains(t, err, c.want, name)
		require.ErrorContains(t, err, "f.yaml:", name)
		require.Less(t, time.Since(begun), 5*time.Second, name)
	}
}

func deepBlock(depth int) string {
	var b strings.Builder
	for i := range depth {
		fmt.Fprintf(&b, "%sa:\n", strings.Repeat(" ", i))
	}
	return b.String()
}

func TestProblemsAreBoundedAndFound(t *testing.T) {
	var many strictyaml.Problems
	for i := range 50 {
		many = append(many, &strictyaml.Problem{File: "f", Line: 50 - i, Column: 1, Text: "wrong"})
	}
	err := fmt.Errorf("reading: %w", many.Err())
	require.Len(t, strings.Split(err.Error(), "\n"), strictyaml.MaxProblems+1)
	require.Contains(t, err.Error(), "and 30 more")
	require.True(t, strings.HasPrefix(err.Error(), "reading: f:1:1: wrong\n"), "in the order of the file")
	var one *strictyaml.Problem
	require.True(t, errors.As(err, &one))
	require.NoError(t, strictyaml.Problems(nil).Err())
}

func TestDurations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(-int64(strictyaml.MaxDuration),
			int64(strictyaml.MaxDuration)).Draw(t, "d"))
		d = d.Round(time.Duration(rapid.SampledFrom([]int64{1, 1e3, 1e6, 1e9, 6e10, 36e11}).Draw(t, "unit")))
		text := strictyaml.FormatDuration(d)
		require.Regexp(t, strictyaml.DurationPattern, text)
		again, err := strictyaml.ParseDuration(text)
		require.NoError(t, err)
		require.Equal(t, d, again)
	})
	for _, text := range []string{"", "10", "-3", "1.5", ".5s", "+1s", "1 s", "s", "1d", "1μs", "1e3s", "0",
		"2000h", "9999999999h", "1s-1s"} {
		_, err := strictyaml.ParseDuration(text)
		require.Error(t, err, "%q", text)
	}
	for text, want := range map[string]string{"120s": "2m", "90m": "1h30m", "0s": "0s", "1500us": "1.5ms",
		"1µs": "1us", "1h0m0s": "1h"} {
		d, err := strictyaml.ParseDuration(text)
		require.NoError(t, err)
		require.Equal(t, want, strictyaml.FormatDuration(d))
	}
}

func TestNearest(t *testing.T) {
	known := []string{"partition", "power-cut", "pause", "kill", "one_way"}
	for word, want := range map[string]string{"partitoin": "partition", "Pause": "pause",
		"power_cut": "power-cut",
		"kil":       "kill", "oneway": "one_way", "earthquake": "", "": "", strings.Repeat("x", 500): ""} {
		require.Equal(t, want, strictyaml.Nearest(word, known), word)
	}
}

type inner struct {
	Wait time.Duration `yaml:"wait"`
	On   bool          `yaml:"on,omitempty"`
}

type outer struct {
	Text  string           `yaml:"text,omitempty"`
	Count uint8            `yaml:"count,omitempty"`
	Below *inner           `yaml:"below,omitempty"`
	Each  map[string]inner `yaml:"each,omitempty"`
	List  []int            `yaml:"list,omitempty,flow"`
}

func TestDecodeIntoAnyStruct(t *testing.T) {
	read := func(text string) (outer, error) {
		n, err := strictyaml.Parse("f", []byte(text))
		require.NoError(t, err)
		var o outer
		return o, strictyaml.Decode("f", n, &o)
	}
	n, err := strictyaml.Parse("f", []byte("{text: x, count: 255, below: {wait: 1s, on: true}, each: {a: "+
		"{wait: 2s}}, list: [1, -2]}"))
	require.NoError(t, err)
	var o outer
	require.NoError(t, strictyaml.Decode("f", n, &o))
	require.Equal(t, outer{Text: "x", Count: 255, Below: &inner{time.Second, true},
		Each: map[string]inner{"a": {Wait: 2 * time.Second}}, List: []int{1, -2}}, o)
	back, err := strictyaml.Encode(o)
	require.NoError(t, err)
	var again outer
	require.NoError(t, strictyaml.Decode("f", back, &again))
	require.Equal(t, o, again)

	for text, want := range map[string]string{
		"count: 256":                  "f:1:8: count: 256 is out of range",
		"count: -1":                   "out of range",
		"below: {on: true}":           "f:1:8: below: wait is missing",
		"each: {a: {wait: 1}}":        `f:1:18: each.a.wait: "1" has no unit`,
		"each: {a: {wait: 1s, o: 1}}": `f:1:22: each.a: unknown key "o"; did you mean "on"?`,
		"list: [1, x]":                "f:1:11: list[1]: this is the text \"x\"",
	} {
		_, err := read(text)
		require.ErrorContains(t, err, want)
	}
	require.Panics(t, func() { _ = strictyaml.Decode("f", n, o) }, "a bug of the caller")
}

func TestFind(t *testing.T) {
	n, err := strictyaml.Parse("f", []byte("a:\n  - b: {c: 1}\n  - d: 2\ne: 3\nf: {n.1: 4, n: 5}\n"))
	require.NoError(t, err)
	for path, want := range map[string]string{"e": "4:4", "a[0].b.c": "2:12", "a[1].d": "3:8",
		"f.n.1": "5:10", "f.n": "5:16"} {
		found, ok := strictyaml.Find(n, path)
		require.True(t, ok, path)
		require.Equal(t, want, fmt.Sprintf("%d:%d", found.Line, found.Column))
	}
	for path, want := range map[string]string{"x": "1:1", "a[7].d": "2:3", "a[0].z": "2:5", "a[": "2:3",
		"[": "1:1", ".": "1:1"} {
		found, ok := strictyaml.Find(n, path)
		require.False(t, ok, path)
		require.Equal(t, want, fmt.Sprintf("%d:%d", found.Line, found.Column), path)
	}
}
