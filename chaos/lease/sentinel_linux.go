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

// Sentinel is a process beside the owner of a run that outlives it: when the owner is gone,
// however it went, the sentinel kills everything on the run's nodes at once. What is left then is
// names and directories, which the next run removes.
type Sentinel struct {
	cmd  *exec.Cmd
	line io.WriteCloser // the owner's end; it closes with the owner
}

// sentinelScript waits for a word of its owner. Without one the owner has died: it kills whatever
// is in the control groups (c FILE) and in the network namespaces (n INODE) that it was given,
// until nothing is left, within its number of rounds.
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

// Post is a place that a sentinel looks after: a node's control group, or its network namespace
// where there is none.
type Post string

// CgroupPost is the post at a control group.
func CgroupPost(c *Cgroup) Post { return Post("c" + filepath.Join(c.dir, "cgroup.procs")) }

// NamespacePost is the post at a network namespace, by its inode.
func NamespacePost(inode uint64) Post { return Post("n" + strconv.FormatUint(inode, 10)) }

// StartSentinel starts a sentinel for this process.
func StartSentinel(posts []Post) (*Sentinel, error) {
	args := []string{"-c", sentinelScript, "holdfast-sentinel"}
	for _, p := range posts {
		args = append(args, string(p))
	}
	s := &Sentinel{cmd: exec.Command("/bin/sh", args...)}
	s.cmd.Dir = "/"
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // a signal to the owner's group is not for it
	var err error
	if s.line, err = s.cmd.StdinPipe(); err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("posting a sentinel: %w", err)
	}
	return s, nil
}

// relieveTimeout bounds how long a sentinel may take to go.
const relieveTimeout = 5 * time.Second

// Stop ends the sentinel; it touches nothing.
func (s *Sentinel) Stop() error {
	_, err := io.WriteString(s.line, "relieved\n")
	err = errors.Join(err, s.line.Close())
	gone := make(chan error, 1)
	go func() { gone <- s.cmd.Wait() }()
	select {
	case ended := <-gone:
		err = errors.Join(err, ended)
	case <-time.After(relieveTimeout):
		err = errors.Join(err, s.cmd.Process.Kill())
	}
	if err != nil {
		return fmt.Errorf("relieving the sentinel: %w", err)
	}
	return nil
}
