package kernel

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
)

// Digest is a hash over everything that happened in a run, in order. Equal digests mean equal
// runs. It also keeps a mark every MarkEvery events, so that two runs that differ can be compared
// mark by mark to find their first difference.
type Digest struct {
	hash       hash.Hash
	buf        []byte
	rolling    uint64
	eventCount uint64
	markHashes []uint64
	keepFrom   uint64
	keepTo     uint64
	keptNotes  []Note
}

// Note is one event as the digest saw it.
type Note struct {
	At        int64
	Who, Kind uint32
	A, B      uint64
}

// Keep makes the digest keep the notes of the events in [from, to), counted from 0.
func (d *Digest) Keep(from, to uint64) { d.keepFrom, d.keepTo = from, to }

// Kept returns the notes that Keep requested.
func (d *Digest) Kept() []Note { return d.keptNotes }

// MarkEvery is the number of events between two marks.
const MarkEvery = 1024

const digestBuffer = 32 << 10

func newDigest() *Digest {
	return &Digest{hash: sha256.New(), buf: make([]byte, 0, digestBuffer)}
}

// Note adds an event: its time in ns, the index of its process, its kind, and 128 bits of content.
func (d *Digest) Note(at int64, who, kind uint32, a, b uint64) {
	if len(d.buf)+32 > digestBuffer {
		d.hash.Write(d.buf)
		d.buf = d.buf[:0]
	}
	n := len(d.buf)
	d.buf = d.buf[:n+32]
	p := d.buf[n : n+32 : n+32]
	binary.LittleEndian.PutUint64(p, uint64(at))
	binary.LittleEndian.PutUint32(p[8:], who)
	binary.LittleEndian.PutUint32(p[12:], kind)
	binary.LittleEndian.PutUint64(p[16:], a)
	binary.LittleEndian.PutUint64(p[24:], b)
	d.rolling = (d.rolling ^ uint64(at) ^ a<<17 ^ b ^ uint64(who)<<40 ^ uint64(kind)) * fingerprintPrime
	d.rolling ^= d.rolling >> 29
	if d.eventCount >= d.keepFrom && d.eventCount < d.keepTo {
		d.keptNotes = append(d.keptNotes, Note{at, who, kind, a, b})
	}
	d.eventCount++
	if d.eventCount%MarkEvery == 0 {
		d.markHashes = append(d.markHashes, d.rolling)
	}
}

// Events is the number of events noted.
func (d *Digest) Events() uint64 { return d.eventCount }

// Marks are the running values after every MarkEvery events.
func (d *Digest) Marks() []uint64 { return d.markHashes }

// String returns the digest so far, in hexadecimal.
func (d *Digest) String() string {
	d.hash.Write(d.buf)
	d.buf = d.buf[:0]
	return hex.EncodeToString(d.hash.Sum(nil))
}

const fingerprintPrime = 0x9ddfea08eb382d69

// Fingerprint is a fast 64-bit hash of bytes for the digest. It is not cryptographic: it distinguishes
// different runs, but does not resist forgery.
func Fingerprint(p []byte) uint64 {
	h := uint64(len(p))*fingerprintPrime + 1
	if len(p) >= 64 { // four lanes, because each multiplication waits for the one before
		a, b, c, d := h, h+1, h+2, h+3
		for len(p) >= 32 {
			a = fingerprintRound(a, p)
			b = fingerprintRound(b, p[8:])
			c = fingerprintRound(c, p[16:])
			d = fingerprintRound(d, p[24:])
			p = p[32:]
		}
		h = ((a*fingerprintPrime^b)*fingerprintPrime^c)*fingerprintPrime ^ d
	}
	for len(p) >= 8 {
		h = fingerprintRound(h, p)
		p = p[8:]
	}
	for _, b := range p {
		h = (h ^ uint64(b)) * fingerprintPrime
	}
	return h ^ h>>29
}

// fingerprintRound mixes eight bytes into a lane.
func fingerprintRound(h uint64, p []byte) uint64 {
	h = (h ^ binary.LittleEndian.Uint64(p)) * fingerprintPrime
	return h ^ h>>32
}
