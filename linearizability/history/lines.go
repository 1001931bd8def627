package history

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// maxLineBytes bounds one line of a history, so that a damaged file cannot take all memory.
const maxLineBytes = 16 << 20

// ErrLine reports a line that is too long.
var ErrLine = fmt.Errorf("line is longer than %d bytes", maxLineBytes)

// lineReader yields lines and knows whether the last one ended with a line end.
type lineReader struct {
	in     *bufio.Reader
	buf    []byte
	number int // of the line returned last, from 1
}

func newLineReader(r io.Reader) *lineReader {
	return &lineReader{in: bufio.NewReaderSize(r, 64<<10)}
}

// next returns the next line that is not blank, without its line end. whole is false for a last line that
// was cut off. The line is valid until the next call.
func (l *lineReader) next() (line []byte, whole bool, err error) {
	for {
		line, whole, err = l.raw()
		if err != nil {
			return nil, false, err
		}
		if trimmed := bytes.TrimSpace(line); len(trimmed) > 0 {
			return trimmed, whole, nil
		}
	}
}

func (l *lineReader) raw() ([]byte, bool, error) {
	l.buf = l.buf[:0]
	for {
		part, err := l.in.ReadSlice('\n')
		if err == nil && len(l.buf) == 0 {
			l.number++
			return part, true, nil
		}
		if len(l.buf)+len(part) > maxLineBytes {
			return nil, false, fmt.Errorf("reading line %d: %w", l.number+1, ErrLine)
		}
		l.buf = append(l.buf, part...)
		switch {
		case err == nil:
			l.number++
			return l.buf, true, nil
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(l.buf) > 0:
			l.number++
			return l.buf, false, nil
		default:
			return nil, false, err
		}
	}
}

// tornTail reports whether a line is what a crash leaves behind: cut off, or filled with zero bytes.
func tornTail(line []byte, whole bool) bool {
	return !whole || bytes.IndexByte(line, 0) >= 0
}
