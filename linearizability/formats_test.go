package linearizability_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	lin "github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history/formats"
)

// TestFormats checks files of every format and shows the verdict with what was decided while reading. The
// input of a command is the file; end=none leaves out the last line end.
//
//	check model=NAME [initial=JSON|any] [failed=MEANING] [end=none]
func TestFormats(t *testing.T) {
	datadriven.Walk(t, "testdata/formats", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			require.Equal(t, "check", d.Cmd)
			return checkText(t, d)
		})
	})
}

func checkText(t *testing.T, d *datadriven.TestData) string {
	text, model, opts := d.Input+"\n", "", []lin.Option(nil)
	for _, arg := range d.CmdArgs {
		value := strings.Join(arg.Vals, ",")
		switch arg.Key {
		case "model":
			model = value
		case "initial":
			opts = append(opts, lin.WithInitial(json.RawMessage(value)))
			if value == "any" {
				opts = append(opts, lin.WithAnyInitial())
			}
		case "failed":
			failed, err := formats.ParseFailureMeaning(value)
			require.NoError(t, err)
			opts = append(opts, lin.WithFailed(failed))
		case "end":
			text = d.Input
		default:
			d.Fatalf(t, "unknown argument %s", arg.Key)
		}
	}
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	report, err := lin.CheckFile(context.Background(), path, model, opts...)
	if err != nil {
		problem := strings.ReplaceAll(err.Error(), path, "FILE")
		problem, _, _ = strings.Cut(problem, "; formats that are read")
		return "error: " + problem + "\n"
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%s", report.Validity)
	if report.Reason != "" {
		fmt.Fprintf(&out, ": %s", report.Reason)
	}
	fmt.Fprintln(&out)
	for _, detail := range report.Verdict().Details {
		fmt.Fprintf(&out, "  %s\n", detail)
	}
	return out.String()
}

// TestErrorNamesAllFormats: whoever has a file that is not read learns which ones are.
func TestErrorNamesAllFormats(t *testing.T) {
	for _, text := range []string{"free text\n", `{"a":1}`, "{:a 1}", `[{"type":"invoke"}]`,
		`{"ClientId":1}`} {
		path := filepath.Join(t.TempDir(), "file")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		_, err := lin.CheckFile(context.Background(), path, "register")
		require.ErrorIs(t, err, formats.ErrUnreadable, text)
		require.ErrorContains(t, err, "line 1", text)
		for _, about := range formats.List() {
			require.ErrorContains(t, err, about, text)
		}
	}
}

// TestCutAnywhereIsNeverValid cuts valid files of each format at every byte. Only a cut between two events,
// which nothing shows, may leave a valid history.
func TestCutAnywhereIsNeverValid(t *testing.T) {
	whole := map[string]string{
		"own": `{"i":0,"t":1,"p":0,"type":"invoke","f":"write","v":12}` + "\n" +
			`{"i":1,"t":2,"p":0,"type":"ok","f":"write"}` + "\n",
		"lines": `{"process":0,"type":"invoke","f":"write","value":12}` + "\n" +
			`{"process":0,"type":"ok","f":"write"}` + "\n",
		"array": `[{"process":0,"type":"invoke","f":"write","value":12},` + "\n" +
			` {"process":0,"type":"ok","f":"write"}]` + "\n",
		"edn": "{:process 0 :type :invoke :f :write :value 12}\n" +
			"{:process 0 :type :ok :f :write :value 12}\n",
		"vector": "[{:process 0 :type :invoke :f :write :value 12}\n" +
			" {:process 0 :type :ok :f :write :value 12}]\n",
		"list": "({:process 0 :type :invoke :f :write :value 12}\n" +
			" {:process 0 :type :ok :f :write :value 12})\n",
		"text": "0\t:invoke\t:write\t12\n0\t:ok\t:write\t12\n",
		"log": "INFO [w 0] jepsen.util: 0\t:invoke\t:write\t12\n" +
			"INFO [w 0] jepsen.util: 0\t:ok\t:write\t12\n",
	}
	for name, text := range whole {
		path := filepath.Join(t.TempDir(), name)
		for end := 1; end < len(text); end++ {
			require.NoError(t, os.WriteFile(path, []byte(text[:end]), 0o600))
			report, err := lin.CheckFile(context.Background(), path, "register")
			rest := strings.TrimLeft(text[end:], "\n")
			between := rest == "" || rest[0] == '{' || rest[0] == '0' || rest[0] == 'I'
			array := strings.ContainsAny(text[:1], "[(")
			if between && !array {
				continue
			}
			if rest != "" && err == nil {
				require.NotEqual(t, lin.Valid, report.Validity, "%s cut to %q", name, text[:end])
			}
		}
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		report, err := lin.CheckFile(context.Background(), path, "register")
		require.NoError(t, err, name)
		require.Equal(t, lin.Valid, report.Validity, name)
	}
}
