package sched

import (
	"math"
	"sort"
)

// imbalanceDecimals is the precision at which two migrations count as equally good.
const imbalanceDecimals = 1e15

// Migration is a possible move of a service, or of a bundle of services that is named after its first
// one.
type Migration struct {
	SID, Source, Target string
	// Stats is the load that leaves the source and arrives at the target.
	Stats Stats
	// UnlimitedCPU is true if the service counts as all CPUs of its node.
	UnlimitedCPU bool
}

func (m Migration) sortsBefore(o Migration) bool {
	if m.SID != o.SID {
		return m.SID < o.SID
	}
	if m.Source != o.Source {
		return m.Source < o.Source
	}
	return m.Target < o.Target
}

// Imbalance returns how unevenly the nodes are loaded: the coefficient of variation (population standard
// deviation divided by the mean) of (CPU load + memory load) / 2. It is 0 when nothing is loaded.
func (u *Usage) Imbalance() float64 {
	loads := make([]load, len(u.nodeNames))
	for i, name := range u.nodeNames {
		loads[i] = u.nodes[name].loadWith(Stats{})
	}
	return loadImbalance(loads)
}

func loadImbalance(loads []load) float64 {
	if len(loads) == 0 {
		return 0
	}
	n := float64(len(loads))
	values := make([]float64, len(loads))
	sum := 0.0
	for i, l := range loads {
		values[i] = (l.cpu + l.mem) / 2
		sum += values[i]
	}
	mean := sum / n
	if mean == 0 {
		return 0
	}
	squares := 0.0
	for _, v := range values {
		d := v - mean
		squares += float64(d * d)
	}
	return math.Sqrt(squares/n) / mean
}

// loadsAfter returns the loads of all nodes after the migration.
func (u *Usage) loadsAfter(m Migration) []load {
	loads := make([]load, len(u.nodeNames))
	for i, name := range u.nodeNames {
		n := u.nodes[name]
		extra := Stats{}
		switch name {
		case m.Source:
			extra = Stats{}.minus(n.demandOf(m.Stats, m.UnlimitedCPU))
		case m.Target:
			extra = n.demandOf(m.Stats, m.UnlimitedCPU)
		}
		loads[i] = n.loadWith(extra)
	}
	return loads
}

// Best returns the migration after which the nodes are loaded most evenly, and the imbalance after it.
// Ties are broken by service, source and target.
func (u *Usage) Best(candidates []Migration) (best Migration, result float64, found bool) {
	sorted := sortMigrations(candidates)
	for _, m := range sorted {
		value := math.Trunc(loadImbalance(u.loadsAfter(m))*imbalanceDecimals) / imbalanceDecimals
		if !found || value < result {
			best, result, found = m, value, true
		}
	}
	return best, result, found
}

// BestByTopsis returns the migration that leads to the cluster that TOPSIS scores best, and the
// imbalance after it.
func (u *Usage) BestByTopsis(candidates []Migration) (best Migration, result float64, found bool) {
	sorted := sortMigrations(candidates)
	rows := make([]alternative, len(sorted))
	for i, m := range sorted {
		rows[i] = summarize(u.loadsAfter(m))
	}
	highest := 0.0
	for i, score := range topsisScores(rows) {
		if !found || score > highest {
			best, highest, found = sorted[i], score, true
		}
	}
	if !found {
		return best, 0, false
	}
	return best, loadImbalance(u.loadsAfter(best)), true
}

func sortMigrations(candidates []Migration) []Migration {
	sorted := append([]Migration(nil), candidates...)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i].sortsBefore(sorted[j]) })
	return sorted
}
