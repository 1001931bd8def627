package store

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

// TestQuickFormsAreThoseOfClients: what clients ask and get most is read without encoding/json.
func TestQuickFormsAreThoseOfClients(t *testing.T) {
	for _, r := range []Request{
		{ID: "c0-1", Op: "write", Path: "a", Data: []byte("x")}, {ID: "2", Op: "cas", Path: "a/b", Expect: 3},
		{ID: "3", Op: "rename", Path: "a", To: "b", Retry: true, Since: 4}, {ID: "4", Op: OpRead, Local: true},
	} {
		got, ok := quickRequest(r.Encode())
		require.True(t, ok, "%s", r.Encode())
		require.Equal(t, &r, got)
	}
	for _, r := range []Response{
		{}, {ID: "2", Code: tree.RevisionMismatch, Message: "not so", Actual: 4},
		{ID: "3", OK: true, Revision: 7, Remembered: true}, {ID: "3", OK: true, Entry: &EntryInfo{Path: "a",
			Kind: KindFile, Size: 3, Created: 7, Mod: 9, Writer: 2, MtimeMS: 5, Data: []byte("abc")}},
	} {
		got, ok := quickResponse(r.Encode())
		require.True(t, ok, "%s", r.Encode())
		require.Equal(t, &r, got)
	}
}

// FuzzQuickForms: whatever is read without encoding/json, encoding/json reads in the same way.
func FuzzQuickForms(f *testing.F) {
	for _, r := range someRequests() {
		f.Add(r.Encode())
	}
	for _, r := range someResponses() {
		f.Add(r.Encode())
	}
	for _, text := range []string{
		`{}`, `{"id":"1"`, `{"id":"1"}}`, `{"id":"1","id":"2"}`, `{"id":"1",}`, `{,"id":"1"}`, `{"id":"a\u0041"}`,
		`{"id":"1" }`, `{"id":"é"}`, `{"id":"1","op":"write","data":"eA"}`, `{"id":"1","data":"eA=="}`, `{"data":""}`,
		`{"expect":01}`, `{"expect":-1}`, `{"expect":1.5}`, `{"expect":1e3}`, `{"expect":999999999999999999}`,
		`{"expect":18446744073709551616}`, `{"local":false}`, `{"ok":false,"revision":0}`, `{"ok":tru}`, `{"entry":{}}`,
		`{"entry":{"path":"a","path":"b"}}`, `{"entry":{"path":"a"}"more":true}`, `{"entry":{"writer":4294967296}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if r, ok := quickRequest(data); ok {
			var want Request
			require.NoError(t, strictJSON(data, &want), "%s", data)
			require.Equal(t, &want, r)
		}
		if r, ok := quickResponse(data); ok {
			var want Response
			require.NoError(t, strictJSON(data, &want), "%s", data)
			require.Equal(t, &want, r)
		}
	})
}
