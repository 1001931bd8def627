package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
)

// builder makes programs that hunt: this program, with the engine as it is or with a bug in it.
type builder struct{ workDir string }

// buildClean builds the program as it is.
func (b *builder) buildClean(ctx context.Context) (string, error) { return b.build(ctx, "clean") }

// buildPlanted builds the program with a bug.
func (b *builder) buildPlanted(ctx context.Context, m *mutant) (string, error) {
	overlay, err := b.writeOverlay(m)
	if err != nil {
		return "", err
	}
	return b.build(ctx, m.Name, "-overlay", overlay)
}

// compiles builds no more than the package that the bug is in, which is what a bug can break.
func (b *builder) compiles(ctx context.Context, m *mutant) error {
	overlay, err := b.writeOverlay(m)
	if err != nil {
		return err
	}
	pkg := "./" + path.Dir(m.File)
	if out, err := exec.CommandContext(ctx, "go", "build", "-overlay", overlay,
		pkg).CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", m.Name, err, out)
	}
	return nil
}

// writeOverlay writes what puts a bug into the place of the right code.
func (b *builder) writeOverlay(m *mutant) (string, error) {
	mutated, err := m.mutate()
	if err != nil {
		return "", err
	}
	replacement := filepath.Join(b.workDir, m.Name+".go")
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
	file := filepath.Join(b.workDir, m.Name+".json")
	return file, os.WriteFile(file, overlay, 0o600)
}

func (b *builder) build(ctx context.Context, name string, flags ...string) (string, error) {
	program := filepath.Join(b.workDir, name+".exe")
	args := append(append([]string{"build"}, flags...), "-o", program, "./cmd/mutants")
	if out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", name, err, out)
	}
	return program, nil
}

// buildHarness builds the harness alone, with a bug unless m is nil. The program depends on the sources, not
// on the commit.
func (b *builder) buildHarness(ctx context.Context, m *mutant) (string, error) {
	name, args := "unchanged", []string{"build", "-buildvcs=false"}
	if m != nil {
		overlay, err := b.writeOverlay(m)
		if err != nil {
			return "", err
		}
		name, args = m.Name, append(args, "-overlay", overlay)
	}
	program := filepath.Join(b.workDir, name+"-holdfast"+exeSuffix())
	args = append(args, "-o", program, "./cmd/holdfast")
	if out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the harness of %s: %w\n%s", name, err, out)
	}
	return program, nil
}

// buildPrograms builds the harness and the daemon that it drives, with a bug unless m is nil, into a
// folder of their own.
func (b *builder) buildPrograms(ctx context.Context, m *mutant) (string, error) {
	name, args := "clean", []string{"build"}
	if m != nil {
		overlay, err := b.writeOverlay(m)
		if err != nil {
			return "", err
		}
		name, args = m.Name, append(args, "-overlay", overlay)
	}
	dir := filepath.Join(b.workDir, name+".bin")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	args = append(args, "-o", dir+string(filepath.Separator), "./cmd/holdfast", "./cmd/holdfastd")
	if out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the programs of %s: %w\n%s", name, err, out)
	}
	return dir, nil
}
