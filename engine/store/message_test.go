package store

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/state"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

func someConfig() *state.Config {
	return &state.Config{Genesis: state.GenesisID{9}, Version: 2, LogKeep: 5,
		Members: []state.Member{{Node: 1, Votes: 1, Incarnation: state.Incarnation{1}}, {Node: 3, Votes: 2}}}
}

func someMessages() []message {
	return []message{
		&report{Incarnation: state.Incarnation{1}, Epoch: ring.ID{Seq: 4, Rep: 1},
			Mark: state.Mark{Revision: 3}, Config: someConfig(),
			Peers: []state.PeerMark{{Node: 2, Incarnation: state.Incarnation{2},
				Epoch: ring.ID{Seq: 4, Rep: 1}, Revision: 3}, {Node: 3, Incarnation: state.Incarnation{3}}}},
		&decide{Members: []ring.NodeID{1, 3}, Source: 1, Epoch: ring.ID{Seq: 4, Rep: 1},
			Mark: state.Mark{Revision: 3}},
		&decide{Members: []ring.NodeID{1}, Source: 1, Genesis: true},
		&fetch{Target: 2, Mark: state.Mark{Revision: 3}, Genesis: state.GenesisID{9}},
		&command{state.Command{Request: "r", Op: tree.Op{Kind: tree.CAS, Path: "a/b", Data: []byte("x"),
			Expect: 4, Writer: 1, MtimeMS: 5}}},
		&command{state.Command{Request: "r", Since: 8, Op: tree.Op{Data: []byte{}},
			Replace: state.Member{Node: 3, Incarnation: state.Incarnation{2}}}},
		&marker{ID: 7},
		&ack{Incarnation: state.Incarnation{1}, Position: 12, Revision: 3},
		&snapshot{Data: []byte("any")},
	}
}

// FuzzMessage: what another store sends is either refused or read as something that is written
// back byte for byte.
func FuzzMessage(f *testing.F) {
	for _, m := range someMessages() {
		f.Add(encodeMessage(m))
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decodeMessage(data)
		if err != nil {
			require.ErrorIs(t, err, state.ErrMalformed)
			return
		}
		require.Equal(t, data, encodeMessage(m))
	})
}

func TestMessagesSurviveTheWire(t *testing.T) {
	for _, m := range someMessages() {
		data := encodeMessage(m)
		got, err := decodeMessage(data)
		require.NoError(t, err)
		require.Equal(t, m, got)
		for cut := range len(data) - 1 {
			if _, isSnapshot := m.(*snapshot); !isSnapshot {
				_, err := decodeMessage(data[:cut])
				require.ErrorIs(t, err, state.ErrMalformed, "%T cut to %d bytes", m, cut)
			}
		}
	}
}

func FuzzFrame(f *testing.F) {
	part := &frame{ringID: ring.ID{Seq: 8, Rep: 2}, messageNumber: 3, pieceIndex: 1, pieceCount: 4,
		piece: []byte("piece")}
	f.Add(part.appendTo(nil))
	f.Add((&frame{ringID: ring.ID{Seq: 8, Rep: 2}, messageNumber: 3, pieceCount: 5000,
		isBulk: true}).appendTo(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		fr, err := decodeFrame(data)
		if err != nil {
			require.ErrorIs(t, err, state.ErrMalformed)
			return
		}
		require.Equal(t, data, fr.appendTo(nil))
		var in reassembly
		in.addFrame(1, &fr)
	})
}

// FuzzRequest: a client's request is refused, or within every bound and readable again.
func FuzzRequest(f *testing.F) {
	for _, r := range []Request{
		{ID: "1", Op: "write", Path: "a", Data: []byte("x")}, {ID: "2", Op: "cas", Path: "a/b", Expect: 3},
		{ID: "3", Op: "rename", Path: "a", To: "b", Retry: true, Since: 4},
		{ID: "4", Op: OpRead, Local: true},
		{ID: "5", Op: OpDump, After: "a", Limit: 10}, {ID: "6", Op: OpWitness, From: 3},
		{ID: "9", Op: OpWatch, Path: "ha", Since: 7},
		{ID: "7", Op: OpReplaceMember, Node: 3, Incarnation: "000102030405060708090a0b0c0d0e0f"},
	} {
		f.Add(r.Encode())
	}
	f.Add([]byte(`{"id":"x","op":"write","unknown":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := DecodeRequest(data)
		if err != nil {
			require.ErrorIs(t, err, ErrBadRequest)
			return
		}
		require.LessOrEqual(t, len(r.ID), MaxRequestIDBytes)
		if len(r.Encode()) > MaxRequestBytes {
			return // escapes can make the canonical form longer
		}
		again, err := DecodeRequest(r.Encode())
		require.NoError(t, err)
		require.Equal(t, r.Encode(), again.Encode())
	})
}

// FuzzResponse: a store's answer in JSON is refused, or readable again with equal content.
func FuzzResponse(f *testing.F) {
	for _, r := range someResponses() {
		f.Add(r.Encode())
	}
	f.Add([]byte(`{"id":"1","ok":true,"revision":1,"status":{"phase":"serving","unknown":1}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := DecodeResponse(data)
		if err != nil {
			return
		}
		again, err := DecodeResponse(r.Encode())
		require.NoError(t, err)
		require.Equal(t, r.Encode(), again.Encode())
	})
}

func TestRequestsThatAreRefused(t *testing.T) {
	for _, in := range []string{
		``, `null`, `[]`, `{}`, `{"id":"a"}`, `{"id":"","op":"read"}`, `{"id":"a","op":"fly"}`,
		`{"id":"a","op":"read","nope":1}`, `{"id":"a","op":"read"} x`, `{"id":"a","op":"read","limit":-1}`,
		`{"id":"a","op":"read","limit":1001}`, `{"id":"a","op":"replace_member","node":1,"incarnation":"zz"}`,
		`{"id":"a","op":"write","expect":-1}`, `{"id":"a","op":"write","data":"not base64!"}`,
		`{"id":"` + string(make([]byte, 65)) + `","op":"read"}`,
	} {
		_, err := DecodeRequest([]byte(in))
		require.ErrorIs(t, err, ErrBadRequest, in)
	}
}
