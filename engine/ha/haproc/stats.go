package haproc

import (
	"maps"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/resource"
)

// statusTimeout is how long the status process may take to answer, unscaled.
const statusTimeout = 2 * time.Second

const perThousand = 1000.0

// loadsByNode returns the loads that the nodes of this node's ring report, by name. A node that reports
// nothing is missing; all are missing when the status process does not answer.
func (w *storeEnv) loadsByNode() map[string]*resource.Load {
	if w.nodeLoads != nil && w.nodeLoadsGeneration == w.generation {
		return w.nodeLoads
	}
	w.nodeLoads, w.nodeLoadsGeneration = map[string]*resource.Load{}, w.generation
	said, err := w.statusClient.Get(w.task, resource.LoadKey, w.opts.Timescale.Of(statusTimeout))
	if err != nil {
		w.Log(ha.LevelWarning, "asking what the nodes carry: "+err.Error())
		return w.nodeLoads
	}
	for _, n := range w.opts.Nodes {
		value := said[n.ID]
		if value == nil {
			continue
		}
		load, err := resource.DecodeLoad(value)
		if err != nil {
			w.Log(ha.LevelWarning, "reading what node '"+n.Name+"' carries: "+err.Error())
			continue
		}
		w.nodeLoads[n.Name] = load
	}
	return w.nodeLoads
}

// NodeStats implements ha.CRMEnv: the sizes that the nodes published, and the measured loads. An
// unmeasured node counts as if all its services used their limits, so that it does not look empty.
func (w *storeEnv) NodeStats() (map[string]ha.NodeStats, error) {
	loads := w.loadsByNode()
	stats := make(map[string]ha.NodeStats, len(w.opts.Nodes))
	for _, n := range w.opts.Nodes {
		info, err := w.readNodeInfo(n.Name)
		if err != nil {
			return nil, err
		}
		s := ha.NodeStats{MaxCPU: info.CPUs, MaxMemBytes: info.MemoryBytes}
		if l := loads[n.Name]; l != nil {
			s.CPU, s.MemBytes = float64(l.Uses.MilliCPUs)/perThousand, float64(l.Uses.MemoryBytes)
			if l.Has.MilliCPUs > 0 {
				s.MaxCPU = float64(l.Has.MilliCPUs) / perThousand
			}
			if l.Has.MemoryBytes > 0 {
				s.MaxMemBytes = float64(l.Has.MemoryBytes)
			}
		} else if s.CPU, s.MemBytes, err = w.usageLimits(n.Name); err != nil {
			return nil, err
		}
		stats[n.Name] = s
	}
	return stats, nil
}

// usageLimits returns the sum of the limits of the services on a node.
func (w *storeEnv) usageLimits(node string) (cpu, memBytes float64, err error) {
	services, err := w.ReadServiceConfig()
	if err != nil {
		return 0, 0, err
	}
	var sum resource.Use
	for _, sid := range slices.Sorted(maps.Keys(services)) {
		if services[sid].Node != node {
			continue
		}
		f, err := w.readFile(GuestPath(sid, node))
		if err != nil {
			return 0, 0, err
		}
		c := resource.ParseConf(f.data)
		sum.MilliCPUs += c.MilliCPUs
		sum.MemoryBytes += c.MemoryBytes
	}
	return float64(sum.MilliCPUs) / perThousand, float64(sum.MemoryBytes), nil
}

// ServiceStats implements ha.CRMEnv: the sizes in the guests' configurations, and the loads that were
// measured on their nodes.
func (w *storeEnv) ServiceStats() (map[string]ha.ServiceStats, error) {
	services, err := w.ReadServiceConfig()
	if err != nil {
		return nil, err
	}
	loads := w.loadsByNode()
	stats := make(map[string]ha.ServiceStats, len(services))
	for _, sid := range slices.Sorted(maps.Keys(services)) {
		home := services[sid].Node
		f, err := w.readFile(GuestPath(sid, home))
		if err != nil {
			return nil, err
		}
		c := resource.ParseConf(f.data)
		s := ha.ServiceStats{MaxCPU: float64(c.MilliCPUs) / perThousand, MaxMemBytes: float64(c.MemoryBytes)}
		if l := loads[home]; l != nil {
			var use resource.Use
			use, s.HasMeasure = l.Services[sid]
			s.CPU, s.MemBytes = float64(use.MilliCPUs)/perThousand, float64(use.MemoryBytes)
		}
		stats[sid] = s
	}
	return stats, nil
}
