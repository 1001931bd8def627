package linearizability

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/history/formats"
)

// ErrNoModel reports a history file that names no model, checked without one.
var ErrNoModel = errors.New("no model given and the history names none")

// CheckFile judges a history file of any format that package formats reads. With an empty modelName the model
// that the header names decides. The initial state is that of [WithInitial], or else the header's.
//
// The witness is read from the file that [WithWitnessFile] names, or else from the path that [WitnessPath]
// gives, if it exists. A history of which the end or other operations are missing is never valid. The
// details of the verdict tell what was decided while reading.
func CheckFile(ctx context.Context, path, modelName string, opts ...Option) (*Report, error) {
	o := newOptions(opts)
	h, err := ReadFile(path, o.witnessFile)
	if err != nil {
		return nil, err
	}
	if modelName == "" {
		modelName = h.Header.Model
	}
	if modelName == "" {
		return nil, fmt.Errorf("checking %s: %w: name one of %s", path, ErrNoModel,
			strings.Join(ModelNames(), ", "))
	}
	report, err := h.check(ctx, modelName, o, opts)
	if err != nil {
		return nil, fmt.Errorf("checking %s: %w", path, err)
	}
	return report, nil
}

// WitnessPath returns where the witness of a history file is looked for: witness.jsonl beside history.jsonl,
// and NAME.witness.jsonl beside NAME.jsonl.
func WitnessPath(path string) string {
	dir, file := filepath.Split(path)
	name := strings.TrimSuffix(file, filepath.Ext(file))
	if name == "history" {
		return dir + "witness.jsonl"
	}
	return dir + name + ".witness.jsonl"
}

// ReadFile reads a history file of any format that package formats reads, and its witness. If witnessPath is
// empty, the witness is the file that [WitnessPath] returns, and it may be missing.
func ReadFile(path, witnessPath string) (*History, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening history: %w", err)
	}
	defer file.Close()
	read, err := formats.Read(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	h := &History{Header: read.Header, Ops: read.Ops, Import: read}
	h.Witness, err = readWitnessFile(path, witnessPath)
	return h, err
}

func readWitnessFile(path, witnessPath string) (*Witness, error) {
	optional := witnessPath == ""
	if optional {
		witnessPath = WitnessPath(path)
	}
	file, err := os.Open(witnessPath)
	switch {
	case optional && errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("opening witness: %w", err)
	}
	defer file.Close()
	_, entries, torn, err := history.ReadWitness(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", witnessPath, err)
	}
	w, err := NewWitness(entries)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", witnessPath, err)
	}
	w.Partial = torn
	return w, nil
}
