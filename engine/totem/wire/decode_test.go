package wire_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/ring"
	. "github.com/holdfast-sim/holdfast/engine/totem/wire"
)

// FuzzDecode holds that every decoder takes anything, and that what it accepts is written back as
// the same bytes: there is one encoding of each message.
func FuzzDecode(f *testing.F) {
	t := Token{Ring: RingKey{ID: ring.ID{Seq: 8, Rep: 1}, Nonce: 5}, TokenSeq: 3, Seq: 9, Ordinal: 4,
		Aru: 7, AruNode: 2, RetransmitRequests: []uint64{8, 9}}
	f.Add(t.Append(nil))
	j := Join{RingSeq: 4, Digest: 7, Members: []ring.NodeID{1, 2, 3}}
	f.Add(j.Append(nil))
	c := CommitToken{Ring: RingKey{ID: ring.ID{Seq: 8, Rep: 1}, Nonce: 5}, EntriesFilled: 1,
		Members: []ring.NodeID{1, 2}, Entries: []CommitEntry{
			{IsFilled: true, OldRing: RingKey{ID: ring.ID{Seq: 4, Rep: 1}, Nonce: 5}, MyAru: 3, HighSeq: 5,
				HighRingDelivered: 3}, {}}, Obligations: []Obligation{{OldRing: RingKey{ID: ring.ID{Seq: 4,
			Rep: 1}, Nonce: 5}, Authors: []ring.NodeID{1}}}}
	f.Add(c.Append(nil))
	h := McastHeader{Flags: McastSafe, Ring: RingKey{ID: ring.ID{Seq: 8, Rep: 1}, Nonce: 5}, Seq: 1,
		Author: 2, Ordinal: 1}
	f.Add(append(h.Append(nil), ChunkFirst|ChunkLast, 1, 0, 0, 0, 'x'))
	f.Add(AppendRingMessage(nil, TypeHoldCancel, RingKey{ID: ring.ID{Seq: 8, Rep: 1}, Nonce: 5}))
	hint := BootHint{Count: 3, ID: [16]byte{1}}
	f.Add(hint.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 {
			return
		}
		var again []byte
		var err error
		switch b[0] {
		case TypeToken:
			var m Token
			if err = m.Decode(b[1:]); err == nil {
				again = m.Append(nil)
			}
		case TypeMcast:
			var m McastHeader
			var body []byte
			if body, err = m.Decode(b[1:]); err == nil {
				_ = CheckBody(body)
				again = append(m.Append(nil), body...)
			}
		case TypeJoin:
			var m Join
			if err = m.Decode(b[1:]); err == nil {
				again = m.Append(nil)
			}
		case TypeCommit:
			var m CommitToken
			if err = m.Decode(b[1:]); err == nil {
				again = m.Append(nil)
			}
		case TypeBootHint:
			var m BootHint
			if err = m.Decode(b[1:]); err == nil {
				again = m.Append(nil)
			}
		default:
			var id RingKey
			if id, err = DecodeRingMessage(b[1:]); err == nil {
				again = AppendRingMessage(nil, b[0], id)
			}
		}
		if err == nil && !bytes.Equal(again, b) {
			t.Fatalf("%x decodes and is written back as %x", b, again)
		}
	})
}

func TestBodiesOfPackets(t *testing.T) {
	whole := []byte{ChunkFirst | ChunkLast, 1, 0, 0, 0, 'x'}
	begin := []byte{ChunkFirst, 1, 0, 0, 0, 'x'}
	middle := []byte{0, 1, 0, 0, 0, 'x'}
	end := []byte{ChunkLast, 1, 0, 0, 0, 'x'}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	for _, good := range [][]byte{whole, begin, middle, end, join(whole, whole), join(whole, begin),
		join(end, whole, begin)} {
		require.NoError(t, CheckBody(good), "%x", good)
	}
	for _, bad := range [][]byte{join(begin, whole), join(middle, end), join(whole, end), whole[:5],
		whole[:3], {4, 0, 0, 0, 0},
		{ChunkFirst, 255, 255, 255, 255, 1}} {
		require.ErrorIs(t, CheckBody(bad), ErrMalformed, "%x", bad)
	}
}
