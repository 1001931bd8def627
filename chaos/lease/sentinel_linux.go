package lease

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// Sentinel is a process that outlives the owner of a run: when the owner has ended for any reason,
// the sentinel kills everything on the run's nodes at once. Names and directories remain, and the
// next run removes them.
type Sentinel struct {
	cmd       *exec.Cmd
	ownerPipe io.WriteCloser // the owner's end; the kernel closes it when the owner ends
}

// sentinelScript waits for a line from its owner. At the end of input without a line the owner has
// died: the script kills every process in the control groups (c FILE) and in the network namespaces
// (n INODE) of its arguments, until none is left, for a limited number of rounds.
const sentinelScript = `
read word
[ "$word" = relieved ] && exit 0
round=0
while [ $round -lt 200 ]; do
	left=
	for at in "$@"; do
		case $at in
		c*) while read -r pid; do kill -9 "$pid" 2>/dev/null && left=1; done < "${at#c}" ;;
		n*) for ns in /proc/[0-9]*/ns/net; do
				if [ "$(readlink "$ns" 2>/dev/null)" = "net:[${at#n}]" ]; then
					pid=${ns#/proc/}
					kill -9 "${pid%%/*}" 2>/dev/null && left=1
				fi
			done ;;
		esac
	done 2>/dev/null
	[ -z "$left" ] && exit 0
	round=$((round + 1))
	sleep 0.05
done
exit 1
`

// KillTarget identifies what a sentinel kills: a node's control group, or its network namespace where
// there are no control groups.
type KillTarget string

// CgroupTarget returns the target of a control group.
func CgroupTarget(c *Cgroup) KillTarget {
	return KillTarget("c" + filepath.Join(c.dir, "cgroup.procs"))
}

// NamespaceTarget returns the target of a network namespace, given by its inode.
func NamespaceTarget(inode uint64) KillTarget { return KillTarget("n" + strconv.FormatUint(inode, 10)) }

// StartSentinel starts a sentinel for this process.
func StartSentinel(targets []KillTarget) (*Sentinel, error) {
	args := []string{"-c", sentinelScript, "holdfast-sentinel"}
	for _, p := range targets {
		args = append(args, string(p))
	}
	s := &Sentinel{cmd: exec.Command("/bin/sh", args...)}
	s.cmd.Dir = "/"
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // survives signals to the owner's group
	var err error
	if s.ownerPipe, err = s.cmd.StdinPipe(); err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("posting a sentinel: %w", err)
	}
	return s, nil
}

// stopTimeout limits how long a sentinel may take to end.
const stopTimeout = 5 * time.Second

// Stop ends the sentinel. It then kills nothing.
func (s *Sentinel) Stop() error {
	_, err := io.WriteString(s.ownerPipe, "relieved\n")
	err = errors.Join(err, s.ownerPipe.Close())
	gone := make(chan error, 1)
	go func() { gone <- s.cmd.Wait() }()
	select {
	case ended := <-gone:
		err = errors.Join(err, ended)
	case <-time.After(stopTimeout):
		err = errors.Join(err, s.cmd.Process.Kill())
	}
	if err != nil {
		return fmt.Errorf("relieving the sentinel: %w", err)
	}
	return nil
}
