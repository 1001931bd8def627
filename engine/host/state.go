package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/host/internal/hostdisk"
	"github.com/holdfast-sim/holdfast/engine/host/internal/incarnation"
)

// stateFile is the file with the host's state, in the machine's directory.
const stateFile = "host.json"

// savedState is what a host must remember over restarts of the program.
type savedState struct {
	BootID       string            `json:"boot_id"`
	Boot         uint64            `json:"boot"`
	Incarnations map[string]uint64 `json:"incarnations"`
	Skew         skew              `json:"skew"`
}

// loadState reads the state. It counts a boot if the boot id has changed.
func loadState(dir, bootID string) (savedState, error) {
	s := savedState{Incarnations: map[string]uint64{}}
	path := filepath.Join(dir, stateFile)
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s, fmt.Errorf("reading the host's state: %w", err)
	}
	if err == nil {
		if err := json.Unmarshal(data, &s); err != nil {
			return s, fmt.Errorf("reading %s: %w; delete the file to count starts and boots from 1 again",
				path, err)
		}
	}
	if s.Incarnations == nil {
		s.Incarnations = map[string]uint64{}
	}
	if s.Boot == 0 || s.BootID != bootID {
		s.Boot++
		s.BootID = bootID
		s.Skew = skew{} // the monotonic clock it was anchored to is gone
	}
	return s, nil
}

// save writes the state durably.
func (s *savedState) save(root *os.Root) error {
	data, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encoding the host's state: %w", err)
	}
	d := hostdisk.New(root, incarnation.New(0, incarnation.NewGate())) // never paused, never ended
	return env.ReplaceFile(d, stateFile, data)
}
