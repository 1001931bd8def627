package daemon

import (
	"encoding/json"
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
)

// ReadManagerStatus implements ha.Env.
func (w *world) ReadManagerStatus() (*ha.ManagerStatus, error) {
	f, err := w.read(ManagerStatusPath)
	if err != nil {
		return nil, err
	}
	status, err := ha.DecodeManagerStatus(f.data)
	if err == nil {
		status.Timestamp = w.received(status.Timestamp)
		w.managed = f.revision
	}
	return status, err
}

// ReadServiceConfig implements ha.Env. The homes of all services are read at one revision, so none
// is lost between two directories.
func (w *world) ReadServiceConfig() (map[string]*ha.ServiceConfig, error) {
	if w.services == nil || w.servicesOf != w.generation {
		generation := w.generation
		services, err := w.readServices()
		if err != nil {
			return nil, err
		}
		w.services, w.servicesOf = services, generation
	}
	out := make(map[string]*ha.ServiceConfig, len(w.services))
	for sid, cd := range w.services {
		out[sid] = cd.Clone()
	}
	return out, nil
}

// readServices reads them anew, whatever this task has read before.
func (w *world) readServices() (map[string]*ha.ServiceConfig, error) {
	delete(w.files, ResourcesPath)
	f, err := w.read(ResourcesPath)
	if err != nil {
		return nil, err
	}
	services, problems, err := config.ParseResources(string(f.data))
	if err != nil {
		return nil, err
	}
	for _, p := range problems {
		w.Log(ha.LevelWarning, "ignoring part of "+ResourcesPath+", "+p.String())
	}
	if len(services) == 0 {
		return services, nil
	}
	entries, err := w.store.ListDeep(w.task, nodesDir)
	if err != nil {
		return nil, err
	}
	present := make(map[string]bool, len(entries))
	for i := range entries {
		present[entries[i].Path] = true
	}
	placeServices(services, w.opts.Nodes, present)
	return services, nil
}

// ReadDatacenter implements ha.Env.
func (w *world) ReadDatacenter() (ha.Datacenter, error) {
	f, err := w.read(DatacenterPath)
	if err != nil {
		return ha.Datacenter{}, err
	}
	return config.ParseDatacenter(string(f.data))
}

// ReadLRMStatus implements ha.CRMEnv.
func (w *world) ReadLRMStatus(node string) (*ha.LRMStatus, error) {
	f, err := w.read(LRMStatusPath(node))
	if err != nil {
		return nil, err
	}
	return ha.DecodeLRMStatus(f.data)
}

// ReadOwnLRMStatus implements ha.LRMEnv.
func (w *world) ReadOwnLRMStatus() (*ha.LRMStatus, error) {
	f, err := w.read(LRMStatusPath(w.opts.Node))
	if err != nil {
		return nil, err
	}
	if len(f.data) == 0 {
		return &ha.LRMStatus{}, nil
	}
	return ha.DecodeLRMStatus(f.data)
}

// NodeInfo implements ha.CRMEnv: a node is online when it is in this node's ring.
func (w *world) NodeInfo() (map[string]ha.NodeInfo, error) {
	if w.status == nil {
		return nil, fmt.Errorf("asking who is online: the store did not answer")
	}
	info := make(map[string]ha.NodeInfo, len(w.opts.Nodes))
	for _, n := range w.opts.Nodes {
		online := false
		for _, id := range w.status.Members {
			online = online || id == n.ID
		}
		info[n.Name] = ha.NodeInfo{Online: online}
	}
	return info, nil
}

// ReadGroups implements ha.CRMEnv.
func (w *world) ReadGroups() (string, error) {
	f, err := w.read(GroupsPath)
	return string(f.data), err
}

// ReadRules implements ha.CRMEnv.
func (w *world) ReadRules() (string, error) {
	f, err := w.read(RulesPath)
	return string(f.data), err
}

// versionInfo is what a node tells of itself.
type versionInfo struct {
	Version string `json:"version"`
	// CPUs and MemoryBytes are the node's size, for the static scheduler.
	CPUs        float64 `json:"cpus,omitempty"`
	MemoryBytes float64 `json:"memory_bytes,omitempty"`
}

func (w *world) nodeInfoFile(node string) (info versionInfo, err error) {
	f, err := w.read(VersionPath(node))
	if err != nil || len(f.data) == 0 {
		return info, err
	}
	if err := json.Unmarshal(f.data, &info); err != nil {
		return info, fmt.Errorf("reading %s: %w", VersionPath(node), err)
	}
	return info, nil
}

// NodeVersion implements ha.CRMEnv.
func (w *world) NodeVersion(node string) (string, error) {
	info, err := w.nodeInfoFile(node)
	return info.Version, err
}

// NodeStats implements ha.CRMEnv: the sizes that the nodes published.
func (w *world) NodeStats() (map[string]ha.NodeStats, error) {
	stats := make(map[string]ha.NodeStats, len(w.opts.Nodes))
	for _, n := range w.opts.Nodes {
		info, err := w.nodeInfoFile(n.Name)
		if err != nil {
			return nil, err
		}
		stats[n.Name] = ha.NodeStats{MaxCPU: info.CPUs, MaxMemBytes: info.MemoryBytes}
	}
	return stats, nil
}

// ServiceStats implements ha.CRMEnv: the sizes in the guests' configurations.
func (w *world) ServiceStats() (map[string]ha.ServiceStats, error) {
	services, err := w.ReadServiceConfig()
	if err != nil {
		return nil, err
	}
	stats := make(map[string]ha.ServiceStats, len(services))
	for sid, cd := range services {
		f, err := w.read(GuestPath(sid, cd.Node))
		if err != nil {
			return nil, err
		}
		g := parseGuest(f.data)
		stats[sid] = ha.ServiceStats{MaxCPU: g.cores, MaxMemBytes: g.memoryBytes}
	}
	return stats, nil
}
