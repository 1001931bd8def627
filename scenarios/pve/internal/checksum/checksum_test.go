package checksum_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/wire"
	"github.com/holdfast-sim/holdfast/scenarios/pve/internal/checksum"
)

// TestRefusesWhatTheRealCipherRefuses: the same packets are opened and refused with both ciphers, and have
// the same length.
func TestRefusesWhatTheRealCipherRefuses(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		payload := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(r, "payload")
		bits := rapid.SliceOfNDistinct(rapid.IntRange(0, 8*(len(payload)+wire.OverheadBytes)-1), 0, 3,
			rapid.ID).Draw(r, "bits")
		otherKey := rapid.IntRange(0, 4).Draw(r, "other key") == 0
		var lengths []int
		var outcomes []bool
		for _, c := range []wire.Cipher{nil, checksum.Cipher} {
			key := bytes.Repeat([]byte{7}, wire.MinKeyBytes)
			sealer, err := c.NewSealer(key, 1, wire.Boot{Count: 1, ID: wire.BootID{9}})
			require.NoError(r, err)
			packet := sealer.Seal(nil, payload)
			for _, bit := range bits {
				packet[bit/8] ^= 1 << (bit % 8)
			}
			if otherKey {
				key = bytes.Repeat([]byte{8}, wire.MinKeyBytes)
			}
			opener, err := c.NewOpener(key, []ring.NodeID{1})
			require.NoError(r, err)
			_, got, err := opener.Open(nil, packet)
			if err == nil {
				require.Equal(r, len(payload), len(got))
				require.True(r, bytes.Equal(payload, got))
			}
			lengths, outcomes = append(lengths, len(packet)), append(outcomes, err == nil)
		}
		require.Equal(r, lengths[0], lengths[1])
		require.Equal(r, outcomes[0], outcomes[1])
		require.Equal(r, len(bits) == 0 && !otherKey, outcomes[0])
	})
}

// TestSumsOfPartsAndWhole: the seal does not depend on where in memory its parts are.
func TestSumsOfPartsAndWhole(t *testing.T) {
	aead := checksum.Cipher(bytes.Repeat([]byte{3}, wire.MinKeyBytes))
	nonce, head, text := bytes.Repeat([]byte{4}, 12), []byte("head"), []byte("text")
	apart := aead.Seal([]byte("else"), nonce, text, head)
	joined := aead.Seal(bytes.Clone(head), nonce, text, head)
	require.Equal(t, apart[len("else"):], joined[len(head):])
	for _, where := range []struct{ head, sealed []byte }{
		{joined[:len(head)], joined[len(head):]}, {head, joined[len(head):]}, {nil, apart[len("else"):]},
	} {
		got, err := aead.Open(nil, nonce, where.sealed, where.head)
		if where.head == nil {
			require.ErrorIs(t, err, checksum.ErrSum)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, text, got)
	}
}
