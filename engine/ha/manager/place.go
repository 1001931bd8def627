package manager

import (
	"sort"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/sched"
)

// preference is why choose looks for a node.
type preference int

const (
	// preferCurrent keeps the node unless the rules require another.
	preferCurrent preference = iota
	// preferBest takes the node with the best score.
	preferBest
	// preferNext takes a node on which the start has not failed yet.
	preferNext
)

// nodesLoadedBy returns the online nodes that a service loads: the node on which it is and its target.
func (m *Manager) nodesLoadedBy(sd *ha.ServiceStatus) (current, target string) {
	switch sd.State {
	case ha.Started, ha.RequestStop, ha.Fence, ha.Freeze, ha.Error, ha.Recovery, ha.Migrate, ha.Relocate:
		if m.nodes.isOnline(sd.Node) {
			current = sd.Node
		}
	}
	if sd.State.Moving() && m.nodes.isOnline(sd.Target) {
		target = sd.Target
	}
	return current, target
}

// placementPartners returns how many of the services that must be kept together with this one are on each
// node, and the nodes of the services that must be kept apart from it. A moving partner attracts only to
// its target, but keeps others away from both of its nodes.
func (m *Manager) placementPartners(sid string) (near map[string]int, far map[string]bool) {
	near, far = map[string]int{}, map[string]bool{}
	for _, other := range m.compiledRules.Together[sid] {
		sd := m.status.ServiceStatus[other]
		if sd == nil {
			continue
		}
		current, target := m.nodesLoadedBy(sd)
		if target != "" {
			near[target]++
		} else if current != "" {
			near[current]++
		}
	}
	for _, other := range m.compiledRules.Apart[sid] {
		sd := m.status.ServiceStatus[other]
		if sd == nil {
			continue
		}
		current, target := m.nodesLoadedBy(sd)
		for _, node := range []string{current, target} {
			if node != "" {
				far[node] = true
			}
		}
	}
	return near, far
}

// chooseNode returns the node on which a service should be, "" when there is none.
func (m *Manager) chooseNode(sid string, cd *ha.ServiceConfig, sd *ha.ServiceStatus, want preference) string {
	allowed, candidates := m.compiledRules.NodesFor(sid, m.nodes.onlineNodes())
	if len(candidates) == 0 {
		return ""
	}
	near, far := m.placementPartners(sid)
	if want == preferCurrent && !cd.Failback && contains(allowed, sd.Node) &&
		(near[sd.Node] > 0 || !far[sd.Node]) {
		obeys := !far[sd.Node] && (len(near) == 0 || near[sd.Node] > 0)
		if obeys || !m.deviates(ha.DiffKeptTogether) {
			return sd.Node
		}
	}
	if want == preferNext {
		candidates = without(candidates, func(node string) bool { return contains(sd.FailedNodes, node) })
	}
	candidates = m.applyAffinity(candidates, near, far)
	if sd.MaintenanceNode != "" && contains(candidates, sd.MaintenanceNode) {
		return sd.MaintenanceNode
	}
	if want == preferCurrent && contains(candidates, sd.Node) {
		return sd.Node
	}
	if len(candidates) == 0 {
		return ""
	}
	stats, unlimited := m.statsOnceStarted(sid)
	scores := m.currentUsage().Scores(stats, unlimited)
	sort.SliceStable(candidates, func(i, j int) bool { return scores[candidates[i]] < scores[candidates[j]] })
	if want == preferNext {
		for i, node := range candidates[:len(candidates)-1] {
			if node == sd.Node {
				return candidates[i+1]
			}
		}
	}
	return candidates[0]
}

// applyAffinity removes the nodes of services that must be kept apart. If services that must be kept
// together are on any candidate, it keeps only the candidate with most of them.
func (m *Manager) applyAffinity(candidates []string, near map[string]int, far map[string]bool) []string {
	candidates = without(candidates, func(node string) bool { return far[node] })
	best := ""
	for _, node := range candidates { // sorted by name, so the first of equals wins
		if near[node] > 0 && (best == "" || near[node] > near[best]) {
			best = node
		}
	}
	if best != "" {
		return []string{best}
	}
	return candidates
}

