// Package jsonvalues reads a file of JSON values: one after the other, on one line or on many, or as the
// elements of one array. It gives each value with the line on which it begins, and recognizes a file of which
// the end is missing. It never interprets a value.
package jsonvalues

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxValueBytes bounds one value, so that a damaged file cannot take all memory.
const maxValueBytes = 16 << 20

var (
	// ErrCut reports text that ends inside a value or before the end of an array.
	ErrCut = errors.New("the text ends in the middle of a value")
	// ErrLarge reports a value that is too long.
	ErrLarge = fmt.Errorf("a value is longer than %d bytes", maxValueBytes)
	// ErrSyntax reports text that is not JSON.
	ErrSyntax = errors.New("not JSON")
)

// Reader reads values in order.
type Reader struct {
	source  source
	decoder *json.Decoder
	inArray bool
}

// NewReader returns a Reader at the beginning of in.
func NewReader(in io.Reader) *Reader {
	r := &Reader{source: source{in: in, line: 1}}
	r.decoder = json.NewDecoder(&r.source)
	return r
}

// Next returns the next value and the line on which it begins, or [io.EOF] after the last one. An error
// names the line. The value is the caller's own.
func (r *Reader) Next() (value json.RawMessage, line int, err error) {
	for {
		more := r.decoder.More()
		switch {
		case more && r.inArray:
			return r.value()
		case r.inArray:
			if _, err := r.decoder.Token(); err != nil {
				return nil, 0, r.explain(err)
			}
			r.inArray = false
			continue
		case !more:
			return nil, 0, r.end()
		}
		if r.peek() != '[' {
			return r.value()
		}
		if _, err := r.decoder.Token(); err != nil {
			return nil, 0, r.explain(err)
		}
		r.inArray = true
	}
}

func (r *Reader) value() (json.RawMessage, int, error) {
	var raw json.RawMessage
	if err := r.decoder.Decode(&raw); err != nil {
		return nil, 0, r.explain(err)
	}
	r.source.taken = r.decoder.InputOffset()
	return raw, r.source.lineAt(r.source.taken - int64(len(raw))), nil
}

// buffered returns what the decoder has read and not yet taken.
func (r *Reader) buffered() []byte {
	rest, ok := r.decoder.Buffered().(*bytes.Reader)
	if !ok {
		return nil
	}
	text := make([]byte, min(rest.Len(), peekBytes))
	n, _ := rest.Read(text)
	return text[:n]
}

// peekBytes is how far Next looks for the first byte of a value; More has skipped blanks before.
const peekBytes = 256

const separators = " \t\r\n,"

func (r *Reader) blanks() int64 {
	text := r.buffered()
	return int64(len(text) - len(bytes.TrimLeft(text, separators)))
}

func (r *Reader) peek() byte {
	if text := bytes.TrimLeft(r.buffered(), separators); len(text) > 0 {
		return text[0]
	}
	return 0
}

// end determines what the end of the values is: the end of the file, or something that is no value.
func (r *Reader) end() error {
	if _, err := r.decoder.Token(); !errors.Is(err, io.EOF) {
		return r.explain(err)
	}
	return io.EOF
}

func (r *Reader) explain(err error) error {
	line := r.source.lineAt(r.decoder.InputOffset() + r.blanks())
	var syntax *json.SyntaxError
	switch {
	case r.source.err != nil && !errors.Is(r.source.err, io.EOF):
		return fmt.Errorf("line %d: %w", line, r.source.err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("line %d: %w", line, ErrCut)
	case errors.As(err, &syntax):
		return fmt.Errorf("line %d: %w: %w", r.source.lineAt(syntax.Offset), ErrSyntax, err)
	case err == nil:
		return fmt.Errorf("line %d: %w: a bracket closes nothing", line, ErrSyntax)
	}
	return fmt.Errorf("line %d: %w: %w", line, ErrSyntax, err)
}

// source counts the lines of what it passes on, and fails when one value becomes too long.
type source struct {
	in    io.Reader
	err   error
	read  int64
	taken int64   // how much belongs to values that were returned
	line  int     // of the position asked for last
	ends  []int64 // positions behind the line ends beyond it
}

func (s *source) Read(p []byte) (int, error) {
	if s.read-s.taken > maxValueBytes {
		s.err = ErrLarge
		return 0, s.err
	}
	n, err := s.in.Read(p)
	for i, c := range p[:n] {
		if c == '\n' {
			s.ends = append(s.ends, s.read+int64(i)+1)
		}
	}
	s.read += int64(n)
	s.err = err
	return n, err
}

// lineAt returns the line of a position. Positions must be asked for in rising order.
func (s *source) lineAt(position int64) int {
	passed := 0
	for passed < len(s.ends) && s.ends[passed] <= position {
		passed++
	}
	s.line += passed
	s.ends = s.ends[passed:]
	return s.line
}
