// Package bin reads and writes the store's binary messages: little-endian integers, and strings
// and byte strings behind a length. A reader never allocates more than its input holds.
//
// Package bin knows no message and never panics on input.
package bin

import "encoding/binary"

// Writer appends values. The zero value is ready.
type Writer struct{ B []byte }

// U8 appends one byte.
func (w *Writer) U8(v uint8) { w.B = append(w.B, v) }

// Bool appends a byte, 0 or 1.
func (w *Writer) Bool(v bool) {
	if v {
		w.U8(1)
		return
	}
	w.U8(0)
}

// U32 appends 4 bytes.
func (w *Writer) U32(v uint32) { w.B = binary.LittleEndian.AppendUint32(w.B, v) }

// U64 appends 8 bytes.
func (w *Writer) U64(v uint64) { w.B = binary.LittleEndian.AppendUint64(w.B, v) }

// Raw appends bytes whose number both sides know.
func (w *Writer) Raw(p []byte) { w.B = append(w.B, p...) }

// Bytes appends a length and bytes.
func (w *Writer) Bytes(p []byte) {
	w.U32(uint32(len(p)))
	w.B = append(w.B, p...)
}

// String appends a length and a string.
func (w *Writer) String(s string) {
	w.U32(uint32(len(s)))
	w.B = append(w.B, s...)
}

// Reader takes values off the front of B. After the first failure every value is zero.
type Reader struct {
	B      []byte
	failed bool
}

// Failed reports whether the input was too short or a value was out of range.
func (r *Reader) Failed() bool { return r.failed }

// Fail marks the input as malformed.
func (r *Reader) Fail() { r.failed = true }

// Done reports whether everything was read and nothing failed.
func (r *Reader) Done() bool { return !r.failed && len(r.B) == 0 }

func (r *Reader) takeBytes(n int) []byte {
	if r.failed || n > len(r.B) {
		r.failed = true
		return nil
	}
	p := r.B[:n]
	r.B = r.B[n:]
	return p
}

// U8 reads one byte.
func (r *Reader) U8() uint8 {
	if p := r.takeBytes(1); p != nil {
		return p[0]
	}
	return 0
}

// Bool reads a byte that must be 0 or 1.
func (r *Reader) Bool() bool {
	v := r.U8()
	if v > 1 {
		r.failed = true
	}
	return v == 1
}

// U32 reads 4 bytes.
func (r *Reader) U32() uint32 {
	if p := r.takeBytes(4); p != nil {
		return binary.LittleEndian.Uint32(p)
	}
	return 0
}

// U64 reads 8 bytes.
func (r *Reader) U64() uint64 {
	if p := r.takeBytes(8); p != nil {
		return binary.LittleEndian.Uint64(p)
	}
	return 0
}

// Raw fills p.
func (r *Reader) Raw(p []byte) { copy(p, r.takeBytes(len(p))) }

// Bytes reads a length of at most limit and that many bytes, which alias the input.
func (r *Reader) Bytes(limit int) []byte {
	n := r.U32()
	if uint64(n) > uint64(limit) {
		r.failed = true
		return nil
	}
	return r.takeBytes(int(n))
}

// String reads a length of at most limit and that many bytes.
func (r *Reader) String(limit int) string { return string(r.Bytes(limit)) }

// Count reads a number of items that each take at least itemBytes of what is left.
func (r *Reader) Count(itemBytes int) int {
	n := r.U32()
	if uint64(n)*uint64(itemBytes) > uint64(len(r.B)) {
		r.failed = true
		return 0
	}
	return int(n)
}
