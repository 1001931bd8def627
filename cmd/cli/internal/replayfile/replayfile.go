// Package replayfile reads what is needed to make a recorded run again.
//
// Package replayfile never runs anything.
package replayfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/holdfast-sim/holdfast/cmd/cli/internal/sources"
	"github.com/holdfast-sim/holdfast/reports"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// Read reads a replay file and the scenario beside it.
func Read(file string) (sources.Source, *reports.Replay, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return sources.Source{}, nil, fmt.Errorf("reading replay file: %w", err)
	}
	r, err := reports.DecodeReplay(data)
	if err != nil {
		return sources.Source{}, nil, fmt.Errorf("reading replay file %s: %w", file, err)
	}
	if r.File == "" || filepath.IsAbs(r.File) || strings.Contains(filepath.ToSlash(r.File), "..") {
		return sources.Source{}, nil, fmt.Errorf(
			"reading replay file %s: file %q is not a path below its folder", file, r.File)
	}
	path := filepath.Join(filepath.Dir(file), filepath.FromSlash(r.File))
	text, err := os.ReadFile(path)
	if err != nil {
		return sources.Source{}, nil, fmt.Errorf("reading the scenario of %s: %w", file, err)
	}
	return sources.Source{Word: path, File: path, Data: text}, &r, nil
}

// Options returns the options with which a recorded run is made again. It fails for a mode or replaced draws
// that it cannot read.
func Options(r *reports.Replay) (scenarios.RunOptions, error) {
	o := scenarios.RunOptions{Seed: r.Seed, KeepLogs: true}
	switch r.Mode {
	case reports.ModeDerive:
	case reports.ModeZero:
		o.ZeroDraws = true
	default:
		return o, fmt.Errorf("mode %q: write %s or %s", r.Mode, reports.ModeDerive, reports.ModeZero)
	}
	if len(r.Overrides) > 0 {
		dec := json.NewDecoder(bytes.NewReader(r.Overrides))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&o.Overrides); err != nil {
			return o, fmt.Errorf("overrides: %w", err)
		}
	}
	return o, nil
}
