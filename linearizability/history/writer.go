package history

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
)

// writerBufferBytes is what a Writer holds back before it writes on its own.
const writerBufferBytes = 64 << 10

// Writer appends events to a stream as JSONL. Lines are written whole and in order, so a crash can cut
// off only the end, which [Reader] accepts. It is not safe for use by several goroutines.
type Writer struct {
	out  *bufio.Writer
	line []byte
	next int64
	err  error
}

// NewWriter writes the header line and returns a Writer. Format and Version are filled in.
func NewWriter(w io.Writer, header Header) (*Writer, error) {
	header.Format, header.Version = Format, Version
	out := bufio.NewWriterSize(w, writerBufferBytes)
	if err := writeHeader(out, header); err != nil {
		return nil, fmt.Errorf("writing history: %w", err)
	}
	return &Writer{out: out}, nil
}

func writeHeader(out *bufio.Writer, header Header) error {
	line, err := json.Marshal(header)
	if err != nil {
		return fmt.Errorf("encoding header: %w", err)
	}
	_, err = out.Write(append(line, '\n'))
	return err
}

// Append writes one event. Its Index is replaced by its position in the stream. The first error sticks.
func (w *Writer) Append(event Event) error {
	event.Index = w.next
	return w.write(event)
}

// AppendAsIs writes one event with the index that it has.
func (w *Writer) AppendAsIs(event Event) error { return w.write(event) }

func (w *Writer) write(event Event) error {
	if w.err != nil {
		return w.err
	}
	line, err := event.AppendJSON(w.line[:0])
	if err != nil {
		return err // nothing was written; the stream is still good
	}
	w.line = append(line, '\n')
	if _, err := w.out.Write(w.line); err != nil {
		w.err = fmt.Errorf("writing history event %d: %w", event.Index, err)
		return w.err
	}
	w.next = event.Index + 1
	return nil
}

// Flush hands everything appended so far to the underlying writer. Call it at the end, and wherever a
// crash must not lose what came before.
func (w *Writer) Flush() error {
	if w.err != nil {
		return w.err
	}
	if err := w.out.Flush(); err != nil {
		w.err = fmt.Errorf("flushing history: %w", err)
	}
	return w.err
}

// WriteAll writes a whole history with the indexes that the events have.
func WriteAll(out io.Writer, header Header, events []Event) error {
	w, err := NewWriter(out, header)
	if err != nil {
		return err
	}
	for i := range events {
		if err := w.AppendAsIs(events[i]); err != nil {
			return err
		}
	}
	return w.Flush()
}
