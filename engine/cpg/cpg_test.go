package cpg

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

// messages are one message of each type, with every field set.
var messages = []struct {
	m    Message
	wire string // the bytes: both ends are of one build, but a change must be seen
}{
	{Hello{}, "\x01"},
	{Multicast{Cookie: 7, Guarantee: Safe, Payload: []byte("hi")},
		"\x02\x01\x07\x00\x00\x00\x00\x00\x00\x00hi"},
	{Reform{}, "\x03"},
	{Leave{}, "\x08"},
	{Busy{Cookie: 258}, "\x04\x02\x01\x00\x00\x00\x00\x00\x00"},
	{Config{Kind: Regular, Ring: ring.ID{Seq: 8, Rep: 1}, Members: []ring.NodeID{1, 3},
		Joined: []ring.NodeID{3}, Left: []ring.NodeID{2}, Greeting: true},
		"\x05\x01\x01\x08\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00" +
			"\x02\x00\x01\x00\x00\x00\x03\x00\x00\x00\x01\x00\x03\x00\x00\x00\x01\x00\x02\x00\x00\x00"},
	{Deliver{Ring: ring.ID{Seq: 8, Rep: 1}, Seq: 5, From: 2, Payload: []byte("x")},
		"\x06\x08\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00" +
			"\x05\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00x"},
	{Quorum{Ring: ring.ID{Seq: 8, Rep: 1}, Quorate: true, Votes: 2, Expected: 3, QuorumVotes: 2},
		"\x07\x01\x08\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00" +
			"\x02\x00\x00\x00\x03\x00\x00\x00\x02\x00\x00\x00"},
}

func TestMessagesKeepTheirBytes(t *testing.T) {
	for _, c := range messages {
		require.Equal(t, c.wire, string(Encode(c.m)), "%T", c.m)
		back, err := Decode([]byte(c.wire))
		require.NoError(t, err, "%T", c.m)
		require.Equal(t, c.m, back)
		deliver, is := DecodeDeliver([]byte(c.wire))
		if want, ok := c.m.(Deliver); ok || is {
			require.Equal(t, want, deliver)
			require.True(t, is && ok, "%T", c.m)
		}
		multicast, is := DecodeMulticast([]byte(c.wire))
		if want, ok := c.m.(Multicast); ok || is {
			require.Equal(t, want, multicast)
			require.True(t, is && ok, "%T", c.m)
		}
	}
	for _, short := range []string{"", "\x02\x01\x07", "\x02\x02\x07\x00\x00\x00\x00\x00\x00\x00",
		"\x06\x08"} {
		_, is := DecodeDeliver([]byte(short))
		require.False(t, is)
		_, is = DecodeMulticast([]byte(short))
		require.False(t, is)
	}
}

func TestEmptyListsAndPayloads(t *testing.T) {
	for _, m := range []Message{
		Config{Kind: Transitional, Ring: ring.ID{Seq: 4, Rep: 1}, Members: []ring.NodeID{1}},
		Multicast{Payload: []byte{}}, Deliver{Payload: []byte{}}, Quorum{}, Busy{},
	} {
		back, err := Decode(Encode(m))
		require.NoError(t, err)
		require.Equal(t, m, back)
	}
}

func TestMalformedMessagesAreRefused(t *testing.T) {
	for _, c := range messages {
		if _, hasPayload := map[byte]bool{tagMulticast: true, tagDeliver: true}[c.wire[0]]; hasPayload {
			continue // any shorter or longer payload is one
		}
		_, err := Decode([]byte(c.wire + "\x00"))
		require.ErrorIs(t, err, ErrMalformed, "%T with a byte too many", c.m)
		for n := range len(c.wire) {
			_, err := Decode([]byte(c.wire[:n]))
			require.ErrorIs(t, err, ErrMalformed, "%T cut to %d bytes", c.m, n)
		}
	}
	tooMany := appendRing([]byte{tagConfig, 0, 0}, ring.ID{Seq: 4, Rep: 1})
	tooMany = binary.LittleEndian.AppendUint16(tooMany, ring.MaxNodes+1)
	tooMany = append(tooMany, make([]byte, 4*(ring.MaxNodes+1)+4)...)
	for name, b := range map[string][]byte{
		"empty": nil, "type 0": {0}, "unknown type": {tagLeave + 1},
		"guarantee": {tagMulticast, 2, 0, 0, 0, 0, 0, 0, 0, 0}, "short multicast": {tagMulticast, 0, 1},
		"short deliver": {tagDeliver, 1, 2, 3}, "kind": append([]byte{tagConfig, 2, 0}, make([]byte, 18)...),
		"greeting": append([]byte{tagConfig, 0, 2}, make([]byte, 18)...),
		"quorate":  append([]byte{tagQuorum, 2}, make([]byte, 24)...), "too many nodes": tooMany,
	} {
		_, err := Decode(b)
		require.ErrorIs(t, err, ErrMalformed, name)
	}
}

func TestUnknownTypesAreABug(t *testing.T) {
	require.PanicsWithValue(t, "cpg: unknown message type <nil>", func() { Encode(nil) })
}

// FuzzDecode: whatever is decoded, is encoded to the same bytes.
func FuzzDecode(f *testing.F) {
	for _, c := range messages {
		f.Add([]byte(c.wire))
	}
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{tagConfig}, 40))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(b)
		if err != nil {
			require.ErrorIs(t, err, ErrMalformed)
			require.Nil(t, m)
			return
		}
		require.Equal(t, b, Encode(m))
	})
}
