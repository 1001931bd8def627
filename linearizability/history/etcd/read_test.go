package etcd_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/history/etcd"
	"github.com/holdfast-sim/holdfast/linearizability/internal/jsonvalues"
)

const txnResult = `{"Txn":{"Failure":false,"Results":[{}]},"Revision":4}`

func operation(input, output string) string {
	return `{"ClientId":2,"Input":` + input + `,"Call":10,"Output":` + output + `,"Return":20}`
}

func txn(conditions, success, failure string) string {
	return `{"Type":"txn","Txn":{"Conditions":[` + conditions + `],"OperationsOnSuccess":[` + success +
		`],"OperationsOnFailure":[` + failure + `]}}`
}

func TestRequests(t *testing.T) {
	const (
		put     = `{"Type":"put-operation","Put":{"Key":"a","Value":{"Value":"x"}}}`
		leased  = `{"Type":"put-operation","Put":{"Key":"a","Value":{"Value":"x"},"LeaseID":7}}`
		long    = `{"Type":"put-operation","Put":{"Key":"a","Value":{"Hash":99}}}`
		remove  = `{"Type":"delete-operation","Delete":{"Key":"a"}}`
		get     = `{"Type":"range-operation","Range":{"Start":"a"}}`
		atFive  = `{"Key":"a","ExpectedRevision":5}`
		other   = `{"Key":"b","ExpectedRevision":5}`
		failure = `{"Txn":{"Failure":true,"Results":[{}]},"Revision":4}`
		lost    = `{"Error":"timeout"}`
	)
	for name, test := range map[string]struct {
		text    string
		f       string
		outcome history.Type
		in, out string
		expect  uint64
	}{
		"put": {operation(txn("", put, ""), txnResult), "write", history.OK, `"x"`, "", 0},
		"long value": {operation(txn("", long, ""), txnResult), "write", history.OK,
			`{"hash":99}`, "", 0},
		"delete": {operation(txn("", remove, ""), txnResult), "delete", history.OK, "", "", 0},
		"conditional delete": {operation(txn(atFive, remove, get), failure), "delete",
			history.Fail, "", "", 0},
		"cas":         {operation(txn(atFive, put, get), txnResult), "cas", history.OK, `"x"`, "", 5},
		"refused cas": {operation(txn(atFive, put, get), failure), "cas", history.Fail, `"x"`, "", 5},
		"other key's version": {operation(txn(other, put, get), txnResult), "write",
			history.OK, `"x"`, "", 0},
		"unknown":   {operation(txn("", put, ""), lost), "write", history.Info, `"x"`, "", 0},
		"persisted": {operation(txn("", put, ""), `{"Persisted":true}`), "write", history.Info, `"x"`, "", 0},
		"read": {operation(`{"Type":"range","Range":{"Start":"a"}}`,
			`{"Range":{"KVs":[{"Key":"a","Value":{"Value":"x"},"ModRevision":3}]},"Revision":1}`), "read",
			history.OK, "",
			`"x"`, 0},
		"absent": {operation(`{"Type":"range","Range":{"Start":"a"}}`, `{"Range":{"KVs":[]},"Revision":1}`),
			"read",
			history.OK, "", "", 0},
		"read in a txn": {operation(txn("", get, ""),
			`{"Txn":{"Results":[{"KVs":[{"Key":"a","Value":{"Value":"x"}}]}]},"Revision":1}`), "read",
			history.OK, "", `"x"`, 0},
		"old revision": {operation(`{"Type":"range","Range":{"Start":"a","Revision":3}}`,
			`{"ClientError":"compacted"}`),
			"range", history.Fail, `{"Type":"range","Range":{"Start":"a","Revision":3}}`, "", 0},
		"leased put": {operation(txn("", leased, ""), txnResult), "write", history.OK, `"x"`, "", 0},
	} {
		r, err := etcd.Read(strings.NewReader(test.text))
		require.NoError(t, err, name)
		require.Len(t, r.Ops, 1, name)
		op := r.Ops[0]
		require.Equal(t, test.f, op.F, name)
		require.Equal(t, test.outcome, op.Outcome, name)
		require.Equal(t, test.in, string(op.Input), name)
		require.Equal(t, test.out, string(op.Output), name)
		require.Equal(t, test.expect, op.Expect, name)
		require.Equal(t, op.Outcome == history.Info, op.Return == history.Never, name)
	}
}

