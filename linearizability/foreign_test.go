package linearizability_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	lin "github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/models"
)

// done is an operation that ended ok.
func done(f, in, out string, call, ret int64) history.Operation {
	o := history.Operation{Index: call, Process: int(call), F: f, Call: call, Return: ret,
		Outcome: history.OK}
	if in != "" {
		o.Input = json.RawMessage(in)
	}
	if out != "" {
		o.Output = json.RawMessage(out)
	}
	return o
}

func ended(o history.Operation, as history.Type) history.Operation {
	o.Outcome = as
	if as == history.Info {
		o.Return = history.Never
	}
	return o
}

func judge(t testing.TB, model, initial string, ops ...history.Operation) *lin.Report {
	t.Helper()
	m, err := models.ByName(model, json.RawMessage(initial))
	require.NoError(t, err)
	report, err := lin.Check(context.Background(), m, &lin.History{Ops: ops})
	require.NoError(t, err)
	return report
}

// No model calls a history right that holds a function which it does not know, alone or beside its own.
func TestForeignFunctionsAreUnknown(t *testing.T) {
	own := map[string]string{
		"append-log": `{"process":0,"type":"invoke","f":"append","value":1,"time":1}
{"process":0,"type":"ok","f":"append","rev":1,"time":2}`,
		"bank": `{"process":0,"type":"invoke","f":"read","time":1}
{"process":0,"type":"ok","f":"read","value":{"0":1},"time":2}`,
		"counter": `{"process":0,"type":"invoke","f":"add","value":1,"time":1}
{"process":0,"type":"ok","f":"add","time":2}`,
		"fifo-queue": `{"process":0,"type":"invoke","f":"enqueue","value":1,"time":1}
{"process":0,"type":"ok","f":"enqueue","time":2}`,
		"kv": `{"process":0,"type":"invoke","f":"put","value":"a","time":1}
{"process":0,"type":"ok","f":"put","time":2}`,
		"lease": `{"process":0,"type":"invoke","f":"acquire","time":1}
{"process":0,"type":"ok","f":"acquire","time":2}`,
		"register": `{"process":0,"type":"invoke","f":"write","value":1,"time":1}
{"process":0,"type":"ok","f":"write","time":2}`,
		"list-append": `{"process":0,"type":"invoke","f":"txn","value":[["append","x",1],["r","x",null]],"time":1}
{"process":0,"type":"ok","f":"txn","value":[["append","x",1],["r","x",[1]]],"time":2}`,
		"rw-register": `{"process":0,"type":"invoke","f":"txn","value":[["w","x",1],["r","x",null]],"time":1}
{"process":0,"type":"ok","f":"txn","value":[["w","x",1],["r","x",1]],"time":2}`,
		"set": `{"process":0,"type":"invoke","f":"add","value":1,"time":1}
{"process":0,"type":"ok","f":"add","time":2}`,
		"single-runner": `{"process":0,"type":"invoke","f":"start","node":"n1","time":1}
{"process":0,"type":"ok","f":"start","time":2}`,
		"store": `{"process":0,"type":"invoke","f":"write","key":"a","value":1,"time":1}
{"process":0,"type":"ok","f":"write","rev":1,"mod":1,"time":2}`,
	}
	for model, same := range map[string]string{"cas-register": "register", "mutex": "lease", "locks": "lease",
		"unordered-queue": "fifo-queue", "versioned-kv": "register"} {
		own[model] = own[same]
	}
	const foreign = `
{"process":-1,"type":"info","f":"partition","time":3}
{"process":1,"type":"invoke","f":"frobnicate","value":1,"time":4}
{"process":1,"type":"ok","f":"frobnicate","time":5}
`
	path := filepath.Join(t.TempDir(), "h.jsonl")
	check := func(model, text string) *lin.Report {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		report, err := lin.CheckFile(context.Background(), path, model)
		require.NoError(t, err, model)
		return report
	}
	for _, model := range lin.ModelNames() {
		require.NotEmpty(t, own[model], "give model %s a history", model)
		report := check(model, own[model]+foreign)
		require.Equal(t, lin.Unknown, report.Validity, model)
		require.Regexp(t, "operations (have|of) functions that", report.Reason)
		require.Contains(t, report.Reason, "frobnicate (1); it knows ", model)

		require.Equal(t, lin.Unknown, check(model, foreign[1:]).Validity, model)
		require.Equal(t, lin.Valid, check(model, own[model]+"\n").Validity, model)
		require.Equal(t, 1, check(model, own[model]+"\n").Stats.Checked, model)
	}
}

