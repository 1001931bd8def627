package hostdriver

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// modulePath is where this project's commands are.
const modulePath = "github.com/holdfast-sim/holdfast/cmd/"

// BinDirEnv names an environment variable with the folder of the programs.
const BinDirEnv = "HOLDFAST_BIN_DIR"

// ErrNoProgram means that a program to drive was not found.
var ErrNoProgram = errors.New("program not found")

// Find looks for one of this project's programs: in the folder that HOLDFAST_BIN_DIR names, beside
// the running program, and, where the go command and the sources are, by building it into the
// user's cache; at last on the PATH. The result is absolute.
func Find(name string) (string, error) {
	if dir := os.Getenv(BinDirEnv); dir != "" {
		path, err := filepath.Abs(filepath.Join(dir, name))
		if err == nil {
			_, err = os.Stat(path)
		}
		if err != nil {
			return "", fmt.Errorf("%w: %s is not in %s=%s: %w", ErrNoProgram, name, BinDirEnv, dir, err)
		}
		return path, nil
	}
	beside := "."
	if self, err := os.Executable(); err == nil {
		beside = filepath.Dir(self)
		path := filepath.Join(beside, name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	built, buildErr := buildProgram(name)
	if buildErr == nil {
		return built, nil
	}
	if path, err := exec.LookPath(name); err == nil {
		return filepath.Abs(path)
	}
	return "", fmt.Errorf("%w: real nodes run %s, and it is neither beside this program nor on the PATH; "+
		"in the folder of the sources write `go build -o %s ./cmd/%s`, or set %s to the folder that it is "+
		"in "+
		"(building it "+
		"here failed: %w)", ErrNoProgram, name, beside, name, BinDirEnv, buildErr)
}

// buildProgram builds the program from the sources around the working directory. go build decides
// whether there is anything to do.
func buildProgram(name string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "holdfast", "bin")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	path := filepath.Join(dir, name)
	out, err := exec.Command("go", "build", "-o", path, modulePath+name).CombinedOutput()
	if err != nil {
		// The last line alone has the reason: a compiler's whole talk would hide what to do.
		lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
		return "", fmt.Errorf("%w %s", err, lines[len(lines)-1])
	}
	return path, nil
}