// readStats reads what the configured scheduler needs.
func (m *Manager) readStats() (err error) {
	if m.settings.CRS.Mode == ha.SchedBasic {
		return nil
	}
	if m.serviceStats, err = m.env.ServiceStats(); err != nil {
		return err
	}
	m.nodeStats, err = m.env.NodeStats()
	return err
}

// statsOnceStarted returns what a service is expected to use once started.
func (m *Manager) statsOnceStarted(sid string) (stats sched.Stats, unlimitedCPU bool) {
	s := m.serviceStats[sid]
	return sched.Stats{CPU: s.MaxCPU, MemBytes: s.MaxMemBytes}, s.MaxCPU == 0
}

// currentUsage returns the present load of every online node.
func (m *Manager) currentUsage() *sched.Usage {
	mode := m.settings.CRS.Mode
	usage := sched.NewBasic()
	if mode != ha.SchedBasic {
		usage = sched.NewWeighted()
	}
	for _, node := range m.nodes.onlineNodes() {
		stats := m.nodeStats[node]
		used := sched.Stats{}
		if mode == ha.SchedDynamic {
			used = sched.Stats{CPU: stats.CPU, MemBytes: stats.MemBytes}
		}
		usage.AddNode(node, sched.Stats{CPU: stats.MaxCPU, MemBytes: stats.MaxMemBytes}, used)
	}
	for _, sid := range sortedKeys(m.status.ServiceStatus) {
		sd := m.status.ServiceStatus[sid]
		current, target := m.nodesLoadedBy(sd)
		if current != "" {
			stats, unlimited := m.presentStats(sid, sd)
			usage.AddService(current, stats, unlimited)
		}
		if target != "" {
			stats, unlimited := m.statsOnceStarted(sid)
			usage.AddService(target, stats, unlimited)
		}
	}
	m.addUnmanaged(usage)
	return usage
}

// addUnmanaged adds the services that are configured and not managed yet, because HA is being disarmed, or
// was until this round. Measured loads already contain them.
func (m *Manager) addUnmanaged(usage *sched.Usage) {
	if m.settings.CRS.Mode == ha.SchedDynamic {
		return
	}
	for _, sid := range sortedKeys(m.services) {
		cd := m.services[sid]
		if m.status.ServiceStatus[sid] == nil && cd.State == ha.WantStarted && m.nodes.isOnline(cd.Node) {
			stats, unlimited := m.statsOnceStarted(sid)
			usage.AddService(cd.Node, stats, unlimited)
		}
	}
}

// presentStats returns what a service adds to the use of its node. Measured loads already include the
// service, unless its start was not confirmed yet.
func (m *Manager) presentStats(sid string, sd *ha.ServiceStatus) (stats sched.Stats, unlimitedCPU bool) {
	if m.settings.CRS.Mode == ha.SchedDynamic && (sd.State != ha.Started || m.confirmedByLRM(sd)) {
		return sched.Stats{}, false
	}
	return m.statsOnceStarted(sid)
}

// confirmedByLRM reports whether the LRM has reported that it runs the service, possibly only in this
// round.
func (m *Manager) confirmedByLRM(sd *ha.ServiceStatus) bool {
	res, answered := m.lrmResults[sd.UID]
	return sd.Running != 0 || answered && res.ExitCode == ha.ExitSuccess
}

func contains(list []string, x string) bool {
	for _, y := range list {
		if x == y {
			return true
		}
	}
	return false
}

func without(list []string, unwanted func(string) bool) []string {
	out := make([]string, 0, len(list))
	for _, x := range list {
		if !unwanted(x) {
			out = append(out, x)
		}
	}
	return out
}
