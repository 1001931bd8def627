package lease

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Prefix begins the name of every namespace and control group of a run.
const Prefix = "holdfast-"

// DefaultRoot is where runs live unless HOLDFAST_STATE_DIR names another directory. The path is short
// because the paths of unix sockets below it must be.
const DefaultRoot = "/run/holdfast"

// Root is the directory of all runs of this machine.
func Root() string {
	if dir := os.Getenv("HOLDFAST_STATE_DIR"); dir != "" {
		return dir
	}
	return DefaultRoot
}

// Lease is a run that this process owns.
type Lease struct {
	// ID is unique among the runs of this machine and names its owner.
	ID string
	// Dir is the run's directory.
	Dir string
}

// runOwner is the content of the owner file.
type runOwner struct {
	PID       int    `json:"pid"`
	StartTime uint64 `json:"start_time"` // of the process, in clock ticks since the boot
	BootID    string `json:"boot_id"`
	Created   string `json:"created"`
}

const (
	ownerFile = "owner.json"
	// newPrefix begins the name of a run's directory until its owner file is written.
	newPrefix = ".new-"
	// newGrace is how long a directory without an owner file is left alone.
	newGrace = time.Minute
)

// runID names a run and its owner: process id, start time and a random part. So the name alone shows
// whether leftovers of a run still have a running owner.
func runID(pid int, start uint64) string {
	random := make([]byte, 2)
	_, _ = rand.Read(random)
	return fmt.Sprintf("%d.%d.%s", pid, start, hex.EncodeToString(random))
}

// parseID reads a run's id.
func parseID(id string) (pid int, start uint64, ok bool) {
	parts := strings.Split(id, ".")
	if len(parts) != 3 {
		return 0, 0, false
	}
	pid, err1 := strconv.Atoi(parts[0])
	start, err2 := strconv.ParseUint(parts[1], 10, 64)
	random, err3 := hex.DecodeString(parts[2])
	return pid, start, err1 == nil && err2 == nil && err3 == nil && len(random) == 2
}

// isRunning reports whether the process with this id and start time still runs.
func isRunning(pid int, start uint64) bool {
	have, err := startTime(pid)
	return err == nil && have == start
}

// Take begins a run.
func Take(root string) (*Lease, error) {
	start, err := startTime(os.Getpid())
	if err != nil {
		return nil, fmt.Errorf("taking a lease: %w", err)
	}
	id := runID(os.Getpid(), start)
	data, err := json.Marshal(runOwner{PID: os.Getpid(), StartTime: start, BootID: bootID(),
		Created: time.Now().UTC().Format(time.RFC3339)})
	if err != nil {
		return nil, fmt.Errorf("taking a lease: %w", err)
	}
	fresh, dir := filepath.Join(root, newPrefix+id), filepath.Join(root, id)
	if err := os.MkdirAll(fresh, 0o755); err != nil {
		return nil, fmt.Errorf("taking a lease: %w", err)
	}
	if err := os.WriteFile(filepath.Join(fresh, ownerFile), data, 0o644); err != nil {
		return nil, fmt.Errorf("taking a lease: %w", err)
	}
	if err := os.Rename(fresh, dir); err != nil {
		return nil, fmt.Errorf("taking a lease: %w", err)
	}
	return &Lease{ID: id, Dir: dir}, nil
}

// Name is the name of the run's n-th namespace and control group.
func (l *Lease) Name(n int) string { return fmt.Sprintf("%s%s-%d", Prefix, l.ID, n+1) }

// Return ends the run and removes everything that belongs to it.
func (l *Lease) Return() error { return removeRun(filepath.Dir(l.Dir), l.ID) }

// Orphans are the ids of runs whose owner is gone, sorted.
func Orphans(root string) ([]string, error) {
	seen := map[string]bool{} // id -> is an orphan
	entries, err := os.ReadDir(root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("looking for runs without an owner: %w", err)
	}
	for _, e := range entries {
		id, unfinished := strings.CutPrefix(e.Name(), newPrefix)
		if _, _, ok := parseID(id); !e.IsDir() || !ok {
			continue
		}
		seen[id] = !ownedByLiveProcess(filepath.Join(root, e.Name()), unfinished)
	}
	for _, name := range append(namespaceNames(), cgroupNames()...) {
		id, _, _ := strings.Cut(strings.TrimPrefix(name, Prefix), "-")
		pid, start, ok := parseID(id)
		if _, known := seen[id]; !known && ok {
			seen[id] = !isRunning(pid, start)
		}
	}
	var out []string
	for id, orphan := range seen {
		if orphan {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out, nil
}

// Clean removes every run whose owner is gone and returns their ids.
func Clean(root string) ([]string, error) {
	ids, err := Orphans(root)
	if err != nil {
		return nil, err
	}
	var failed []error
	for _, id := range ids {
		failed = append(failed, removeRun(root, id))
	}
	return ids, errors.Join(failed...)
}

// ownedByLiveProcess reports whether a run's owner still runs. A directory without an owner file counts as
// owned for newGrace.
func ownedByLiveProcess(dir string, unfinished bool) bool {
	data, err := os.ReadFile(filepath.Join(dir, ownerFile))
	var o runOwner
	if err != nil || json.Unmarshal(data, &o) != nil {
		info, err := os.Stat(dir)
		return unfinished && err == nil && time.Since(info.ModTime()) < newGrace
	}
	return o.BootID == bootID() && isRunning(o.PID, o.StartTime)
}

// removeRun removes what belongs to a run: processes first, since they hold the rest.
func removeRun(root, id string) error {
	prefix := Prefix + id + "-"
	var failed []error
	for _, name := range namespaceNames() {
		if strings.HasPrefix(name, prefix) {
			failed = append(failed, RemoveNamespace(name))
		}
	}
	for _, name := range cgroupNames() {
		if strings.HasPrefix(name, prefix) {
			failed = append(failed, removeCgroup(name))
		}
	}
	for _, dir := range []string{filepath.Join(root, id), filepath.Join(root, newPrefix+id)} {
		failed = append(failed, unmountBelow(dir), os.RemoveAll(dir))
	}
	if err := errors.Join(failed...); err != nil {
		return fmt.Errorf("cleaning up run %s: %w", id, err)
	}
	return nil
}
