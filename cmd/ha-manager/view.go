package main

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/store"
)

// view is what one node knows of high availability in its cluster.
type view struct {
	askedNode     string // the node that was asked
	quorate       bool
	notes         []string     // about quorum and the configuration
	store         store.Status // of the node that was asked; only what it knows
	managerStatus *ha.ManagerStatus
	lrmStatuses   map[string]*ha.LRMStatus
	services      map[string]*ha.ServiceConfig
	configNodes   map[string]string // sid -> the node that has its configuration
}

// readFile connects to the node and returns a file as the node has it, "" for a missing one.
func (t *tool) readFile(ctx context.Context, path string) (string, error) {
	a, err := t.connectAPI()
	if err != nil {
		return "", err
	}
	text, _, err := a.readFile(ctx, path)
	return text, err
}

// connectView connects to the node and reads its view.
func (t *tool) connectView(ctx context.Context) (*api, *view, error) {
	a, err := t.connectAPI()
	if err != nil {
		return nil, nil, err
	}
	v, err := readView(ctx, a)
	return a, v, err
}

// writableView connects to the node, and reads its view if it has quorum. Without quorum that is the
// error, whatever else is wrong with a change.
func (t *tool) writableView(ctx context.Context) (*api, *view, error) {
	a, err := t.connectAPI()
	if err != nil {
		return nil, nil, err
	}
	if err := a.checkWritable(ctx); err != nil {
		return nil, nil, err
	}
	v, err := readView(ctx, a)
	return a, v, err
}

// readView reads the view of the node that is asked. It works without quorum as well.
func readView(ctx context.Context, a *api) (*view, error) {
	v := &view{lrmStatuses: map[string]*ha.LRMStatus{}}
	r, err := a.callStore(ctx, store.Request{Op: store.OpStatus})
	if err != nil {
		return nil, err
	}
	if r.Status != nil {
		v.store = *r.Status
	}
	v.quorate = v.store.Quorate
	v.notes = notesOf(r.Status, a.clusterStatus(ctx))
	if v.askedNode, err = a.nodeName(ctx); err != nil {
		return nil, err
	}
	text, _, err := a.readFile(ctx, haproc.ManagerStatusPath)
	if err != nil {
		return nil, err
	}
	if v.managerStatus, err = ha.DecodeManagerStatus([]byte(text)); err != nil {
		return nil, err
	}
	present, err := a.listFiles(ctx, nodesDir)
	if err != nil {
		return nil, err
	}
	if err := v.readAgents(ctx, a, present); err != nil {
		return nil, err
	}
	if text, _, err = a.readFile(ctx, haproc.ResourcesPath); err != nil {
		return nil, err
	}
	if v.services, err = parseResources(text); err != nil {
		return nil, err
	}
	v.configNodes = nodeByGuest(present)
	return v, nil
}

func (v *view) readAgents(ctx context.Context, a *api, present map[string]bool) error {
	for node := range nodesOf(v.managerStatus, present) {
		text, _, err := a.readFile(ctx, haproc.LRMStatusPath(node))
		if err != nil {
			return err
		}
		if v.lrmStatuses[node], err = ha.DecodeLRMStatus([]byte(text)); err != nil {
			return err
		}
	}
	return nil
}

// nodesDir is the directory with a directory for each node.
const nodesDir = "nodes"

// nodesOf returns the nodes of the cluster according to its files: those that the master knows or,
// before there was a master, those whose LRMs have written a status.
func nodesOf(manager *ha.ManagerStatus, present map[string]bool) map[string]bool {
	nodes := map[string]bool{}
	for node := range manager.NodeStatus {
		nodes[node] = true
	}
	if len(nodes) > 0 {
		return nodes
	}
	for path := range present {
		if parts := strings.Split(path, "/"); len(parts) == 3 && haproc.LRMStatusPath(parts[1]) == path {
			nodes[parts[1]] = true
		}
	}
	return nodes
}

// nodeByGuest returns the node that has the configuration of each guest.
func nodeByGuest(present map[string]bool) map[string]string {
	out := map[string]string{}
	for _, path := range slices.Sorted(maps.Keys(present)) {
		if sid, node := guestAtPath(path); sid != "" {
			out[sid] = node
		}
	}
	return out
}

// guestAtPath returns the guest whose configuration is at a path and its node, "" when the path is none.
func guestAtPath(path string) (sid, node string) {
	parts := strings.Split(path, "/")
	if len(parts) != 4 || parts[0] != nodesDir {
		return "", ""
	}
	name, isConf := strings.CutSuffix(parts[3], ".conf")
	kind := map[string]string{"qemu-server": "vm", "lxc": "ct"}[parts[2]]
	if kind == "" {
		kind = parts[2]
	}
	sid = kind + ":" + name
	if _, _, err := ha.SplitSID(sid); !isConf || err != nil || haproc.GuestPath(sid, parts[1]) != path {
		return "", ""
	}
	return sid, parts[1]
}

// knownSIDs returns all services that are configured or still known to the master.
func (v *view) knownSIDs() []string {
	all := map[string]bool{}
	for sid := range v.services {
		all[sid] = true
	}
	for sid := range v.managerStatus.ServiceStatus {
		all[sid] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// readRules reads ha/rules.cfg, as far as it can be understood.
func readRules(ctx context.Context, a *api) (map[string]*config.Rule, error) {
	text, _, err := a.readFile(ctx, haproc.RulesPath)
	if err != nil {
		return nil, err
	}
	parsed, _, err := config.ParseRules(text)
	return parsed, err
}
