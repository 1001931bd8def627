package bin_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/store/bin"
)

func TestBytesOnTheWire(t *testing.T) {
	var w bin.Writer
	w.U8(7)
	w.Bool(true)
	w.Bool(false)
	w.U32(0x01020304)
	w.U64(0x0102030405060708)
	w.Raw([]byte{9, 8})
	w.Bytes([]byte{5})
	w.String("ab")
	require.Equal(t, []byte{7, 1, 0, 4, 3, 2, 1, 8, 7, 6, 5, 4, 3, 2, 1, 9, 8,
		1, 0, 0, 0, 5, 2, 0, 0, 0, 'a', 'b'}, w.B)
}

// TestReaderReturnsWhatWriterWrote draws values of every kind and cuts the input at every length.
func TestReaderReturnsWhatWriterWrote(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Uint8().Draw(t, "u8"), rapid.Bool().Draw(t, "bool")
		c, d := rapid.Uint32().Draw(t, "u32"), rapid.Uint64().Draw(t, "u64")
		raw := rapid.SliceOfN(rapid.Byte(), 3, 3).Draw(t, "raw")
		p := rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "bytes")
		s := rapid.StringN(0, 9, 20).Draw(t, "string")
		var w bin.Writer
		w.U8(a)
		w.Bool(b)
		w.U32(c)
		w.U64(d)
		w.Raw(raw)
		w.Bytes(p)
		w.String(s)
		read := func(data []byte) (*bin.Reader, bool) {
			r, got := &bin.Reader{B: data}, make([]byte, 3)
			ok := r.U8() == a && r.Bool() == b && r.U32() == c && r.U64() == d
			r.Raw(got)
			ok = ok && string(got) == string(raw) && string(r.Bytes(9)) == string(p) && r.String(20) == s
			return r, ok
		}
		r, equal := read(w.B)
		require.True(t, equal && r.Done())
		cut := rapid.IntRange(0, len(w.B)-1).Draw(t, "cut")
		r, _ = read(w.B[:cut])
		require.True(t, r.Failed())
		require.False(t, r.Done())
	})
}

func TestReaderRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		data []byte
		read func(*bin.Reader)
	}{
		"a byte that is no bool":        {[]byte{2}, func(r *bin.Reader) { r.Bool() }},
		"more bytes than the limit":     {[]byte{2, 0, 0, 0, 1, 1}, func(r *bin.Reader) { r.Bytes(1) }},
		"a longer string than there is": {[]byte{2, 0, 0, 0, 1}, func(r *bin.Reader) { _ = r.String(9) }},
		"more items than can follow":    {[]byte{2, 0, 0, 0, 1, 1, 1}, func(r *bin.Reader) { r.Count(2) }},
		"a count that overflows 32 bits": {[]byte{255, 255, 255, 255},
			func(r *bin.Reader) { r.Count(math.MaxInt32) }},
		"what its user refuses": {nil, func(r *bin.Reader) { r.Fail() }},
	} {
		r := &bin.Reader{B: c.data}
		c.read(r)
		require.True(t, r.Failed(), name)
		require.False(t, r.Done(), name)
		require.Zero(t, r.U64(), "%s: every later value is zero", name)
		require.Empty(t, r.String(9), name)
	}
}

func TestDoneNeedsAllOfTheInput(t *testing.T) {
	r := &bin.Reader{B: []byte{1, 2}}
	r.U8()
	require.False(t, r.Done())
	require.False(t, r.Failed())
	r.U8()
	require.True(t, r.Done())
}

// FuzzReader reads any input by any script of calls: it never panics, never returns more than the input
// holds, and never goes back.
func FuzzReader(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 'x', 7}, "sb")
	f.Add([]byte{255, 255, 255, 255, 255}, "c4")
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9}, "8r1")
	f.Fuzz(func(t *testing.T, data []byte, script string) {
		r := &bin.Reader{B: data}
		for _, call := range strings.ToLower(script) {
			left := len(r.B)
			switch call {
			case '1':
				r.U8()
			case 'b':
				r.Bool()
			case '4':
				r.U32()
			case '8':
				r.U64()
			case 'r':
				r.Raw(make([]byte, 2))
			case 's':
				require.LessOrEqual(t, len(r.String(64)), min(left, 64))
			case 'c':
				require.LessOrEqual(t, r.Count(3)*3, left)
			}
			require.LessOrEqual(t, len(r.B), left)
		}
	})
}
