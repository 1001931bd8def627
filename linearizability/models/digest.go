package models

import (
	"bytes"
	"encoding/json"
	"math/bits"
)

// digest identifies a value or a state. It is 128 bits wide and not keyed: two different values of one
// history share a digest with a probability of about 2^-100 at a million values, but an adversary who
// wants a collision can make one. Histories are our own recordings, so that is enough.
type digest struct{ hi, lo uint64 }

const (
	prime1 = 0x9E3779B185EBCA87
	prime2 = 0xC2B2AE3D27D4EB4F
	prime3 = 0x165667B19E3779F9
)

// mix folds a word into the digest.
func (d digest) mix(word uint64) digest {
	hi, lo := bits.Mul64(d.lo^word, prime1)
	d.lo = lo ^ bits.RotateLeft64(d.hi, 29) + prime3
	d.hi = (d.hi ^ hi ^ bits.RotateLeft64(word, 17)) * prime2
	return d
}

// bytesDigest digests a byte string.
func bytesDigest[T ~string | ~[]byte](s T) digest {
	d := digest{hi: prime3, lo: uint64(len(s)) * prime2}
	i := 0
	for ; i+8 <= len(s); i += 8 {
		d = d.mix(uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
			uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56)
	}
	var tail uint64
	for shift := 0; i < len(s); i, shift = i+1, shift+8 {
		tail |= uint64(s[i]) << shift
	}
	return d.mix(tail).mix(prime1).mix(prime2)
}

// add and sub combine digests of the elements of a set, in any order.
func (d digest) add(o digest) digest { return digest{d.hi + o.hi, d.lo + o.lo} }
func (d digest) sub(o digest) digest { return digest{d.hi - o.hi, d.lo - o.lo} }

var (
	emptyValue = []byte(`""`)
	nullValue  = []byte(`null`)
)

// valueDigest digests a JSON value. No value, null and the empty string are the same empty content.
func valueDigest(value json.RawMessage) digest {
	if len(value) == 0 || bytes.Equal(value, emptyValue) || bytes.Equal(value, nullValue) {
		return digest{}
	}
	if value[0] == '"' && bytes.IndexByte(value, '\\') >= 0 {
		var content string // the same text can be escaped in several ways
		if json.Unmarshal(value, &content) == nil {
			if content == "" {
				return digest{}
			}
			value = append(append([]byte{'"'}, content...), '"')
		}
	}
	return bytesDigest(value)
}

// textOf returns the content of a JSON string, or the JSON itself of anything else.
func textOf(value json.RawMessage) string {
	if n := len(value); n >= 2 && value[0] == '"' && bytes.IndexByte(value, '\\') < 0 {
		return string(value[1 : n-1])
	}
	var s string
	if json.Unmarshal(value, &s) == nil {
		return s
	}
	return string(value)
}

// SameValue reports whether two JSON values are the same content to the models: no value, null and the
// empty string are equal.
func SameValue(a, b json.RawMessage) bool { return valueDigest(a) == valueDigest(b) }

// TextOf returns the content of a JSON string, or the JSON itself of anything else.
func TextOf(value json.RawMessage) string { return textOf(value) }

// CleanPath drops a leading and a trailing slash, as the store model does with every path.
func CleanPath(path string) string { return cleanPath(path) }
