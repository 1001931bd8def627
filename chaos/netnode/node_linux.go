package netnode

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/holdfast-sim/holdfast/chaos/lease"
)

// Node is one machine.
type Node struct {
	Machine int
	// Dir is the node's directory.
	Dir string

	name           string // of namespace and control group
	namespaceInode uint64
	thread         *namespaceThread
	tapFD          int
	cgroup         *lease.Cgroup // nil where there are none
	noCgroupReason error         // why there is no control group
}

// New makes the machine with this number. name is that of its namespace and control group; after
// an error nothing is left of it.
func New(name, dir string, machine, machines int) (n *Node, err error) {
	n = &Node{Machine: machine, Dir: dir, name: name, tapFD: -1}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
			n = nil
		}
	}()
	if n.thread, err = newNamespaceThread(name); err != nil {
		return n, err
	}
	if n.namespaceInode, err = lease.Inode(name); err != nil {
		return n, err
	}
	if n.tapFD, err = attachInterface(name, machine, machines); err != nil {
		return n, err
	}
	n.cgroup, n.noCgroupReason = lease.NewCgroup(name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return n, fmt.Errorf("making the directory of %s: %w", name, err)
	}
	return n, nil
}

// Port is the file descriptor of the other end of the node's interface. It is the node's.
func (n *Node) Port() int { return n.tapFD }

// TxDropped is how many frames the kernel has dropped on their way to the switch.
func (n *Node) TxDropped() (uint64, error) { return txDropped(n.name) }

// Caveat returns why pauses of this node are not atomic; nil if they are.
func (n *Node) Caveat() error {
	if n.cgroup == nil {
		return fmt.Errorf("processes are paused one by one and not at one instant: %w", n.noCgroupReason)
	}
	return nil
}

// KillTarget is where everything that runs on the node can be found.
func (n *Node) KillTarget() lease.KillTarget {
	if n.cgroup != nil {
		return lease.CgroupTarget(n.cgroup)
	}
	return lease.NamespaceTarget(n.namespaceInode)
}

// Process is a program that was started on a node.
type Process struct {
	cmd       *exec.Cmd
	ended     chan struct{}
	exitState *os.ProcessState
	err       error
}

// Spawn starts a program in the node's namespace with its directory as the working directory.
// output receives what it writes.
func (n *Node) Spawn(path string, args, environ []string, output *os.File) (*Process, error) {
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Env = n.Dir, environ
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if n.cgroup != nil {
		group, err := n.cgroup.Open()
		if err != nil {
			return nil, fmt.Errorf("starting %s: %w", path, err)
		}
		defer group.Close()
		cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(group.Fd())
	}
	if err := n.thread.callInside(cmd.Start); err != nil {
		return nil, fmt.Errorf("starting %s on %s: %w", path, n.name, err)
	}
	p := &Process{cmd: cmd, ended: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		p.exitState = cmd.ProcessState
		close(p.ended)
	}()
	return p, nil
}

// PID is the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Outcome returns how the process ended. Call it only after that.
func (p *Process) Outcome() string { return p.exitState.String() }

// Kill kills everything that runs on the node and waits until it is gone.
func (n *Node) Kill() error {
	if n.cgroup != nil {
		if err := n.cgroup.Kill(); err != nil {
			return err
		}
	}
	return lease.KillIn(n.namespaceInode)
}

// Pause stops everything that runs on the node, at one instant where there are control groups.
func (n *Node) Pause() error {
	if n.cgroup != nil {
		return n.cgroup.Freeze(true)
	}
	return n.signalAll(unix.SIGSTOP)
}

// Resume continues everything that runs on the node.
func (n *Node) Resume() error {
	if n.cgroup != nil {
		return n.cgroup.Freeze(false)
	}
	return n.signalAll(unix.SIGCONT)
}

// signalRounds limits how often signalAll looks for new processes.
const signalRounds = 100

// signalAll signals every process of the node, including processes that start meanwhile.
func (n *Node) signalAll(sig unix.Signal) error {
	reached := map[int]bool{}
	for range signalRounds {
		pids, err := lease.ProcessesIn(n.namespaceInode)
		if err != nil {
			return err
		}
		fresh := false
		for _, pid := range pids {
			if reached[pid] {
				continue
			}
			reached[pid], fresh = true, true
			if err := unix.Kill(pid, sig); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("signalling process %d of %s: %w", pid, n.name, err)
			}
		}
		if !fresh {
			return nil
		}
	}
	return fmt.Errorf("signalling %s: it starts processes faster than they can be stopped", n.name)
}

// Close kills what is left on the node and removes it. Its directory stays.
func (n *Node) Close() error {
	var failed []error
	if n.namespaceInode != 0 {
		failed = append(failed, n.Kill())
	}
	if n.tapFD >= 0 {
		failed = append(failed, unix.Close(n.tapFD))
		n.tapFD = -1
	}
	if n.thread != nil {
		n.thread.close()
		n.thread = nil
		failed = append(failed, lease.RemoveNamespace(n.name))
	}
	if n.cgroup != nil {
		failed = append(failed, n.cgroup.Remove())
		n.cgroup = nil
	}
	n.namespaceInode = 0
	return errors.Join(failed...)
}

// WaitEnded waits a bounded time for a process that was killed; false when it is still there.
func (p *Process) WaitEnded(limit time.Duration) bool {
	select {
	case <-p.ended:
		return true
	case <-time.After(limit):
		return false
	}
}
