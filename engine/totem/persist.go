package totem

import (
	"errors"
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	seal "github.com/holdfast-sim/holdfast/engine/wire"
)

// stateFormat is the content of the state file: the node's id, how often it has started, and the highest
// ring sequence that it has committed to.
const (
	stateFormat     = "holdfast ring state 1\nnode %d\nboots %d\nring %d\n"
	stateLimitBytes = 4096
)

// ErrState means that the state file cannot be used.
var ErrState = errors.New("unusable ring state file")

// restoreState reads the state file and counts this start. Both happen before anything is sent, so that a
// node with a failing disk never disturbs the others.
func (n *Node) restoreState() error {
	var boots uint64
	data, err := env.ReadFile(n.env.Disk(), n.cfg.StateFile, stateLimitBytes)
	switch {
	case errors.Is(err, env.ErrNotExist):
		n.stateFileMissing = true
	case err != nil:
		return fmt.Errorf("reading the ring state: %w", err)
	default:
		if boots, err = n.parseState(data); err != nil {
			return err
		}
	}
	n.highRingSeq = n.ringSeq
	if err := n.startBoot(boots + 1); err != nil {
		return err
	}
	if !n.cfg.Quiet {
		n.env.Emit(Started{Node: n.cfg.Node, Boot: boots + 1, RingSeq: n.ringSeq, Fresh: n.stateFileMissing})
	}
	return nil
}

func (n *Node) parseState(data []byte) (boots uint64, err error) {
	var node ring.NodeID
	_, err = fmt.Sscanf(string(data), stateFormat, &node, &boots, &n.ringSeq)
	if err != nil || fmt.Sprintf(stateFormat, node, boots, n.ringSeq) != string(data) {
		return 0, fmt.Errorf("%w: %s is damaged; restore it, or remove it and treat the node as one"+
			" with a new disk", ErrState, n.cfg.StateFile)
	}
	if node != n.cfg.Node {
		return 0, fmt.Errorf("%w: %s belongs to node %d and this is node %d; was a disk or an image moved?",
			ErrState, n.cfg.StateFile, node, n.cfg.Node)
	}
	return boots, nil
}

// startBoot begins a boot: it stores the boot count, then draws a fresh packet key.
func (n *Node) startBoot(count uint64) error {
	if err := n.saveState(count, n.ringSeq); err != nil {
		return err
	}
	boot := seal.Boot{Count: count}
	n.env.Rand("totem/boot").Fill(boot.ID[:])
	var err error
	n.sealer, err = n.cfg.Cipher.NewSealer(n.cfg.Key, n.cfg.Node, boot)
	return err
}

func (n *Node) saveState(boots, ringSeq uint64) error {
	text := fmt.Appendf(nil, stateFormat, n.cfg.Node, boots, ringSeq)
	if err := env.ReplaceFile(n.env.Disk(), n.cfg.StateFile, text); err != nil {
		return fmt.Errorf("keeping the ring state: %w", err)
	}
	return nil
}

// persistRing stores a ring sequence before this node sends anything in that ring. It reports whether the
// sequence is stored.
//
// Why every member stores it, and not only the representative that chose it: A, B and C install ring 8. C
// loses its power, restarts, and cannot reach the others. If C did not know of 8, it would form a ring of
// its own with sequence 4, an epoch below one in which it has acted. With 8 on its disk that ring gets 12.
func (n *Node) persistRing(seq uint64) bool {
	if seq <= n.ringSeq {
		panic("totem: committing to a ring sequence that was used before")
	}
	if err := n.saveState(n.sealer.Boot().Count, seq); err != nil {
		n.giveUp(err)
		return false
	}
	n.ringSeq = seq
	n.highRingSeq = max(n.highRingSeq, seq)
	return true
}

// diskTakesWrites stores the state file as it is, before this node offers itself as a member of the next
// ring, and reports whether that succeeded. A member has to store the ring's sequence. On a disk that stalls
// this write waits instead, and the node is silent: the others wait for it as long as for a node that failed.
//
// Without it: A, B, C, D and E gather after a cut has healed, and the disks of A, B and C stall. A, the
// representative, waits for its disk. When the links to A are down the others leave A out, and B waits; then
// C. D and E have a ring after three times that, here after one token timeout.
func (n *Node) diskTakesWrites() bool {
	if err := n.saveState(n.sealer.Boot().Count, n.ringSeq); err != nil {
		n.giveUp(err)
		return false
	}
	return true
}

// giveUp ends the process, because the disk refuses the state file: a node that can commit to no ring must
// not keep the others from forming theirs.
func (n *Node) giveUp(err error) {
	n.env.Probe("totem/persist-failed")
	n.log.Error("cannot keep the ring sequence on the disk, giving up", "err", err.Error())
	n.Leave()
	n.env.Exit(err)
}
