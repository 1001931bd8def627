package config

import (
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

// encodeComment returns the comment of a rule as it stands in the file: bytes of control characters and of
// characters that are not ASCII, and ':' and '%', are escaped as in a URI (pve-common, encode_text).
func encodeComment(text string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' || c == ':' || c == '%' {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// decodeComment is the reverse. What is no escape stays, and so does a text whose escapes stand for no
// UTF-8: a comment that a person wrote is not an error.
func decodeComment(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '%' && i+2 < len(text) {
			if c, err := hex.DecodeString(text[i+1 : i+3]); err == nil {
				b.WriteByte(c[0])
				i += 2
				continue
			}
		}
		b.WriteByte(text[i])
	}
	if !utf8.ValidString(b.String()) {
		return text
	}
	return b.String()
}
