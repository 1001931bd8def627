// Package formats reads a history file of any format that the project knows, told by its content and never
// by its name, and states what it decided: the format, the order of the events, what a failure means, keys,
// and whether the end is missing.
//
// It never judges a history, and it never guesses in silence: what it does not understand is an error that
// names the line, what stands there and the formats that it reads.
package formats

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/history/jepsen"
)

// Format names a format.
type Format string

// The formats, in the order in which a file is tried.
const (
	Own        Format = "holdfast"      // events of JSON with the short names of Holdfast
	JepsenJSON Format = "jepsen-json"   // events of JSON with Jepsen's names
	Etcd       Format = "etcd"          // operations.json of etcd's robustness tests
	JepsenEDN  Format = "jepsen-edn"    // events of EDN
	Porcupine  Format = "porcupine-log" // lines of a logger without times, as porcupine's etcd data
	JepsenLog  Format = "jepsen-log"    // lines of Jepsen's logger
	JepsenText Format = "jepsen-text"   // history.txt of Jepsen's store
)

// about describes each format in a few words.
var about = []struct {
	format Format
	text   string
}{
	{Own, "Holdfast's history.jsonl"},
	{JepsenJSON, "JSON events with Jepsen's names (type, process, f, value), as lines or one array"},
	{Etcd, "operations.json of etcd's robustness tests"},
	{JepsenEDN, "EDN events, as maps, one vector or one list"},
	{Porcupine, "etcd logs of porcupine (INFO jepsen.util - 0 :invoke :read nil)"},
	{JepsenLog, "jepsen.log (INFO [worker] jepsen.util: 0 :invoke :read nil)"},
	{JepsenText, "Jepsen's history.txt (0 :invoke :read nil)"},
}

// About returns the format's name for people.
func (f Format) About() string {
	for _, a := range about {
		if a.format == f {
			return a.text
		}
	}
	return string(f)
}

// List describes all formats, one each.
func List() []string {
	list := make([]string, len(about))
	for i, a := range about {
		list[i] = a.text
	}
	return list
}

// ErrUnreadable reports a file that is no history of any known format, or a damaged one.
var ErrUnreadable = errors.New("cannot read this history")

// FailureMeaning is what it means that a call failed.
type FailureMeaning string

const (
	// FailedByFormat means the meaning that the format has: Observed in Holdfast's own files, in etcd's and
	// in porcupine's etcd logs, DidNotHappen in all of Jepsen's.
	FailedByFormat FailureMeaning = ""
	// DidNotHappen means that the call had no effect, for whatever reason, and says nothing about the state.
	DidNotHappen FailureMeaning = "did-not-happen"
	// Observed means that the call was refused because of the state, as far as its error allows that: a
	// compare-and-set without an error, or with that of a mismatch, found another value.
	Observed FailureMeaning = "observed"
)

// ErrFailureMeaning reports a word that is no meaning of a failure.
var ErrFailureMeaning = errors.New("unknown meaning of failed calls")

// ParseFailureMeaning decodes a meaning of failed calls.
func ParseFailureMeaning(word string) (FailureMeaning, error) {
	switch f := FailureMeaning(word); f {
	case FailedByFormat, DidNotHappen, Observed:
		return f, nil
	}
	return "", fmt.Errorf("%w %q: use %s or %s", ErrFailureMeaning, word, DidNotHappen, Observed)
}

// Import is a history with how it was read.
type Import struct {
	Format Format
	Header history.Header
	// Ops are the operations in the order of the file.
	Ops []history.Operation
	// ByTime are the operations in the order of the recorded times, where that contradicts the order of the
	// file and is possible; else nil.
	ByTime []history.Operation
	// Torn is why the end of the history is missing; it is empty for a whole one.
	Torn string
	// Missing is why operations must be missing that the recorded ones depend on; else it is empty.
	Missing string
	// Failed is what the format means by a failed call.
	Failed FailureMeaning
	// FreeNil is whether a read of nil says nothing, as in Knossos's registers.
	FreeNil bool
	// OpenStart is whether the format leaves open which value a register has before the first write.
	OpenStart bool
	// Notes are sentences about what was decided while reading.
	Notes []string
}

// Read reads a history file from its beginning.
func Read(in io.ReadSeeker) (*Import, error) {
	format, err := detect(in)
	if err != nil {
		return nil, err
	}
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("going back to the start of a history: %w", err)
	}
	r, err := readers[format](in)
	if errors.Is(err, jepsen.ErrEmpty) {
		return nil, unknown(in)
	}
	if err != nil {
		return nil, fmt.Errorf("%w, which looks like %s: %w; formats that are read: %s", ErrUnreadable,
			format.About(), err, strings.Join(List(), "; "))
	}
	r.Notes = append([]string{"format: " + r.Format.About()}, r.Notes...)
	return r, nil
}

// unknown is the error for a file that is like no format.
func unknown(in io.ReadSeeker) error {
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("going back to the start of a history: %w", err)
	}
	lines := bufio.NewScanner(skipMark(in))
	first := ""
	number := 0
	for strings.TrimSpace(first) == "" && lines.Scan() {
		first = lines.Text()
		number++
	}
	return fmt.Errorf("%w: no line is an operation; line %d is %.60q; formats that are read: %s",
		ErrUnreadable, number, first, strings.Join(List(), "; "))
}

// skipMark skips a byte order mark.
func skipMark(in io.Reader) *bufio.Reader {
	buffered := bufio.NewReader(in)
	if head, _ := buffered.Peek(len(byteOrderMark)); string(head) == byteOrderMark {
		_, _ = buffered.Discard(len(byteOrderMark)) // they were seen
	}
	return buffered
}

const byteOrderMark = "\ufeff"
