package lease

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// CgroupRoot is where the version 2 hierarchy of control groups is mounted; "" when there is
// none. On machines with both versions it is usually /sys/fs/cgroup/unified.
func CgroupRoot() string {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		// …id parent dev root mount-point options… - type source options
		before, after, ok := strings.Cut(lines.Text(), " - ")
		fields := strings.Fields(before)
		if ok && strings.HasPrefix(after, "cgroup2 ") && len(fields) > 4 {
			return fields[4]
		}
	}
	return ""
}

func cgroupNames() []string {
	root := CgroupRoot()
	if root == "" {
		return nil
	}
	return namesIn(root)
}

// Cgroup is a control group of version 2.
type Cgroup struct{ dir string }

// ErrNoCgroup means that this machine offers no control groups of version 2 to this user.
var ErrNoCgroup = errors.New("no version 2 control groups here")

// NewCgroup makes a control group. It belongs to the run that its name carries.
func NewCgroup(name string) (*Cgroup, error) {
	root := CgroupRoot()
	if root == "" {
		return nil, ErrNoCgroup
	}
	dir := filepath.Join(root, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoCgroup, err)
	}
	c := &Cgroup{dir: dir}
	if _, err := os.Stat(filepath.Join(dir, "cgroup.freeze")); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrNoCgroup, err), os.Remove(dir))
	}
	return c, nil
}

// Open opens the control group's directory, for starting processes in it.
func (c *Cgroup) Open() (*os.File, error) { return os.Open(c.dir) }

// freezeTimeout limits how long a control group may take to freeze.
const freezeTimeout = 5 * time.Second

// Freeze freezes or thaws the group. When it freezes, it waits until every process has stopped.
func (c *Cgroup) Freeze(on bool) error {
	value := "0"
	if on {
		value = "1"
	}
	if err := os.WriteFile(filepath.Join(c.dir, "cgroup.freeze"), []byte(value), 0); err != nil {
		return fmt.Errorf("freezing %s: %w", c.dir, err)
	}
	for end := time.Now().Add(freezeTimeout); ; time.Sleep(time.Millisecond) {
		events, err := os.ReadFile(filepath.Join(c.dir, "cgroup.events"))
		if err != nil {
			return fmt.Errorf("freezing %s: %w", c.dir, err)
		}
		if strings.Contains(string(events), "frozen "+value) {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("freezing %s: it still moves after %v", c.dir, freezeTimeout)
		}
	}
}

// Kill kills every process that is in the group now. It does not use cgroup.kill: some kernels
// (6.18 is one) then kill whatever is later started directly in the group, too.
func (c *Cgroup) Kill() error {
	pids, err := c.pids()
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("killing process %d: %w", pid, err)
		}
	}
	return nil
}

func (c *Cgroup) pids() ([]int, error) {
	data, err := os.ReadFile(filepath.Join(c.dir, "cgroup.procs"))
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", c.dir, err)
	}
	var out []int
	for _, field := range strings.Fields(string(data)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			return nil, fmt.Errorf("listing %s: %w", c.dir, err)
		}
		out = append(out, pid)
	}
	return out, nil
}

// Remove kills what is in the group and removes it.
func (c *Cgroup) Remove() error {
	for end := time.Now().Add(killTimeout); ; time.Sleep(pollEvery) {
		err := os.Remove(c.dir)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("removing %s: %w", c.dir, err)
		}
		if err := c.Kill(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
}

func removeCgroup(name string) error {
	return (&Cgroup{dir: filepath.Join(CgroupRoot(), name)}).Remove()
}
