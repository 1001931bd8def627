package history

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// ErrWitness reports JSON that is no witness entry.
var ErrWitness = errors.New("not a witness entry")

// WitnessWriter appends entries to a stream as JSONL, like [Writer].
type WitnessWriter struct {
	out *bufio.Writer
}

// NewWitnessWriter writes the header line. Format and Version are filled in.
func NewWitnessWriter(w io.Writer, header Header) (*WitnessWriter, error) {
	header.Format, header.Version = WitnessFormat, Version
	out := bufio.NewWriterSize(w, writerBufferBytes)
	if err := writeHeader(out, header); err != nil {
		return nil, fmt.Errorf("writing witness: %w", err)
	}
	return &WitnessWriter{out: out}, nil
}

// Append writes one entry.
func (w *WitnessWriter) Append(entry WitnessEntry) error {
	line, err := json.Marshal(entry)
	if err != nil {
		return fmt.Errorf("encoding witness entry %d: %w", entry.Rev, err)
	}
	if _, err := w.out.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("writing witness entry %d: %w", entry.Rev, err)
	}
	return nil
}

// Flush hands everything appended so far to the underlying writer.
func (w *WitnessWriter) Flush() error {
	if err := w.out.Flush(); err != nil {
		return fmt.Errorf("flushing witness: %w", err)
	}
	return nil
}

// WitnessReader reads a witness stream.
type WitnessReader struct {
	stream
}

// NewWitnessReader reads the header line, if there is one.
func NewWitnessReader(in io.Reader) (*WitnessReader, error) {
	s, err := openStream(in, WitnessFormat)
	if err != nil {
		return nil, fmt.Errorf("reading witness: %w", err)
	}
	return &WitnessReader{stream: s}, nil
}

// Next returns the next entry, or [io.EOF] at the end. An error names the line.
func (r *WitnessReader) Next() (WitnessEntry, error) {
	line, whole, err := r.line()
	switch {
	case errors.Is(err, io.EOF):
		return WitnessEntry{}, io.EOF
	case err != nil:
		return WitnessEntry{}, fmt.Errorf("reading witness: %w", err)
	}
	entry, err := decodeWitness(line)
	if err == nil {
		return entry, nil
	}
	number := r.lines.number
	if r.endsTorn(line, whole) {
		return WitnessEntry{}, io.EOF
	}
	return WitnessEntry{}, fmt.Errorf("reading witness, line %d: %w: %w", number, ErrWitness, err)
}

func decodeWitness(line []byte) (WitnessEntry, error) {
	var entry WitnessEntry
	if err := json.Unmarshal(line, &entry); err != nil {
		return entry, err
	}
	switch entry.Kind {
	case WitnessApply, WitnessInstall, WitnessTree:
		return entry, nil
	}
	return entry, fmt.Errorf("kind %q is none of install, tree", entry.Kind)
}

// ReadWitness reads every entry. torn is what [Reader.Torn] reports.
func ReadWitness(in io.Reader) (header Header, entries []WitnessEntry, torn bool, err error) {
	r, err := NewWitnessReader(in)
	if err != nil {
		return Header{}, nil, false, err
	}
	for {
		entry, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return r.header, entries, r.torn, nil
		case err != nil:
			return r.header, entries, false, err
		}
		entries = append(entries, entry)
	}
}
