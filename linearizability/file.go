package linearizability

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/history/jepsen"
)

// ErrNoModel reports a history file that names no model, checked without one.
var ErrNoModel = errors.New("no model given and the history names none")

// CheckFile judges a history file. With an empty modelName the model that the header names decides. The
// initial state is the header's.
//
// The witness is read from the file that [WithWitnessFile] names, or else from the path that [WitnessPath]
// gives, if it exists.
func CheckFile(ctx context.Context, path, modelName string, opts ...Option) (*Report, error) {
	h, err := ReadFile(path, newOptions(opts).witnessFile)
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
	check, err := intervalCheck(modelName, h.Header.Initial)
	if err != nil {
		return nil, fmt.Errorf("checking %s: %w", path, err)
	}
	if check != nil {
		return reportOf(check(h.Ops), len(h.Ops)), nil
	}
	m, err := modelByName(modelName, h.Header.Initial)
	if err != nil {
		return nil, fmt.Errorf("checking %s: %w", path, err)
	}
	report, err := Check(ctx, m, h, opts...)
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

// ReadFile reads a history file and its witness. The history may be JSONL, EDN or a Jepsen log;
// ReadFile recognizes the format by the first bytes. If witnessPath is empty, the witness is the
// file that [WitnessPath] returns, and it may be missing.
func ReadFile(path, witnessPath string) (*History, error) {
	h, err := readOperations(path)
	if err != nil {
		return nil, err
	}
	h.Witness, err = readWitnessFile(path, witnessPath)
	return h, err
}

// sniffBytes is how much of a file decides about its format.
const sniffBytes = 4096

func readOperations(path string) (*History, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening history: %w", err)
	}
	defer file.Close()
	in := bufio.NewReaderSize(file, sniffBytes)
	head, err := in.Peek(sniffBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	h := &History{}
	var events []history.Event
	switch {
	case jepsen.IsEDN(head):
		events, err = jepsen.ReadEDN(in)
	case jepsen.IsLog(head):
		events, err = jepsen.ReadLog(in)
	default:
		h.Header, h.Ops, _, err = history.ReadOperations(in)
	}
	if err == nil && events != nil {
		h.Ops, err = history.Operations(events)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return h, nil
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
