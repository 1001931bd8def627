package store

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

func someRequests() []Request {
	return []Request{
		{ID: "1", Op: "write", Path: "a", Data: []byte("x")}, {ID: "2", Op: "cas", Path: "a/b", Expect: 3},
		{ID: "3", Op: "rename", Path: "a", To: "b", Retry: true, Since: 4},
		{ID: "4", Op: OpRead, Local: true},
		{ID: "5", Op: OpDump, After: "a", Limit: 10}, {ID: "6", Op: OpWitness, From: 1 << 63},
		{ID: "7", Op: OpReplaceMember, Node: 3, Incarnation: "000102030405060708090a0b0c0d0e0f"},
		{ID: "8", Op: OpList, Path: "nodes", Deep: true, Local: true},
		{ID: "9", Op: OpList, Names: true}, {ID: "10", Op: OpWatch, Path: "a", Since: 7, Chain: "00ff"},
	}
}

func someResponses() []Response {
	file := EntryInfo{Path: "a/b", Kind: KindFile, Size: 3, Created: 7, Mod: 9, Writer: 2, MtimeMS: -5,
		Data: []byte("abc")}
	return []Response{
		{}, {ID: "1", OK: true, Revision: 1<<64 - 1, Remembered: true, Changed: true},
		{ID: "2", Code: tree.RevisionMismatch, Message: "not so", Actual: 4},
		{ID: "3", OK: true, Entry: &file},
		{ID: "4", OK: true, More: true, Entries: []EntryInfo{file, {Path: "d", Kind: KindDirectory},
			{Kind: "pipe"}}},
		{ID: "4", OK: true, Paths: []string{"a", "", "a/b"}},
		{ID: "5", OK: true, Digest: "d", Chain: "c",
			Log: []LogRecord{{Revision: 2, Epoch: "1.4", Request: "r",
				Op: "write", Path: "p", To: "t", Digest: "d", Chain: "c"}}},
		{ID: "6", OK: true, Status: &Status{Phase: PhaseServing, Reason: "x", Role: RoleVoter, Node: 3,
			Incarnation: "i",
			Ring:        "1.4", Epoch: "1.3", Members: []ring.NodeID{1, 2}, Quorate: true,
			Revision: 4, Pending: 2,
			Config: []MemberStatus{{Node: 1, Votes: 2, Incarnation: "i", Present: "p", Name: "n1",
				VotelessSinceMS: 7}, {}},
			Losses: []LossStatus{{AtMS: 9, From: 35, To: 52, Confirmed: 17, File: "f"}, {}}}},
	}
}

// Both forms say the same.
func TestCompactFormEqualsJSON(t *testing.T) {
	for _, r := range someRequests() {
		viaJSON, err := DecodeRequest(r.Encode())
		require.NoError(t, err)
		compact, err := DecodeCompactRequest(r.EncodeCompact())
		require.NoError(t, err)
		require.Equal(t, viaJSON, compact)
	}
	for _, r := range someResponses() {
		viaJSON, err := DecodeResponse(r.Encode())
		require.NoError(t, err)
		compact, err := DecodeCompactResponse(r.EncodeCompact())
		require.NoError(t, err)
		require.Equal(t, viaJSON, compact)
	}
}

// No field is forgotten when one is added.
func TestCompactCarriesEveryFieldOfARequest(t *testing.T) {
	whole := reflect.TypeFor[Request]()
	for i := range whole.NumField() {
		r := Request{ID: "1", Op: OpList}
		switch f := reflect.ValueOf(&r).Elem().Field(i); f.Kind() {
		case reflect.String:
			f.SetString(OpRead)
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Slice:
			f.SetBytes([]byte("x"))
		case reflect.Int:
			f.SetInt(7)
		default:
			f.SetUint(7)
		}
		got, err := DecodeCompactRequest(r.EncodeCompact())
		require.NoError(t, err)
		require.Equal(t, &r, got, whole.Field(i).Name)
	}
}

func TestCompactSurvivesAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.Make[Response]().Draw(t, "response")
		for i := range want.Entries {
			want.Entries[i].Size = int(int32(want.Entries[i].Size))
		}
		if want.Entry != nil {
			want.Entry.Size = int(int32(want.Entry.Size))
		}
		if want.Status != nil {
			want.Status.Pending = int(int32(want.Status.Pending))
			want.Status.Votes, want.Status.Difference = nil, "" // operators read JSON
		}
		got, err := DecodeCompactResponse(want.EncodeCompact())
		require.NoError(t, err)
		require.Equal(t, string(want.Encode()), string(mustNormal(want, got).Encode()))
	})
}

