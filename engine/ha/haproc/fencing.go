package haproc

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/fence"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/store/lock"
	"github.com/holdfast-sim/holdfast/engine/watchdog"
)

// Files of fencing. FencePath holds the devices of the nodes, FenceAgentsPath what the agents reported when
// the devices were installed, see [fence.Verified].
const (
	FencePath       = "ha/fence.cfg"
	FenceAgentsPath = "ha/fence_agents"
)

// AcquireNodeLock implements ha.CRMEnv.
func (w *crmEnv) AcquireNodeLock(node string) bool {
	name := AgentLock(node)
	mode, err := w.fencingMode()
	if err != nil {
		return false // both proofs may be required
	}
	if mode == ha.FencingWatchdog {
		return w.acquireLock(name)
	}
	// What this process remembers of the lock is no proof that it still holds it: the node may have taken it
	// since.
	holder, version, err := w.locks.Holder(w.task, name)
	if err != nil {
		return false
	}
	if version == (lock.Version{}) || !strings.HasSuffix(holder, "/"+LRMProcess) {
		// Either the node gave the lock back, which means that nothing runs under it, or a master took it,
		// with proof: this one or an earlier one. It is ours, free or expires.
		return w.acquireLock(name)
	}
	if mode == ha.FencingBoth {
		// The LRM of a node that is back neither renews its lock nor gives it back: it waits until the
		// fencing ends.
		return w.proveOrFence(node, version, w.locks.Expired(name, version)) && w.acquireLock(name)
	}
	if w.acquireLock(name) {
		return true // the lock is taken, so no device is needed
	}
	if !w.proveOrFence(node, version, false) || !w.locks.TakeOverWithProof(w.task, name, version) {
		return false
	}
	w.dropCache()
	return true
}

// NodeConfirmedDead implements ha.CRMEnv. A call starts the devices.
func (w *crmEnv) NodeConfirmedDead(node string) bool {
	if mode, err := w.fencingMode(); err != nil || mode == ha.FencingWatchdog {
		return false
	}
	_, version, err := w.locks.Holder(w.task, AgentLock(node))
	if err != nil {
		return false
	}
	// The service need not have run under the lock. The version of the lock alone does not prove what
	// started on the node after it came back, so a proof from before that does not count.
	if proof, ok := w.fencer.Proof(node); ok && w.lastSeen[node] >= proof.Started {
		w.fencer.Forget(node)
	}
	return w.proveOrFence(node, version, false)
}

// proveOrFence reports whether a device has confirmed the death of the node that held its lock at this
// version. If not, it starts fencing the node. It leaves a node alone that is in the ring again, unless
// evenOnline is set: the LRM of such a node no longer renews the lock, so the lock expires without a
// power cut.
func (w *crmEnv) proveOrFence(node string, version lock.Version, evenOnline bool) bool {
	proof, ok := w.fencer.Proof(node)
	if ok && proof.Version == version.Revision && proof.Key == version.Key() {
		return true
	}
	devices, verified := w.fenceDevices(node)
	if len(devices) == 0 {
		return false
	}
	started := w.env.Mono()
	w.fencer.Request(fence.Request{Node: node, Version: version.Revision, Key: version.Key(),
		Devices: devices, Verified: verified,
		Absent: func(t *env.Task) (string, bool) { return w.absentFrom(t, node) },
		Wanted: func() (bool, string) { return w.stillWanted(node, started, evenOnline) }})
	return false
}

// absentFrom returns the ring that this node is in now, and whether another node is certainly not in it.
func (w *crmEnv) absentFrom(t *env.Task, node string) (ring string, absent bool) {
	status, err := w.store.Status(t)
	if err != nil || status.Ring == "" || !status.Quorate {
		return "", false
	}
	for _, n := range w.opts.Nodes {
		if n.Name == node {
			return status.Ring, !slices.Contains(status.Members, n.ID)
		}
	}
	return "", false
}

// stillWanted is called before every call of an agent. A CRM that does not know whether it is still
// master must not switch off a node that another master may have put back into service.
func (w *crmEnv) stillWanted(node string, started time.Duration, evenOnline bool) (bool, string) {
	asked, held := w.locks.RequestedAt(ManagerLock)
	taken, ours := w.locks.RequestedAt(AgentLock(node))
	switch {
	case ours && taken >= started:
		return false, "its lock is ours"
	case !held:
		return false, "this node is no longer the master"
	case w.env.Mono()-asked >= w.opts.Timescale.Of(watchdog.ClientTime):
		return false, "this node has not renewed the master's lock for too long"
	case !evenOnline && w.isOnline(node):
		return false, "the node is in the ring again"
	}
	return true, ""
}

// isOnline reports whether the node was in this node's ring at the last refresh.
func (w *crmEnv) isOnline(node string) bool {
	info, err := w.NodeInfo()
	return err == nil && info[node].Online
}

// fencingMode returns the mode in datacenter.cfg. An unknown mode counts as the watchdog's.
func (w *crmEnv) fencingMode() (ha.FencingMode, error) {
	dc, err := w.ReadDatacenter()
	if err != nil {
		return "", err
	}
	switch dc.Fencing {
	case ha.FencingHardware, ha.FencingBoth:
		return dc.Fencing, nil
	}
	return ha.FencingWatchdog, nil
}

// fenceDevices returns the node's devices, and what is known of their agents. Problems in the files are
// logged once for each content of the files.
func (w *crmEnv) fenceDevices(node string) ([]fence.Device, fence.AgentFingerprints) {
	f, err := w.readFile(FencePath)
	if err != nil {
		return nil, nil
	}
	agents, err := w.readFile(FenceAgentsPath)
	if err != nil {
		return nil, nil
	}
	say := func(format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		if w.fenceLogged[node] != text {
			w.fenceLogged[node] = text
			w.Log(ha.LevelErr, text)
		}
	}
	cfg, err := config.ParseFence(string(f.data))
	if err != nil {
		say("node '%s' cannot be fenced by a device: %v", node, err)
		return nil, nil
	}
	verified, err := fence.DecodeFingerprints(string(agents.data))
	if err != nil {
		say("node '%s' cannot be fenced by a device: %v", node, err)
		return nil, nil
	}
	devices, problems := fence.Plan(cfg, node)
	switch {
	case len(problems) > 0:
		say("node '%s': %s", node, strings.ReplaceAll(errors.Join(problems...).Error(), "\n", "; "))
	case len(devices) == 0:
		say("node '%s' cannot be fenced by a device: none is connected to it in %s", node, FencePath)
	}
	return devices, verified
}

// noteOnlineNodes records which nodes are in the ring.
func (w *crmEnv) noteOnlineNodes(now time.Duration) {
	info, err := w.NodeInfo()
	if err != nil {
		return
	}
	for node, n := range info {
		if n.Online {
			w.lastSeen[node] = now
		}
	}
}

// RefreshClusterState implements ha.Env.
func (w *crmEnv) RefreshClusterState() bool {
	ok := w.storeEnv.RefreshClusterState()
	w.noteOnlineNodes(w.env.Mono())
	return ok
}

// WriteManagerStatus implements ha.CRMEnv. The status also contains the progress of fencing.
func (w *crmEnv) WriteManagerStatus(status *ha.ManagerStatus) error {
	status.Fencing = nil
	for _, node := range w.fencer.ReportedNodes() {
		if status.NodeStatus[node] != ha.NodeFence {
			continue
		}
		if status.Fencing == nil {
			status.Fencing = map[string]string{}
		}
		status.Fencing[node] = w.fencer.Report(node)
	}
	return w.storeEnv.WriteManagerStatus(status)
}
