package jsonvalues_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/linearizability/internal/jsonvalues"
)

// all lists the values as "line:value" and the error that ended them.
func all(text string, oneByte bool) (found []string, err error) {
	var in io.Reader = strings.NewReader(text)
	if oneByte {
		in = iotest.OneByteReader(in)
	}
	r := jsonvalues.NewReader(in)
	for {
		value, line, err := r.Next()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return found, err
		}
		found = append(found, fmt.Sprintf("%d:%s", line, value))
	}
}

func TestValues(t *testing.T) {
	for text, want := range map[string][]string{
		"":                                nil,
		" \n":                             nil,
		"[]":                              nil,
		`{"a":1}`:                         {`1:{"a":1}`},
		"{\"a\":1}\n{\"b\":2}\n":          {`1:{"a":1}`, `2:{"b":2}`},
		`{"a":1}{"b":2}`:                  {`1:{"a":1}`, `1:{"b":2}`},
		"[{\"a\":1},\n\n {\"b\":2}]":      {`1:{"a":1}`, `3:{"b":2}`},
		"\n[\n{\n\"a\":1\n}\n,\n3\n]\n":   {"3:{\n\"a\":1\n}", `7:3`},
		"[[1,2],[]]":                      {`1:[1,2]`, `1:[]`},
		"[{\"a\":\"]\\n\"}]\n[{\"b\":2}]": {`1:{"a":"]\n"}`, `2:{"b":2}`},
	} {
		for _, oneByte := range []bool{false, true} {
			got, err := all(text, oneByte)
			require.NoError(t, err, text)
			require.Equal(t, want, got, text)
		}
	}
}

func TestBadTextNamesTheLine(t *testing.T) {
	for text, want := range map[string]struct {
		err  error
		line string
	}{
		"{\"a\":1}\n{\"b\":":              {jsonvalues.ErrCut, "line 2"},
		"[{\"a\":1}":                      {jsonvalues.ErrCut, "line 1"},
		"[{\"a\":1},\n":                   {jsonvalues.ErrCut, "line"},
		"[{\"a\":1},\n{\"b\":[1":          {jsonvalues.ErrCut, "line 2"},
		"{\"a\":1}\n}":                    {jsonvalues.ErrSyntax, "line 2"},
		"{\"a\":1}\n\n{b:1}":              {jsonvalues.ErrSyntax, "line 3"},
		"{\"a\":1}\nnonsense\n":           {jsonvalues.ErrSyntax, "line 2"},
		strings.Repeat("[1 ", 3):          {jsonvalues.ErrSyntax, "line 1"},
		`"` + strings.Repeat("x", 34<<20): {jsonvalues.ErrLarge, "line 1"},
	} {
		_, err := all(text, false)
		require.ErrorIs(t, err, want.err, "%.40s", text)
		require.ErrorContains(t, err, want.line, "%.40s", text)
	}
}

func FuzzReader(f *testing.F) {
	f.Add("[{\"a\":1},\n{\"b\":[]}]")
	f.Add("{}{}\n1 \"x\" null")
	f.Add("[1,")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := all(text, false)
		again, errAgain := all(text, true)
		require.Equal(t, got, again)
		require.Equal(t, err == nil, errAgain == nil)
	})
}
