package kernel

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// Digest is a hash over everything that happened in a run, in order. Equal digests mean equal
// runs. It also keeps a mark every MarkEvery events, so that two runs that differ can be compared
// mark by mark to find their first difference.
//
// It finds differences that come by chance, and does not resist forgery. So an event is mixed into two sums
// with multiplications, and only the sums go through SHA-256.
type Digest struct {
	timeSum    uint64 // of times and first values
	kindSum    uint64 // of processes, kinds and second values
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

func newDigest() *Digest { return &Digest{} }

// Note adds an event. Each mixing step maps different sums to different sums, so a difference in one value
// stays, and one in several is lost with a probability of 2^-64.
func (d *Digest) Note(at int64, who, kind uint32, a, b uint64) {
	d.timeSum = mix(mix(d.timeSum, uint64(at)), a)
	d.kindSum = mix(mix(d.kindSum, uint64(who)<<32|uint64(kind)), b)
	if d.eventCount >= d.keepFrom && d.eventCount < d.keepTo {
		d.keptNotes = append(d.keptNotes, Note{at, who, kind, a, b})
	}
	d.eventCount++
	if d.eventCount%MarkEvery == 0 {
		d.markHashes = append(d.markHashes, mix(d.timeSum, d.kindSum))
	}
}

// Events is the number of events noted.
func (d *Digest) Events() uint64 { return d.eventCount }

// Marks are the running values after every MarkEvery events.
func (d *Digest) Marks() []uint64 { return d.markHashes }

// String returns the digest so far, in hexadecimal.
func (d *Digest) String() string {
	var sums []byte
	for _, v := range [...]uint64{d.eventCount, d.timeSum, d.kindSum} {
		sums = binary.LittleEndian.AppendUint64(sums, v)
	}
	return fmt.Sprintf("%x", sha256.Sum256(sums))
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
func fingerprintRound(h uint64, p []byte) uint64 { return mix(h, binary.LittleEndian.Uint64(p)) }

// mix adds a value to a hash.
func mix(h, value uint64) uint64 {
	h = (h ^ value) * fingerprintPrime
	return h ^ h>>32
}
