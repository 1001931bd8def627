// Package plainjson reads and writes JSON objects in the form that encoding/json gives to structs of plain
// values, several times as fast: no white space, the members in the order of the struct, no escapes.
//
// Package plainjson never decides what is valid. Of any other form it reports that it is not plain, and its
// caller uses encoding/json.
package plainjson

import (
	"encoding/base64"
	"strconv"
	"strings"
)

// Reader reads a text from its beginning. Once something is not plain, nothing more is read.
type Reader struct {
	text  string
	at    int
	isOdd bool
}

// NewReader returns a Reader of a copy of data.
func NewReader(data []byte) *Reader { return &Reader{text: string(data)} }

// IsPlain reports whether everything was plain and the whole text was read.
func (r *Reader) IsPlain() bool { return !r.isOdd && r.at == len(r.text) }

// Is consumes a character if it is the next one, and reports whether it was.
func (r *Reader) Is(c byte) bool {
	if r.isOdd || r.at >= len(r.text) || r.text[r.at] != c {
		return false
	}
	r.at++
	return true
}

// Must consumes a character that must be the next one.
func (r *Reader) Must(c byte) {
	if !r.Is(c) {
		r.isOdd = true
	}
}

// Has consumes the name of a member if it is the next one, and reports whether it was.
func (r *Reader) Has(name string) bool {
	rest := r.text[r.at:]
	if r.at > 0 && r.text[r.at-1] != '{' {
		if rest == "" || rest[0] != ',' {
			return false
		}
		rest = rest[1:]
	}
	end := len(name) + len(`"`)
	if r.isOdd || len(rest) < end+len(`":`) || rest[0] != '"' || rest[1:end] != name || rest[end] != '"' ||
		rest[end+1] != ':' {
		return false
	}
	r.at = len(r.text) - len(rest) + end + len(`":`)
	return true
}

// String reads a string of printable ASCII.
func (r *Reader) String() string {
	r.Must('"')
	for i := r.at; i < len(r.text) && !r.isOdd; i++ {
		switch c := r.text[i]; {
		case c == '"':
			s := r.text[r.at:i]
			r.at = i + 1
			return s
		case c < ' ' || c > '~' || c == '\\':
			r.isOdd = true
		}
	}
	r.isOdd = true
	return ""
}

// Bytes reads bytes in base64.
func (r *Reader) Bytes() []byte {
	b, err := base64.StdEncoding.DecodeString(r.String())
	r.isOdd = r.isOdd || err != nil
	return b
}

// maxDigits bounds the digits of a number, so that int64 and uint64 hold it.
const maxDigits = 18

// Uint reads a whole number up to a limit.
func (r *Reader) Uint(limit uint64) uint64 {
	from := r.at
	for !r.isOdd && r.at < len(r.text) && r.text[r.at] >= '0' && r.text[r.at] <= '9' {
		r.at++
	}
	digits := r.text[from:r.at]
	if digits == "" || len(digits) > maxDigits || digits[0] == '0' && len(digits) > 1 {
		r.isOdd = true
		return 0
	}
	v, err := strconv.ParseUint(digits, 10, 64)
	r.isOdd = r.isOdd || err != nil || v > limit
	return v
}

// Bool reads true or false.
func (r *Reader) Bool() bool {
	for _, word := range [...]string{"true", "false"} {
		if !r.isOdd && strings.HasPrefix(r.text[r.at:], word) {
			r.at += len(word)
			return word == "true"
		}
	}
	r.isOdd = true
	return false
}

// Writer writes a text. The zero value is ready.
type Writer struct {
	// Text is what was written so far.
	Text  []byte
	isOdd bool
}

// IsPlain reports whether everything that was written is plain.
func (w *Writer) IsPlain() bool { return !w.isOdd }

// Name writes the name of the next member.
func (w *Writer) Name(name string) {
	if n := len(w.Text); n > 0 && w.Text[n-1] != '{' {
		w.Text = append(w.Text, ',')
	}
	w.Text = append(append(append(w.Text, '"'), name...), `":`...)
}

// String writes a string, which must not need an escape.
func (w *Writer) String(s string) {
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c > '~', c == '"', c == '\\', c == '<', c == '>', c == '&':
			w.isOdd = true
			return
		}
	}
	w.Text = append(append(append(w.Text, '"'), s...), '"')
}

// Bytes writes bytes in base64.
func (w *Writer) Bytes(b []byte) {
	w.Text = append(base64.StdEncoding.AppendEncode(append(w.Text, '"'), b), '"')
}

// Uint writes a whole number.
func (w *Writer) Uint(v uint64) { w.Text = strconv.AppendUint(w.Text, v, 10) }

// Int writes a whole number.
func (w *Writer) Int(v int64) { w.Text = strconv.AppendInt(w.Text, v, 10) }

// Bool writes true or false.
func (w *Writer) Bool(v bool) { w.Text = strconv.AppendBool(w.Text, v) }

// StringUnlessEmpty writes a member with omitempty.
func (w *Writer) StringUnlessEmpty(name, s string) {
	if s != "" {
		w.Name(name)
		w.String(s)
	}
}

// UintUnlessZero writes a member with omitempty.
func (w *Writer) UintUnlessZero(name string, v uint64) {
	if v != 0 {
		w.Name(name)
		w.Uint(v)
	}
}

// TrueOnly writes a member with omitempty.
func (w *Writer) TrueOnly(name string, v bool) {
	if v {
		w.Name(name)
		w.Bool(v)
	}
}

// BytesUnlessEmpty writes a member with omitempty.
func (w *Writer) BytesUnlessEmpty(name string, b []byte) {
	if len(b) > 0 {
		w.Name(name)
		w.Bytes(b)
	}
}
