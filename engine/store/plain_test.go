package store

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Strings that are written without encoding/json, and some that are not.
var (
	plainWords = []string{"", "a", "ha/lock", "read", "c1-17"}
	oddWords   = []string{"<", "&", "ä", "\"", "\\", "\n", "\x7f", "\xff", "\u2028"}
)

// TestPlainIsWhatJSONWrites: both ways of writing give the same bytes, and both ways of reading the same
// values.
func TestPlainIsWhatJSONWrites(t *testing.T) {
	plain := map[string]int{}
	note := func(what string, text []byte) {
		if text != nil {
			plain[what]++
		}
	}
	words := rapid.SampledFrom(plainWords)
	entry := rapid.Custom(func(t *rapid.T) EntryInfo {
		return EntryInfo{Path: words.Draw(t, "path"), Kind: words.Draw(t, "kind"),
			Size: rapid.Int().Draw(t, "size"), Created: rapid.Uint64().Draw(t, "created"),
			MtimeMS: rapid.Int64().Draw(t, "mtime"), Data: rapid.SliceOf(rapid.Byte()).Draw(t, "data")}
	})
	rapid.Check(t, func(t *rapid.T) {
		words = rapid.SampledFrom(plainWords)
		if rapid.Bool().Draw(t, "odd words too") {
			words = rapid.SampledFrom(append(plainWords[:len(plainWords):len(plainWords)], oddWords...))
		}
		req := rapid.Make[Request]().Draw(t, "request")
		for _, text := range []*string{&req.ID, &req.Op, &req.Path, &req.To, &req.Chain, &req.After,
			&req.Incarnation} {
			*text = words.Draw(t, "text")
		}
		note("request", plainRequest(&req))
		require.Equal(t, string(mustJSON(&req)), string(req.Encode()))
		requireSameRequest(t, mustJSON(&req))

		resp := Response{ID: words.Draw(t, "id"), OK: rapid.Bool().Draw(t, "ok"),
			Revision: rapid.Uint64().Draw(t, "revision"), Message: words.Draw(t, "message"),
			Remembered: rapid.Bool().Draw(t, "remembered"),
			Entries:    rapid.SliceOfN(entry, 0, 3).Draw(t, "entries"), More: rapid.Bool().Draw(t, "more")}
		if rapid.Bool().Draw(t, "has an entry") {
			e := entry.Draw(t, "entry")
			resp.Entry = &e
		}
		note("response", plainResponse(&resp))
		require.Equal(t, string(mustJSON(&resp)), string(resp.Encode()))
		requireSameResponse(t, mustJSON(&resp))
	})
	require.NotZero(t, plain["request"])
	require.NotZero(t, plain["response"])
}

// requireSameRequest requires that what is read without encoding/json is what it would read.
func requireSameRequest(t require.TestingT, data []byte) {
	if got := readPlainRequest(data); got != nil {
		want := &Request{}
		require.NoError(t, strictJSON(data, want))
		require.Equal(t, want, got)
	}
}

func requireSameResponse(t require.TestingT, data []byte) {
	if got := readPlainResponse(data); got != nil {
		want := &Response{}
		require.NoError(t, strictJSON(data, want))
		require.Equal(t, want, got)
	}
}

// TestPlainRequestsOfClientsAreRead: the requests that clients send most are not left to encoding/json.
func TestPlainRequestsOfClientsAreRead(t *testing.T) {
	for _, r := range someRequests() {
		if r.From < 1<<32 { // larger numbers are as rare as they are long
			require.NotNil(t, readPlainRequest(mustJSON(&r)), string(mustJSON(&r)))
		}
	}
	require.NotNil(t, readPlainResponse(
		[]byte(`{"id":"1","ok":true,"revision":7,"entry":{"path":"a","kind":"file",`+
			`"size":1,"created":3,"mod":7,"writer":2,"mtime_ms":12,"data":"eA=="}}`)))
	for _, odd := range []string{`{}x`, `{"id": "1"}`, `{"op":"read","id":"1"}`,
		`{"id":"1","id":"2"}`, `{"id":null}`,
		`{"id":"\u0061"}`, `{"id":"1","limit":01}`, `{"id":"1","limit":1.0}`, `{"id":"1","node":4294967296}`,
		`{"id":"1","data":"x"}`, `{"id":"1","from":18446744073709551615}`, `,"id":"1"}`,
		`{,"id":"1"}`, `{"id":"1"`,
		`{"id":"1","nope":1}`, ``, `null`} {
		require.Nil(t, readPlainRequest([]byte(odd)), odd)
	}
}

// FuzzPlain: what is read without encoding/json is what it reads, in any text.
func FuzzPlain(f *testing.F) {
	for _, r := range someRequests() {
		f.Add(mustJSON(&r))
	}
	for _, r := range someResponses() {
		f.Add(mustJSON(&r))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		requireSameRequest(t, data)
		requireSameResponse(t, data)
		if len(data) > 2 { // near what was written, but for one place
			changed := bytes.Clone(data)
			changed[int(data[0])%len(data)] ^= data[1] & 31
			requireSameRequest(t, changed)
			requireSameResponse(t, changed)
		}
	})
}