func TestWhatIsMissing(t *testing.T) {
	put := func(lease, revision string) string {
		return operation(txn("", `{"Type":"put-operation","Put":{"Key":"a","Value":{"Value":"x"},"LeaseID":`+
			lease+`}}`, ""),
			`{"Txn":{"Results":[{}]},"Revision":`+revision+`}`)
	}
	revoke := operation(`{"Type":"leaseRevoke","LeaseRevoke":{"LeaseID":7}}`, `{"Revision":3}`)
	grant := operation(`{"Type":"leaseGrant","LeaseGrant":{"LeaseID":7}}`, `{"Revision":1}`)
	both := operation(
		txn("", `{"Type":"put-operation","Put":{"Key":"a"}},{"Type":"put-operation","Put":{"Key":"b"}}`, ""),
		`{"Txn":{"Results":[{},{}]},"Revision":2}`)
	for text, want := range map[string]string{
		put("0", "2"):                     "",
		put("0", "2") + put("0", "3"):     "",
		put("0", "3"):                     "revision 3",
		put("0", "2") + grant + revoke:    "",
		put("7", "2") + grant + revoke:    "end a lease",
		both:                              "several keys",
		put("0", "2") + "\n{\"ClientId\"": "line 2",
	} {
		r, err := etcd.Read(strings.NewReader(text))
		require.NoError(t, err, text)
		if want == "" {
			require.Empty(t, r.Missing, text)
		} else {
			require.Contains(t, r.Missing, want, text)
		}
	}
}

func TestBadOperationsNameTheLine(t *testing.T) {
	good := operation(txn("", `{"Type":"put-operation","Put":{"Key":"a"}}`, ""), txnResult) + "\n"
	for text, want := range map[string]error{
		`{"Input":{"Type":"range"},"Call":1}`:              etcd.ErrOperation,
		`{"ClientId":1,"Call":1}`:                          etcd.ErrOperation,
		`{"ClientId":1,"Input":{"Type":"range"},"Call":1}`: etcd.ErrOperation,
		`{"ClientId":1,"Input":{"Type":"dance"},"Call":1}`: etcd.ErrOperation,
		`{"ClientId":1,"Input":{"Type":"txn","Txn":{}}}`:   etcd.ErrOperation,
		`[1]`: etcd.ErrOperation,
		`{1}`: jsonvalues.ErrSyntax,
		strings.Replace(good, `"Return":20`, `"Return":2`, 1):     etcd.ErrOperation,
		operation(`{"Type":"range","Range":{"Start":"a"}}`, `{}`): etcd.ErrOperation,
		operation(txn("", `{"Type":"put-operation"}`, ""), `{}`):  etcd.ErrOperation,
	} {
		_, err := etcd.Read(strings.NewReader(good + text))
		require.ErrorIs(t, err, want, text)
		require.ErrorContains(t, err, "line 2", text)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(operation(txn(`{"Key":"a"}`, `{"Type":"put-operation","Put":{"Key":"a"}}`,
		`{"Type":"range-operation"}`), txnResult))
	f.Add(operation(`{"Type":"range","Range":{"Start":"a"}}`,
		`{"Range":{"KVs":[{"Value":{"Hash":1},"ModRevision":3}]}}`))
	f.Add(operation(`{"Type":"leaseRevoke"}`, `{"Error":"x"}`))
	f.Fuzz(func(t *testing.T, text string) {
		r, err := etcd.Read(strings.NewReader(text))
		if err != nil {
			return
		}
		for i, op := range r.Ops {
			require.Equal(t, int64(i), op.Index)
			require.LessOrEqual(t, op.Call, op.Return)
		}
	})
}
