package sched

import (
	"sort"
)

// Stats is an amount of resources.
type Stats struct {
	// CPU is in CPUs, MemBytes in bytes.
	CPU, MemBytes float64
}

func (s Stats) plus(o Stats) Stats  { return Stats{s.CPU + o.CPU, s.MemBytes + o.MemBytes} }
func (s Stats) minus(o Stats) Stats { return Stats{s.CPU - o.CPU, s.MemBytes - o.MemBytes} }

// nodeLoad is a candidate with its size and its present use.
type nodeLoad struct {
	name     string
	capacity Stats
	usage    Stats
	services int
}

// load is the use of a node as fractions of its size.
type load struct{ cpu, mem float64 }

func (n *nodeLoad) loadWith(extra Stats) load {
	used := n.usage.plus(extra)
	return load{cpu: loadFraction(used.CPU, n.capacity.CPU),
		mem: loadFraction(used.MemBytes, n.capacity.MemBytes)}
}

func loadFraction(part, whole float64) float64 {
	if whole <= 0 {
		return 0
	}
	return part / whole
}

// Usage is the load of the nodes of a cluster at one moment.
type Usage struct {
	nodes     map[string]*nodeLoad
	nodeNames []string
	// byResources is true if nodes are compared by their resources, false if by their number of services.
	byResources bool
}

// NewBasic returns an empty usage that compares nodes by their number of services.
func NewBasic() *Usage { return &Usage{nodes: map[string]*nodeLoad{}} }

// NewWeighted returns an empty usage that compares nodes by CPU and memory.
func NewWeighted() *Usage { return &Usage{nodes: map[string]*nodeLoad{}, byResources: true} }

// AddNode adds a node of this size with this initial use.
func (u *Usage) AddNode(name string, size, used Stats) {
	if u.nodes[name] == nil {
		u.nodeNames = append(u.nodeNames, name)
		sort.Strings(u.nodeNames)
	}
	u.nodes[name] = &nodeLoad{name: name, capacity: size, usage: used}
}

// Has reports whether a node was added.
func (u *Usage) Has(name string) bool { return u.nodes[name] != nil }

// Names returns the nodes, sorted.
func (u *Usage) Names() []string { return append([]string(nil), u.nodeNames...) }

// AddService counts one service on a node. stats is what it adds to the use of the node; with
// unlimitedCPU it counts as all CPUs of the node. Unknown nodes are ignored.
func (u *Usage) AddService(name string, stats Stats, unlimitedCPU bool) {
	n := u.nodes[name]
	if n == nil {
		return
	}
	n.services++
	n.usage = n.usage.plus(n.demandOf(stats, unlimitedCPU))
}

func (n *nodeLoad) demandOf(stats Stats, unlimitedCPU bool) Stats {
	if unlimitedCPU {
		stats.CPU = n.capacity.CPU
	}
	return stats
}

// Scores returns a score for each node, as if the service were started there. Lower is better.
func (u *Usage) Scores(stats Stats, unlimitedCPU bool) map[string]float64 {
	out := make(map[string]float64, len(u.nodeNames))
	if !u.byResources {
		for _, name := range u.nodeNames {
			out[name] = float64(u.nodes[name].services)
		}
		return out
	}
	rows := make([]alternative, len(u.nodeNames))
	loads := make([]load, len(u.nodeNames))
	for target := range u.nodeNames {
		for i, name := range u.nodeNames {
			n := u.nodes[name]
			extra := Stats{}
			if i == target {
				extra = n.demandOf(stats, unlimitedCPU)
			}
			loads[i] = n.loadWith(extra)
		}
		rows[target] = summarize(loads)
	}
	for i, score := range topsisScores(rows) {
		out[u.nodeNames[i]] = -score
	}
	return out
}
