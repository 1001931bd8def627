package haproc

import (
	"encoding/json"
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
)

// ReadManagerStatus implements ha.Env.
func (w *storeEnv) ReadManagerStatus() (*ha.ManagerStatus, error) {
	f, err := w.readFile(ManagerStatusPath)
	if err != nil {
		return nil, err
	}
	status, err := w.managerStatus.parseCached(f.data, ha.DecodeManagerStatus)
	if err == nil {
		status.Timestamp = w.fromWallSeconds(status.Timestamp)
		w.managerStatusRevision, w.takenByStatus = f.revision, status.Taken
	}
	return status, err
}

// ReadServiceConfig implements ha.Env.
func (w *storeEnv) ReadServiceConfig() (map[string]*ha.ServiceConfig, error) {
	if w.services == nil || w.servicesGeneration != w.generation {
		generation := w.generation
		services, err := w.readServices()
		if err != nil {
			return nil, err
		}
		w.services, w.servicesGeneration = services, generation
	}
	return w.services, nil
}

// readServices reads the services from the store, whatever this task has read before. It reads the nodes
// of all services at one revision, so that it does not miss a service whose configuration moves
// meanwhile.
func (w *storeEnv) readServices() (map[string]*ha.ServiceConfig, error) {
	delete(w.filesRead, ResourcesPath)
	f, err := w.readFile(ResourcesPath)
	if err != nil {
		return nil, err
	}
	resources, err := w.resources.parseCached(f.data, parseResources)
	if err != nil {
		return nil, err
	}
	for _, p := range resources.problems {
		w.Log(ha.LevelWarning, "ignoring part of "+ResourcesPath+", "+p.String())
	}
	if len(resources.services) == 0 {
		return resources.services, nil
	}
	names, err := w.store.NamesBelow(w.task, nodesDir)
	if err != nil {
		return nil, err
	}
	return w.placements.placementsOf(resources, names, w.opts.Nodes), nil
}

// ReadDatacenter implements ha.Env.
func (w *storeEnv) ReadDatacenter() (ha.Datacenter, error) {
	f, err := w.readFile(DatacenterPath)
	if err != nil {
		return ha.Datacenter{}, err
	}
	return w.datacenter.parseCached(f.data, func(data []byte) (ha.Datacenter, error) {
		return config.ParseDatacenter(string(data))
	})
}

// ReadLRMStatus implements ha.CRMEnv.
func (w *storeEnv) ReadLRMStatus(node string) (*ha.LRMStatus, error) {
	f, err := w.readFile(LRMStatusPath(node))
	if err != nil {
		return nil, err
	}
	status, err := ha.DecodeLRMStatus(f.data)
	if err == nil {
		status.Written = f.revision
	}
	return status, err
}

// Revision implements ha.WriteOrder.
func (w *storeEnv) Revision() (uint64, error) {
	status, err := w.store.Status(w.task)
	if err != nil {
		return 0, err
	}
	return status.Revision, nil
}

// ReadOwnLRMStatus implements ha.LRMEnv.
func (w *storeEnv) ReadOwnLRMStatus() (*ha.LRMStatus, error) {
	f, err := w.readFile(LRMStatusPath(w.opts.Node))
	if err != nil {
		return nil, err
	}
	if len(f.data) == 0 {
		return &ha.LRMStatus{}, nil
	}
	return ha.DecodeLRMStatus(f.data)
}

// NodeInfo implements ha.CRMEnv: a node is online when it is in this node's ring.
func (w *storeEnv) NodeInfo() (map[string]ha.NodeInfo, error) {
	if w.storeStatus == nil {
		return nil, fmt.Errorf("asking which nodes are online: the store did not answer")
	}
	info := make(map[string]ha.NodeInfo, len(w.opts.Nodes))
	for _, n := range w.opts.Nodes {
		online := false
		for _, id := range w.storeStatus.Members {
			online = online || id == n.ID
		}
		info[n.Name] = ha.NodeInfo{Online: online}
	}
	return info, nil
}

// ReadGroups implements ha.CRMEnv.
func (w *storeEnv) ReadGroups() (string, error) {
	f, err := w.readFile(GroupsPath)
	return string(f.data), err
}

// ReadRules implements ha.CRMEnv.
func (w *storeEnv) ReadRules() (string, error) {
	f, err := w.readFile(RulesPath)
	return string(f.data), err
}

// Info is what a node publishes about itself, in a file of its directory.
type Info struct {
	// Version is the version of the node's HA manager; [Version] when empty.
	Version string `json:"version"`
	// CPUs and MemoryBytes are the node's size, for the static and the dynamic scheduler.
	CPUs        float64 `json:"cpus,omitempty"`
	MemoryBytes float64 `json:"memory_bytes,omitempty"`
}

// readNodeInfo returns what a node published about itself; nothing for a node without the file.
func (w *storeEnv) readNodeInfo(node string) (info Info, err error) {
	f, err := w.readFile(VersionPath(node))
	if err != nil {
		return info, err
	}
	return decodeInfo(node, f.data)
}

// decodeInfo reads what a node published about itself; an empty file holds nothing.
func decodeInfo(node string, data []byte) (info Info, err error) {
	if len(data) == 0 {
		return info, nil
	}
	if err := json.Unmarshal(data, &info); err != nil {
		return info, fmt.Errorf("reading %s: %w", VersionPath(node), err)
	}
	return info, nil
}

// NodeVersion implements ha.CRMEnv.
func (w *storeEnv) NodeVersion(node string) (string, error) {
	info, err := w.readNodeInfo(node)
	return info.Version, err
}
