package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// builder makes programs that hunt: this program, with the engine as it is or with a bug in it.
type builder struct{ dir string }

// clean builds the program as it is.
func (b *builder) clean(ctx context.Context) (string, error) { return b.build(ctx, "clean") }

// planted builds the program with a bug.
func (b *builder) planted(ctx context.Context, m *mutant) (string, error) {
	mutated, err := m.mutate()
	if err != nil {
		return "", err
	}
	replacement := filepath.Join(b.dir, m.Name+".go")
	if err := os.WriteFile(replacement, mutated, 0o600); err != nil {
		return "", err
	}
	original, err := filepath.Abs(filepath.FromSlash(m.File))
	if err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {original: replacement}})
	if err != nil {
		return "", err
	}
	overlayFile := filepath.Join(b.dir, m.Name+".json")
	if err := os.WriteFile(overlayFile, overlay, 0o600); err != nil {
		return "", err
	}
	return b.build(ctx, m.Name, "-overlay", overlayFile)
}

func (b *builder) build(ctx context.Context, name string, flags ...string) (string, error) {
	program := filepath.Join(b.dir, name+".exe")
	args := append(append([]string{"build"}, flags...), "-o", program, "./cmd/mutants")
	if out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", name, err, out)
	}
	return program, nil
}
