package manager

import (
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/sched"
)

// balanceLoad queues at most one migration when nodes have been loaded unevenly for long enough.
func (m *Manager) balanceLoad() {
	crs := m.settings.CRS
	if !crs.AutoRebalance || crs.Mode == ha.SchedBasic || m.anyUnsettled() {
		return
	}
	usage := m.currentUsage()
	before := usage.Imbalance()
	if before <= crs.Threshold {
		m.imbalanceRounds = 0
		return
	}
	m.imbalanceRounds++
	if m.imbalanceRounds < crs.HoldRounds {
		return
	}
	m.imbalanceRounds = 0
	candidates := m.migrations()
	var best sched.Migration
	var after float64
	var found bool
	switch crs.Method {
	case ha.RebalanceTopsis:
		best, after, found = usage.BestByTopsis(candidates)
	default:
		best, after, found = usage.Best(candidates)
	}
	if !found || (before-after)/before < crs.Margin {
		return
	}
	task := ha.CommandRelocate
	if ha.SIDType(best.SID) == "vm" {
		task = ha.CommandMigrate
	}
	m.env.Log(ha.LevelInfo,
		fmt.Sprintf("auto rebalance - %s %s to %s (expected change for imbalance from %.2f to %.2f)",
			task, best.SID, best.Target, before, after))
	move := ha.Command{Verb: task, SID: best.SID, Node: best.Target,
		Line: fmt.Sprintf("%s %s %s", task, best.SID, best.Target)}
	m.env.CommandDecided(ha.CommandDecision{Command: move, Refused: m.queueMove(move)})
}

// anyUnsettled reports whether a service is moving or will move soon, or was started on a node whose
// measurement does not include it yet.
func (m *Manager) anyUnsettled() bool {
	for _, sd := range m.status.ServiceStatus {
		if sd.State == ha.Migrate || sd.State == ha.Relocate || sd.Cmd.Moves() {
			return true
		}
		unconfirmed := m.settings.CRS.Mode == ha.SchedDynamic && sd.State == ha.Started &&
			m.nodes.isOnline(sd.Node) && !m.confirmedByLRM(sd)
		if (unconfirmed || sd.State.Moving()) && m.deviates(ha.DiffBalanceAtStart) {
			return true
		}
	}
	return false
}

// migrations returns every move of a running service, or of a bundle that must stay together, to another
// node that the rules allow and prefer.
func (m *Manager) migrations() []sched.Migration {
	var out []sched.Migration
	for _, sid := range sortedKeys(m.status.ServiceStatus) {
		sd := m.status.ServiceStatus[sid]
		bundle := append([]string{sid}, m.presentServices(m.compiledRules.Together[sid])...)
		if !m.isMovable(sd, bundle) {
			continue
		}
		_, targets := m.compiledRules.NodesFor(sid, m.nodes.onlineNodes())
		far := map[string]bool{}
		for _, member := range bundle {
			_, memberFar := m.placementPartners(member)
			for node := range memberFar {
				far[node] = true
			}
		}
		move := sched.Migration{SID: sid, Source: sd.Node}
		for _, member := range bundle {
			stats, unlimited := m.runningStats(member)
			move.Stats.CPU += stats.CPU
			move.Stats.MemBytes += stats.MemBytes
			move.UnlimitedCPU = move.UnlimitedCPU || unlimited
		}
		for _, node := range targets {
			if node != sd.Node && !far[node] {
				move.Target = node
				out = append(out, move)
			}
		}
	}
	return out
}

func (m *Manager) presentServices(sids []string) []string {
	return without(sids, func(sid string) bool { return m.status.ServiceStatus[sid] == nil })
}

// isMovable reports whether every member of the bundle runs on the same online node. leader is the first
// member by name.
func (m *Manager) isMovable(leader *ha.ServiceStatus, bundle []string) bool {
	if !m.nodes.isOnline(leader.Node) {
		return false
	}
	for _, sid := range bundle {
		sd := m.status.ServiceStatus[sid]
		if sid < bundle[0] || sd.State != ha.Started || sd.Node != leader.Node {
			return false
		}
	}
	return true
}

// runningStats returns the load that a node loses when a running service leaves it.
func (m *Manager) runningStats(sid string) (stats sched.Stats, unlimitedCPU bool) {
	if s := m.serviceStats[sid]; m.settings.CRS.Mode == ha.SchedDynamic && s.HasMeasure {
		return sched.Stats{CPU: s.CPU, MemBytes: s.MemBytes}, false
	}
	return m.statsOnceStarted(sid)
}
