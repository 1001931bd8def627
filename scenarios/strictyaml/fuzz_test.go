package strictyaml_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/scenarios/strictyaml"
)

// FuzzParse: no file makes Parse or Decode panic, every problem names a place in the file, and a value
// that was read is the same after it was written and read again.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"", "a", "- 1", "text: x\ncount: 255\n", "{below: {wait: 1s, on: true}}",
		"each: {a: {wait: 2s}, b.c: {wait: 1m}}\nlist: [1, -2]\n", "text: |\n  two\n  lines\n",
		"text: \"\\x1b\\r\"",
		"list: []", "count: 0x10", "text: !own x", "a: &a 1\nb: *a\n", "? [a]\n: 1\n", "a: 1\n---\nb: 2\n",
		"\xff",
		"text: ~", "text: 'it''s'", "list:\n- 1\n-  2\n", "<<: {text: x}", "text: x # a comment"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := strictyaml.Parse("f.yaml", data)
		if err != nil {
			requirePlaces(t, err)
			return
		}
		var read outer
		if err := strictyaml.Decode("f.yaml", n, &read); err != nil {
			requirePlaces(t, err)
			return
		}
		again := encodedAndDecoded(t, read)
		require.Equal(t, withoutEmpty(read), again)
	})
}

// requirePlaces fails unless every problem in err names the file, a line, a column and a text.
func requirePlaces(t *testing.T, err error) {
	t.Helper()
	var problems strictyaml.Problems
	require.True(t, errors.As(err, &problems), "%T: %v", err, err)
	require.NotEmpty(t, problems)
	for _, p := range problems {
		require.Equal(t, "f.yaml", p.File)
		require.Positive(t, p.Line, p.Text)
		require.Positive(t, p.Column, p.Text)
		require.NotEmpty(t, p.Text)
	}
}

// encodedAndDecoded writes a value as the text of a file and reads that.
func encodedAndDecoded(t *testing.T, value outer) outer {
	t.Helper()
	n, err := strictyaml.Encode(value)
	require.NoError(t, err)
	text, err := strictyaml.Format(n)
	require.NoError(t, err)
	back, err := strictyaml.Parse("again.yaml", text)
	require.NoError(t, err, "%s", text)
	var again outer
	require.NoError(t, strictyaml.Decode("again.yaml", back, &again), "%s", text)
	return again
}

// withoutEmpty replaces empty collections by nil: Encode leaves both out.
func withoutEmpty(o outer) outer {
	if len(o.List) == 0 {
		o.List = nil
	}
	if len(o.Each) == 0 {
		o.Each = nil
	}
	return o
}

// FuzzParseDuration: no text makes ParseDuration panic, what it reads matches DurationPattern and lies
// within MaxDuration, and FormatDuration writes a text that reads as the same duration.
func FuzzParseDuration(f *testing.F) {
	for _, text := range []string{"", "-", "10", "1.5", "250ms", "1m30s", "-3h", "1µs", "1μs", "0s", "-0",
		"+1s",
		".5s", "1.s", "1e3s", "1000h", "1000h1ns", "9999999999h", "1s-1s", "1h1h"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := strictyaml.ParseDuration(text)
		if err != nil {
			require.Zero(t, d)
			return
		}
		require.Regexp(t, strictyaml.DurationPattern, text)
		require.LessOrEqual(t, d.Abs(), strictyaml.MaxDuration)
		written := strictyaml.FormatDuration(d)
		require.Regexp(t, strictyaml.DurationPattern, written)
		again, err := strictyaml.ParseDuration(written)
		require.NoError(t, err)
		require.Equal(t, d, again, written)
	})
}
