package totem

import (
	"errors"
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/wire"
)

// stateFormat is the state file: which node's it is, how often it started, and the highest ring
// sequence that it committed to.
const (
	stateFormat     = "holdfast ring state 1\nnode %d\nboots %d\nring %d\n"
	stateLimitBytes = 4096
)

// ErrState means that the state file cannot be used.
var ErrState = errors.New("unusable ring state file")

// restore reads the state file and counts this start. Both happen before anything is sent, so
// a node whose disk fails never disturbs the others.
func (n *Node) restore() error {
	var boots uint64
	data, err := env.ReadFile(n.env.Disk(), n.cfg.StateFile, stateLimitBytes)
	switch {
	case errors.Is(err, env.ErrNotExist):
		n.fresh = true
	case err != nil:
		return fmt.Errorf("reading the ring state: %w", err)
	default:
		if boots, err = n.parseState(data); err != nil {
			return err
		}
	}
	n.highRing = n.ringSeq
	if err := n.newBoot(boots + 1); err != nil {
		return err
	}
	if !n.cfg.Quiet {
		n.env.Emit(Started{Node: n.cfg.Node, Boot: boots + 1, RingSeq: n.ringSeq, Fresh: n.fresh})
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

// newBoot begins a boot with that count: durable first, then a fresh key.
func (n *Node) newBoot(count uint64) error {
	if err := n.save(count, n.ringSeq); err != nil {
		return err
	}
	boot := wire.Boot{Count: count}
	n.env.Rand("totem/boot").Fill(boot.ID[:])
	var err error
	n.sealer, err = wire.NewSealer(n.cfg.Key, n.cfg.Node, boot)
	return err
}

func (n *Node) save(boots, ringSeq uint64) error {
	text := fmt.Appendf(nil, stateFormat, n.cfg.Node, boots, ringSeq)
	if err := env.ReplaceFile(n.env.Disk(), n.cfg.StateFile, text); err != nil {
		return fmt.Errorf("keeping the ring state: %w", err)
	}
	return nil
}

// persistRing makes a ring sequence durable before this node says anything in that ring. When
// the disk refuses, the process ends: a node that can commit to no ring must not keep the others
// from forming theirs.
func (n *Node) persistRing(seq uint64) bool {
	if seq <= n.ringSeq {
		panic("totem: committing to a ring sequence that was used before")
	}
	if err := n.save(n.sealer.Boot().Count, seq); err != nil {
		n.env.Probe("totem/persist-failed")
		n.log.Error("cannot keep the ring sequence on the disk, giving up", "err", err.Error())
		n.Leave()
		n.env.Exit(err)
		return false
	}
	n.ringSeq = seq
	n.highRing = max(n.highRing, seq)
	return true
}