// mustNormal gives got the empty lists that want has where got has none, which JSON writes
// differently only for a status's members.
func mustNormal(want Response, got *Response) *Response {
	if want.Status != nil && want.Status.Members != nil && got.Status.Members == nil {
		got.Status.Members = []ring.NodeID{}
	}
	return got
}

func TestCompactRefusesEveryCut(t *testing.T) {
	for _, r := range someRequests() {
		data := r.EncodeCompact()
		for cut := range len(data) {
			_, err := DecodeCompactRequest(data[:cut])
			require.ErrorIs(t, err, ErrBadRequest)
		}
		_, err := DecodeCompactRequest(append(data, 0))
		require.ErrorIs(t, err, ErrBadRequest)
	}
	for _, r := range someResponses() {
		data := r.EncodeCompact()
		for cut := range len(data) {
			_, err := DecodeCompactResponse(data[:cut])
			require.ErrorIs(t, err, ErrBadCompact)
		}
		_, err := DecodeCompactResponse(append(data, 0))
		require.ErrorIs(t, err, ErrBadCompact)
	}
}

func TestCompactRequestsHaveTheLimitsOfJSON(t *testing.T) {
	for name, r := range map[string]Request{
		"no id":             {Op: OpRead},
		"long id":           {ID: strings.Repeat("x", MaxRequestIDBytes+1), Op: OpRead},
		"unknown operation": {ID: "1", Op: "fly"},
		"limit":             {ID: "1", Op: OpList, Limit: MaxPageEntries + 1},
		"negative limit":    {ID: "1", Op: OpList, Limit: -1},
		"after":             {ID: "1", Op: OpList, After: strings.Repeat("x", tree.MaxPathBytes+1)},
		"too large":         {ID: "1", Op: "write", Path: "a", Data: make([]byte, MaxRequestBytes)},
		"incarnation":       {ID: "1", Op: OpReplaceMember, Incarnation: "zz"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := DecodeCompactRequest(r.EncodeCompact())
			require.ErrorIs(t, err, ErrBadRequest)
		})
	}
}

// What was read stays when the message's memory is used again.
func TestCompactDecodingDoesNotAliasTheMessage(t *testing.T) {
	for _, r := range someRequests() {
		data := r.EncodeCompact()
		got, err := DecodeCompactRequest(data)
		require.NoError(t, err)
		clear(data)
		require.Equal(t, &r, got)
	}
	for _, r := range someResponses() {
		data := r.EncodeCompact()
		got, err := DecodeCompactResponse(data)
		require.NoError(t, err)
		clear(data)
		require.Equal(t, &r, got)
	}
}

// FuzzCompactRequest: whatever is accepted is written back byte for byte and keeps its bounds.
func FuzzCompactRequest(f *testing.F) {
	for _, r := range someRequests() {
		f.Add(r.EncodeCompact())
	}
	f.Add([]byte{compactRequest})
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := DecodeCompactRequest(data)
		if err != nil {
			require.ErrorIs(t, err, ErrBadRequest)
			return
		}
		require.Equal(t, data, r.EncodeCompact())
		require.NoError(t, r.check())
	})
}

// FuzzCompactResponse: whatever is accepted is written back byte for byte.
func FuzzCompactResponse(f *testing.F) {
	for _, r := range someResponses() {
		f.Add(r.EncodeCompact())
	}
	f.Add([]byte{compactResponse, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := DecodeCompactResponse(data)
		if err != nil {
			require.ErrorIs(t, err, ErrBadCompact)
			return
		}
		require.Equal(t, data, r.EncodeCompact())
	})
}

// TestUninitializedKeepsItsBytes: the constant has another name than the encoded form has had from the
// beginning.
func TestUninitializedKeepsItsBytes(t *testing.T) {
	r := Response{ID: "1", OK: true, Status: &Status{Role: RoleUninitialized, Members: []ring.NodeID{}}}
	require.Contains(t, string(r.Encode()), `"role":"unborn"`)
	viaJSON, err := DecodeResponse(r.Encode())
	require.NoError(t, err)
	require.Equal(t, RoleUninitialized, viaJSON.Status.Role)
	require.Contains(t, string(r.EncodeCompact()), "unborn")
	compact, err := DecodeCompactResponse(r.EncodeCompact())
	require.NoError(t, err)
	require.Equal(t, RoleUninitialized, compact.Status.Role)
}
