package wire

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

const (
	// Version is the first byte of every packet.
	Version = 1
	// BootIDBytes is the size of a boot's random part.
	BootIDBytes = 16
	// MinKeyBytes and MaxKeyBytes bound the cluster key.
	MinKeyBytes = 32
	MaxKeyBytes = 4096

	headerBytes = 1 + 4 + 8 + BootIDBytes + 8
	tagBytes    = 16
	nonceBytes  = 12
	subkeyBytes = 32

	// OverheadBytes is by how much sealing makes a payload longer.
	OverheadBytes = headerBytes + tagBytes

	offsetNode    = 1
	offsetBoot    = 5
	offsetBootID  = 13
	offsetCounter = 29

	keyLabel = "holdfast ring packet v1"
)

var (
	// ErrForeign is returned by [Opener.Open] for bytes that are no packet of this cluster: too short,
	// another version, an unknown node, another key, or altered on the way.
	ErrForeign = errors.New("not a packet of this cluster")
	// ErrReplayed is returned for a packet that was accepted before, or that is too old to know.
	ErrReplayed = errors.New("packet was seen before")
	// ErrStaleBoot is returned for a genuine packet of a boot that is not the sender's newest.
	ErrStaleBoot = errors.New("packet of an earlier boot")
	// ErrKey means that a cluster key has an unusable length.
	ErrKey = errors.New("unusable cluster key")
)

// BootID is the random part of the identity of a boot.
type BootID [BootIDBytes]byte

// Boot identifies one boot of a node. Count orders the boots of a node, from 1. ID distinguishes two
// boots with the same count, which a wiped disk can cause.
type Boot struct {
	Count uint64
	ID    BootID
}

// CheckKey fails with ErrKey if a cluster key has an unusable length.
func CheckKey(key []byte) error {
	if len(key) < MinKeyBytes || len(key) > MaxKeyBytes {
		return fmt.Errorf("%w: it has %d bytes, use %d to %d random bytes",
			ErrKey, len(key), MinKeyBytes, MaxKeyBytes)
	}
	return nil
}

// Cipher returns the cipher of a key of 32 bytes. Its nonces must have 12 bytes and its tags 16.
type Cipher func(subkey []byte) cipher.AEAD

// AESGCM is the cipher of every real cluster.
func AESGCM(subkey []byte) cipher.AEAD {
	block, err := aes.NewCipher(subkey)
	if err != nil {
		panic(fmt.Sprintf("wire: setting up AES: %v", err))
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(fmt.Sprintf("wire: setting up GCM: %v", err))
	}
	return aead
}

// ofBoot returns the cipher of one boot of one node. A nil Cipher stands for AESGCM.
func (c Cipher) ofBoot(key []byte, node ring.NodeID, id *BootID) cipher.AEAD {
	info := binary.LittleEndian.AppendUint32([]byte(keyLabel), uint32(node))
	subkey, err := hkdf.Key(sha256.New, key, id[:], string(info), subkeyBytes)
	if err != nil {
		panic(fmt.Sprintf("wire: deriving a packet key: %v", err))
	}
	if c == nil {
		c = AESGCM
	}
	return c(subkey)
}

// Sealer seals the packets of one boot of one node.
type Sealer struct {
	aead    cipher.AEAD
	boot    Boot
	counter uint64
	header  [headerBytes]byte
	nonce   [nonceBytes]byte
}

// NewSealer returns the Sealer of a boot. The boot's ID must be fresh random bytes: using one twice with
// the same node id repeats nonces. It fails with ErrKey.
func NewSealer(key []byte, node ring.NodeID, boot Boot) (*Sealer, error) {
	return Cipher(nil).NewSealer(key, node, boot)
}

// NewSealer is the function [NewSealer] with this cipher.
func (c Cipher) NewSealer(key []byte, node ring.NodeID, boot Boot) (*Sealer, error) {
	if err := CheckKey(key); err != nil {
		return nil, err
	}
	s := &Sealer{aead: c.ofBoot(key, node, &boot.ID), boot: boot}
	s.header[0] = Version
	binary.LittleEndian.PutUint32(s.header[offsetNode:], uint32(node))
	binary.LittleEndian.PutUint64(s.header[offsetBoot:], boot.Count)
	copy(s.header[offsetBootID:], boot.ID[:])
	return s, nil
}

// Boot returns the boot of this sealer.
func (s *Sealer) Boot() Boot { return s.boot }

// Seal appends the sealed packet to dst and returns the longer slice. It does not allocate if dst has
// room for len(payload)+OverheadBytes. dst must not overlap payload.
func (s *Sealer) Seal(dst, payload []byte) []byte {
	s.counter++
	if s.counter == 0 {
		panic("wire: packet counter ran over")
	}
	binary.LittleEndian.PutUint64(s.header[offsetCounter:], s.counter)
	binary.LittleEndian.PutUint64(s.nonce[nonceBytes-8:], s.counter)
	dst = append(dst, s.header[:]...)
	return s.aead.Seal(dst, s.nonce[:], payload, s.header[:])
}