// A foreign operation may explain any later answer, and none before its call.
func TestForeignFunctionsExplainWhatComesLater(t *testing.T) {
	stale := []history.Operation{done("write", "1", "", 10, 20), done("write", "2", "", 30, 40),
		done("read", "", "1", 50, 60)}
	for name, c := range map[string]struct {
		foreign history.Operation
		want    lin.Validity
	}{
		"before":          {done("merge", "1", "", 1, 2), lin.Unknown},
		"during the read": {done("merge", "1", "", 55, 58), lin.Unknown},
		"behind":          {done("merge", "1", "", 61, 62), lin.Invalid},
		"failed":          {ended(done("merge", "1", "", 1, 2), history.Fail), lin.Invalid},
		"unknown outcome": {ended(done("merge", "1", "", 1, 2), history.Info), lin.Unknown},
	} {
		report := judge(t, "register", "", append(stale[:len(stale):len(stale)], c.foreign)...)
		require.Equal(t, c.want, report.Validity, name)
		if c.want == lin.Unknown {
			require.Empty(t, report.Violations)
			require.Contains(t, report.Verdict().Summary,
				"1 of 4 operations have functions that model register does "+
					"not know: merge (1); it knows read, write, cas")
		}
	}
	require.Equal(t, lin.Unknown, judge(t, "register", "", done("wirte", "7", "", 1, 2),
		done("read", "", "7", 3, 4)).Validity)
}

// What a certificate finds in revisions alone stands beside foreign operations; what it finds in contents
// does not.
func TestForeignFunctionsBesideRevisions(t *testing.T) {
	revised := func(o history.Operation, rev, mod uint64) history.Operation {
		o.Key, o.Rev, o.Mod = "a", rev, mod
		return o
	}
	foreign := done("compact", "", "", 1, 2)
	twice := []history.Operation{foreign, revised(done("write", "1", "", 3, 4), 1, 1),
		revised(done("write", "2", "", 5, 6), 1, 1)}
	report := judge(t, "store", "", twice...)
	require.Equal(t, lin.Invalid, report.Validity)
	require.Equal(t, lin.DuplicateRevision, report.Violations[0].Kind)
	content := []history.Operation{foreign, revised(done("write", "1", "", 3, 4), 1, 1),
		revised(done("read", "", "2", 5, 6), 1, 1)}
	require.Equal(t, lin.Unknown, judge(t, "store", "", content...).Validity)
	require.Equal(t, lin.Invalid, judge(t, "store", "", content[1:]...).Validity)
}

func TestForeignFunctionsOfLocks(t *testing.T) {
	held := []history.Operation{done("acquire", "", "", 10, 20), done("acquire", "", "", 30, 40)}
	require.Equal(t, lin.Invalid, lin.CheckLocks(held).Validity)
	require.Equal(t, lin.Invalid, lin.CheckLocks(append(held, done("steal", "", "", 41, 42))).Validity)
	verdict := lin.CheckLocks(append(held, done("steal", "", "", 25, 42)))
	require.Equal(t, lin.Unknown, verdict.Validity)
	require.Contains(t, verdict.Summary, "check locks does not know: steal (1)")
	require.Equal(t, lin.Unknown, lin.CheckLocks([]history.Operation{done("release", "", "", 1, 2)}).Validity)
	require.Equal(t, lin.Unknown, lin.CheckSingleRunner([]history.Operation{done("migrate", "", "",
		1, 2)}).Validity)
}

// A model of another team declares what it leaves out on purpose; without a declaration its roles decide.
func TestDeclaredFunctions(t *testing.T) {
	m := &models.Model{
		Name: "ping",
		Model: porcupine.Model{Init: func() any { return 0 },
			Step: func(state, _, _ any) (bool, any) { return true, state }},
		Role: func(op *history.Operation) models.Role {
			if op.F == "ping" && op.Outcome == history.OK {
				return models.Observation
			}
			return models.Ignored
		},
		Decode: func(op *history.Operation, _ models.Call) (models.Call, error) { return op, nil },
	}
	check := func(ops ...history.Operation) lin.Validity {
		report, err := lin.Check(context.Background(), m, &lin.History{Ops: ops})
		require.NoError(t, err)
		return report.Validity
	}
	ping, sleep := done("ping", "", "", 1, 2), done("sleep", "", "", 3, 4)
	require.Equal(t, lin.Valid, check(ping, ended(ping, history.Fail)))
	require.Equal(t, lin.Unknown, check(ping, sleep))
	m.Functions = []models.Function{{Name: "ping"}, {Name: "sleep", Unjudged: true}}
	require.Equal(t, lin.Valid, check(ping, sleep))
	require.Equal(t, lin.Unknown, check(sleep), "nothing was checked")
	require.Equal(t, lin.Unknown, check(ended(ping, history.Fail)), "nothing was checked")
	m.Functions = []models.Function{}
	require.Equal(t, lin.Valid, check(ping), "what a model judges it knows")
}
