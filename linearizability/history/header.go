package history

import (
	"encoding/json"
	"errors"
	"fmt"
)

const (
	// Format names the event stream in its header line.
	Format = "holdfast-history"
	// WitnessFormat names the witness stream in its header line.
	WitnessFormat = "holdfast-witness"
	// Version is the newest version of both formats that this package reads and the one it writes.
	Version = 1
)

// ErrFormat reports a header that belongs to another kind of file or to a newer version.
var ErrFormat = errors.New("unsupported history format")

// Clock kinds for [Header.Clock].
const (
	ClockVirtual   = "virtual"   // the simulator's time
	ClockMonotonic = "monotonic" // CLOCK_MONOTONIC of the harness
)

// Header is the first line of a history or witness file. All members may be empty in a file that
// was not written here.
type Header struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	// Seed and Scenario name the run that was recorded.
	Seed     uint64 `json:"seed,omitempty"`
	Scenario string `json:"scenario,omitempty"`
	// Clock is the kind of clock behind the times, see [ClockVirtual] and [ClockMonotonic].
	Clock string `json:"clock,omitempty"`
	// Model is the name of the model that the history is meant for, such as "store".
	Model string `json:"model,omitempty"`
	// Initial is the state before the first event, in the words of the model; empty means its default.
	Initial json.RawMessage `json:"initial,omitempty"`
}

func (h *Header) check(want string) error {
	switch {
	case h.Format == "":
		return nil
	case h.Format != want:
		return fmt.Errorf("%w: the header says %q, expected %q", ErrFormat, h.Format, want)
	case h.Version < 1 || h.Version > Version:
		return fmt.Errorf("%w: version %d of %s; this program reads up to version %d",
			ErrFormat, h.Version, want, Version)
	}
	return nil
}

// headerOf decodes line if it is a header, told by its member "format".
func headerOf(line []byte) (Header, bool) {
	var h Header
	if json.Unmarshal(line, &h) != nil || h.Format == "" {
		return Header{}, false
	}
	return h, true
}
