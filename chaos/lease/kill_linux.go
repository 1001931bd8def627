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

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// NamespaceDir is where named network namespaces are, for every tool of this machine.
const NamespaceDir = "/run/netns"

// killTimeout limits how long killed processes may take to end. A process in an uninterruptible disk
// call ends only after the call.
const killTimeout = 10 * time.Second

// pollEvery is the interval at which conditions without a notification are checked.
const pollEvery = 5 * time.Millisecond

// startTime returns when a process was started, in clock ticks since the boot. Together with the
// process id it identifies a process, because ids are reused.
func startTime(pid int) (uint64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The second field is the name in parentheses and may hold anything.
	rest := string(data)
	if i := strings.LastIndexByte(rest, ')'); i >= 0 {
		rest = rest[i+1:]
	}
	const startField = 22 - 3 // the rest begins with the third field
	fields := strings.Fields(rest)
	if len(fields) <= startField {
		return 0, fmt.Errorf("reading the start time of process %d: malformed stat line", pid)
	}
	return strconv.ParseUint(fields[startField], 10, 64)
}

func bootID() string {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// ProcessesIn lists the processes that are in a network namespace, given by its inode, except
// this one and those that have ended and wait for their parent.
func ProcessesIn(inode uint64) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	want := fmt.Sprintf("net:[%d]", inode)
	var out []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		if have, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid)); err == nil && have == want {
			out = append(out, pid)
		}
	}
	return out, nil
}

// KillIn kills every process in a network namespace and waits until they are gone, also those
// that they start meanwhile.
func KillIn(inode uint64) error {
	for end := time.Now().Add(killTimeout); ; time.Sleep(pollEvery) {
		pids, err := ProcessesIn(inode)
		if err != nil || len(pids) == 0 {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("processes %v are still there %v after they were killed", pids, killTimeout)
		}
		for _, pid := range pids {
			if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("killing process %d: %w", pid, err)
			}
		}
	}
}

// Inode is the number by which a named network namespace is known to the kernel.
func Inode(name string) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(NamespaceDir, name), &st); err != nil {
		return 0, fmt.Errorf("looking at namespace %s: %w", name, err)
	}
	return st.Ino, nil
}

func namespaceNames() []string { return namesIn(NamespaceDir) }

func namesIn(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // not there: nothing is in it
	}
	var out []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), Prefix) {
			out = append(out, e.Name())
		}
	}
	return out
}

// RemoveNamespace kills the processes in a namespace and removes its name. The kernel removes the
// namespace and its interfaces with the last process and the last name.
func RemoveNamespace(name string) error {
	var killed error
	if isMounted(filepath.Join(NamespaceDir, name)) {
		inode, err := Inode(name)
		if err != nil {
			return err
		}
		killed = KillIn(inode)
	}
	err := netns.DeleteNamed(name)
	if errors.Is(err, unix.EINVAL) { // its owner died before it mounted anything there
		err = os.Remove(filepath.Join(NamespaceDir, name))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(killed, fmt.Errorf("removing namespace %s: %w", name, err))
	}
	return killed
}

func isMounted(path string) bool {
	for _, at := range mountPoints() {
		if at == path {
			return true
		}
	}
	return false
}

// unmountBelow detaches every mount in a directory, the innermost first.
func unmountBelow(dir string) error {
	points := mountPoints()
	var failed []error
	for i := len(points) - 1; i >= 0; i-- {
		if strings.HasPrefix(points[i], dir+"/") {
			if err := unix.Unmount(points[i], unix.MNT_DETACH); err != nil {
				failed = append(failed, fmt.Errorf("unmounting %s: %w", points[i], err))
			}
		}
	}
	return errors.Join(failed...)
}

// mountPoints lists this process's mounts in the order in which they were made.
func mountPoints() []string {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	defer f.Close()
	var out []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) > 4 {
			out = append(out, fields[4])
		}
	}
	return out
}
