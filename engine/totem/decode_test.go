package totem

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

// FuzzDecode holds that every decoder takes anything, and that what it accepts is written back as
// the same bytes: there is one encoding of each message.
func FuzzDecode(f *testing.F) {
	t := token{ring: ringKey{ID: ring.ID{Seq: 8, Rep: 1}, nonce: 5}, tokenSeq: 3, seq: 9, ordinal: 4,
		aru: 7, aruNode: 2, retransmitRequests: []uint64{8, 9}}
	f.Add(t.append(nil))
	j := joinMessage{ringSeq: 4, digest: 7, members: []ring.NodeID{1, 2, 3}}
	f.Add(j.append(nil))
	c := commitToken{ring: ringKey{ID: ring.ID{Seq: 8, Rep: 1}, nonce: 5}, entriesFilled: 1,
		members: []ring.NodeID{1, 2}, entries: []commitEntry{
			{isFilled: true, oldRing: ringKey{ID: ring.ID{Seq: 4, Rep: 1}, nonce: 5}, myAru: 3, highSeq: 5,
				highRingDelivered: 3}, {}}, obligations: []obligation{{oldRing: ringKey{ID: ring.ID{Seq: 4,
			Rep: 1}, nonce: 5}, authors: []ring.NodeID{1}}}}
	f.Add(c.append(nil))
	h := mcastHeader{flags: mcastSafe, ring: ringKey{ID: ring.ID{Seq: 8, Rep: 1}, nonce: 5}, seq: 1,
		author: 2, ordinal: 1}
	f.Add(append(h.append(nil), chunkFirst|chunkLast, 1, 0, 0, 0, 'x'))
	f.Add(appendRingMessage(nil, typeHoldCancel, ringKey{ID: ring.ID{Seq: 8, Rep: 1}, nonce: 5}))
	hint := bootHint{count: 3, id: [16]byte{1}}
	f.Add(hint.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 {
			return
		}
		var again []byte
		var err error
		switch b[0] {
		case typeToken:
			var m token
			if err = m.decode(b[1:]); err == nil {
				again = m.append(nil)
			}
		case typeMcast:
			var m mcastHeader
			var body []byte
			if body, err = m.decode(b[1:]); err == nil {
				_ = checkBody(body)
				again = append(m.append(nil), body...)
			}
		case typeJoin:
			var m joinMessage
			if err = m.decode(b[1:]); err == nil {
				again = m.append(nil)
			}
		case typeCommit:
			var m commitToken
			if err = m.decode(b[1:]); err == nil {
				again = m.append(nil)
			}
		case typeBootHint:
			var m bootHint
			if err = m.decode(b[1:]); err == nil {
				again = m.append(nil)
			}
		default:
			var id ringKey
			if id, err = decodeRingMessage(b[1:]); err == nil {
				again = appendRingMessage(nil, b[0], id)
			}
		}
		if err == nil && !bytes.Equal(again, b) {
			t.Fatalf("%x decodes and is written back as %x", b, again)
		}
	})
}

func TestBodiesOfPackets(t *testing.T) {
	whole := []byte{chunkFirst | chunkLast, 1, 0, 0, 0, 'x'}
	begin := []byte{chunkFirst, 1, 0, 0, 0, 'x'}
	middle := []byte{0, 1, 0, 0, 0, 'x'}
	end := []byte{chunkLast, 1, 0, 0, 0, 'x'}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	for _, good := range [][]byte{whole, begin, middle, end, join(whole, whole), join(whole, begin),
		join(end, whole, begin)} {
		require.NoError(t, checkBody(good), "%x", good)
	}
	for _, bad := range [][]byte{join(begin, whole), join(middle, end), join(whole, end), whole[:5],
		whole[:3], {4, 0, 0, 0, 0},
		{chunkFirst, 255, 255, 255, 255, 1}} {
		require.ErrorIs(t, checkBody(bad), ErrMalformed, "%x", bad)
	}
}
