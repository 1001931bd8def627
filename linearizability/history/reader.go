package history

import (
	"errors"
	"fmt"
	"io"
)

// stream is what the two readers share: lines, the header, and the torn end.
type stream struct {
	lines  *lineReader
	header Header
	peeked []byte // first line, if it was no header
	whole  bool
	torn   bool
	done   bool
}

// openStream reads the first line and decides whether it is a header.
func openStream(r io.Reader, format string) (stream, error) {
	s := stream{lines: newLineReader(r)}
	line, whole, err := s.lines.next()
	switch {
	case errors.Is(err, io.EOF):
		s.done = true
		return s, nil
	case err != nil:
		return stream{}, err
	}
	header, ok := headerOf(line)
	if !ok {
		s.peeked, s.whole = append([]byte(nil), line...), whole
		return s, nil
	}
	if err := header.check(format); err != nil {
		return stream{}, err
	}
	s.header = header
	return s, nil
}

// Header returns the header; the zero value if the file has none.
func (s *stream) Header() Header { return s.header }

// Torn reports whether the last line was cut off, as a crash of the writer leaves it. What came before it
// was all returned. It is meaningful after Next has returned [io.EOF].
func (s *stream) Torn() bool { return s.torn }

func (s *stream) line() ([]byte, bool, error) {
	if s.done {
		return nil, false, io.EOF
	}
	if s.peeked != nil {
		line := s.peeked
		s.peeked = nil
		return line, s.whole, nil
	}
	return s.lines.next()
}

// endsTorn is asked about a line that does not decode: is it the last one, and cut off?
func (s *stream) endsTorn(line []byte, whole bool) bool {
	if !tornTail(line, whole) {
		return false
	}
	if _, _, err := s.lines.next(); !errors.Is(err, io.EOF) {
		return false
	}
	s.torn, s.done = true, true
	return true
}

// maxShownBytes bounds what an error shows of a line.
const maxShownBytes = 60

// Reader reads an event stream from start to end.
type Reader struct {
	stream
	next int64
	fast fastDecoder
}

// NewReader reads the header line, if there is one. A file without a header is accepted: its first line
// is then an event.
func NewReader(r io.Reader) (*Reader, error) {
	s, err := openStream(r, Format)
	if err != nil {
		return nil, fmt.Errorf("reading history: %w", err)
	}
	return &Reader{stream: s}, nil
}

// Next returns the next event, or [io.EOF] at the end. An event without an index gets its position. An
// error names the line.
func (r *Reader) Next() (Event, error) {
	var event Event
	line, whole, err := r.line()
	switch {
	case errors.Is(err, io.EOF):
		return event, io.EOF
	case err != nil:
		return event, fmt.Errorf("reading history: %w", err)
	}
	if r.fast.decode(line, &event) {
		return r.counted(event), nil
	}
	if err := event.UnmarshalJSON(line); err != nil {
		number, found := r.lines.number, string(line[:min(len(line), maxShownBytes)])
		if r.endsTorn(line, whole) {
			return Event{}, io.EOF
		}
		return Event{}, fmt.Errorf("reading history, line %d: %w, found %q", number, err, found)
	}
	return r.counted(event), nil
}

func (r *Reader) counted(event Event) Event {
	if event.Index == 0 {
		event.Index = r.next
	}
	r.next = event.Index + 1
	return event
}

// ReadAll reads every event. torn is what [Reader.Torn] reports.
func ReadAll(in io.Reader) (header Header, events []Event, torn bool, err error) {
	r, err := NewReader(in)
	if err != nil {
		return Header{}, nil, false, err
	}
	for {
		event, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return r.header, events, r.torn, nil
		case err != nil:
			return r.header, events, false, err
		}
		events = append(events, event)
	}
}

// ReadOperations reads a history and derives its operations, as [Operations] does, without keeping the
// events. torn is what [Reader.Torn] reports.
func ReadOperations(in io.Reader) (header Header, ops []Operation, torn bool, err error) {
	return readOperations(in, nil)
}

// ReadInOrder reads a history as [ReadOperations] does, and puts events with equal times in the order of the
// lines. Where times run backwards it stops at once and returns [ErrBackwards]: the lines then have no order
// that the times agree with.
func ReadInOrder(in io.Reader) (header Header, ops []Operation, torn bool, ties int, err error) {
	var line timeline
	header, ops, torn, err = readOperations(in, &line)
	return header, ops, torn, line.ties, err
}

func readOperations(in io.Reader, line *timeline) (header Header, ops []Operation, torn bool, err error) {
	r, err := NewReader(in)
	if err != nil {
		return Header{}, nil, false, err
	}
	o := newOpener()
	for {
		event, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return r.header, ops, r.torn, nil
		case err != nil:
			return r.header, ops, false, err
		}
		if line != nil && !line.place(&event) {
			return r.header, nil, false, fmt.Errorf("reading history, line %d: %w", r.lines.number,
				ErrBackwards)
		}
		if ops, err = o.next(ops, &event); err != nil {
			return r.header, nil, false, err
		}
	}
}
