package output

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func table(t *testing.T, s Style) string {
	var out bytes.Buffer
	require.NoError(t, WriteTable(&out, []string{"rule", "comment"},
		[][]string{{"keep", "two\nlines"}, {"größer", ""}}, s))
	return out.String()
}

func TestTables(t *testing.T) {
	require.Equal(t, `+--------+---------+
| rule   | comment |
+========+=========+
| keep   | two     |
|        | lines   |
+--------+---------+
| größer |         |
+--------+---------+
`, table(t, Style{}))
	require.Equal(t, `┌────────┬─────────┐
│ rule   │ comment │
╞════════╪═════════╡
│ keep   │ two     │
│        │ lines   │
├────────┼─────────┤
│ größer │         │
└────────┴─────────┘
`, table(t, Style{UTF8: true}))
	require.Equal(t, "rule   comment\nkeep   two\n       lines\ngrößer \n", table(t, Style{NoBorder: true}))
	require.Equal(t, "keep   two\n       lines\ngrößer \n", table(t, Style{NoBorder: true, NoHeader: true}))
	require.Equal(t, `+--------+---------+
| keep   | two     |
|        | lines   |
+--------+---------+
| größer |         |
+--------+---------+
`, table(t, Style{NoHeader: true}))
	for line := range strings.Lines(table(t, Style{UTF8: true, Columns: 10})) {
		require.Len(t, []rune(line), 11)
	}
}

// TestCellsCannotControlTheTerminal: a comment is written by whoever may write the configuration.
func TestCellsCannotControlTheTerminal(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, WriteTable(&out, []string{"a"}, [][]string{{"\x1b[2Jx\r"}}, Style{}))
	require.NotContains(t, out.String(), "\x1b")
	require.NotContains(t, out.String(), "\r")
}

func TestBordersFollowTheLocale(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want bool
	}{
		{nil, false}, {map[string]string{"LANG": "C"}, false}, {map[string]string{"LANG": "C.UTF-8"}, true},
		{map[string]string{"LANG": "de_DE.utf8@euro"}, true},
		{map[string]string{"LANG": "C.UTF-8", "LC_ALL": "C"}, false},
		{map[string]string{"LANG": "C", "LC_CTYPE": "en_US.UTF-8"}, true},
	} {
		got := Style{}.InTerminal(&bytes.Buffer{}, func(name string) string { return c.env[name] })
		require.Equal(t, Style{UTF8: c.want}, got, "%v", c.env)
	}
}

// TestValues: each format is what Proxmox VE's formatter makes of the value.
func TestValues(t *testing.T) {
	value := []map[string]any{{"rule": "keep", "at": 1_700_000_000, "part": 0.5, "none": []int{},
		"comment": "a <b>",
		"errors":  map[string][]string{"resources": {"a b"}}}}
	for format, want := range map[Format]string{
		JSON: `[{"at":1700000000,"comment":"a <b>","errors":{"resources":["a b"]},"none":[],"part":0.5,"rule":"keep"}]` + "\n",
		JSONPretty: `[
   {
      "at" : 1700000000,
      "comment" : "a <b>",
      "errors" : {
         "resources" : [
            "a b"
         ]
      },
      "none" : [],
      "part" : 0.5,
      "rule" : "keep"
   }
]
`,
		YAML: `---
- at: 1700000000
  comment: a <b>
  errors:
    resources:
    - a b
  none: []
  part: 0.5
  rule: keep
`,
	} {
		var out bytes.Buffer
		require.NoError(t, WriteValue(&out, format, value))
		require.Equal(t, want, out.String(), "%s", format)
	}
	f := Text
	require.ErrorContains(t, f.Set("xml"), "write text, json, json-pretty, yaml")
	require.NoError(t, f.Set("yaml"))
	require.Equal(t, YAML, f)
}
