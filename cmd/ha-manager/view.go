package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/cmd/ha-manager/internal/notes"
	"github.com/holdfast-sim/holdfast/cmd/internal/salvage"
	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/ha/rules"
	"github.com/holdfast-sim/holdfast/engine/store"
)

// view is what one node knows of high availability in its cluster, as far as its files can be read.
type view struct {
	askedNode     string   // the node that was asked
	configured    []string // the nodes of the cluster; empty if the node does not tell them
	timescale     timescale.Ratio
	quorate       bool
	notes         []string     // about quorum and the configuration
	store         store.Status // of the node that was asked; only what it knows
	managerStatus *ha.ManagerStatus
	lrmStatuses   map[string]*ha.LRMStatus
	services      map[string]*ha.ServiceConfig
	rules         rules.Set
	groups        map[string]*config.Group
	datacenter    ha.Datacenter
	configNodes   map[string]string // sid -> the node that has its configuration
	damaged       salvage.Report
}

// readFile connects to the node and returns a file as the node has it, "" for a missing one.
func (t *tool) readFile(ctx context.Context, path string) (string, error) {
	a, err := t.newAPIClient()
	if err != nil {
		return "", err
	}
	text, _, err := a.readFile(ctx, path)
	return text, err
}

// connectView connects to the node, reads its view and warns of what cannot be read.
func (t *tool) connectView(cmd *cobra.Command) (*api, *view, error) {
	a, err := t.newAPIClient()
	if err != nil {
		return nil, nil, err
	}
	v, err := readView(cmd.Context(), a)
	if err == nil {
		v.damaged.Warn(cmd.ErrOrStderr())
	}
	return a, v, err
}

// writableView connects to the node, and reads its view if it has quorum. Without quorum that is the
// error, whatever else is wrong with a change.
func (t *tool) writableView(cmd *cobra.Command) (*api, *view, error) {
	a, err := t.newAPIClient()
	if err != nil {
		return nil, nil, err
	}
	if err := a.checkWritable(cmd.Context()); err != nil {
		return nil, nil, err
	}
	v, err := readView(cmd.Context(), a)
	if err == nil {
		v.damaged.Warn(cmd.ErrOrStderr())
	}
	return a, v, err
}

// readView reads the view of the node that is asked. It works without quorum as well, and with damaged
// files.
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
	v.notes = notes.Of(r.Status, a.ClusterStatus(ctx))
	health, err := a.Health(ctx)
	if err != nil {
		return nil, err
	}
	v.askedNode, v.configured = health.Name, health.Nodes
	if v.timescale, err = timescale.Parse(cmp.Or(health.Timescale, "1")); err != nil {
		return nil, fmt.Errorf("reading the node's timescale: %w", err)
	}
	present, err := a.listFiles(ctx, nodesDir)
	if err != nil {
		return nil, err
	}
	v.configNodes = nodeByGuest(present)
	if err := v.readStatuses(ctx, a, present); err != nil {
		return nil, err
	}
	return v, v.readConfiguration(ctx, a)
}

// readStatuses reads the files of the master and of the LRMs.
func (v *view) readStatuses(ctx context.Context, a *api, present map[string]bool) error {
	text, _, err := a.readFile(ctx, haproc.ManagerStatusPath)
	if err != nil {
		return err
	}
	var problems []config.Problem
	v.managerStatus, problems = salvage.ManagerStatus(text)
	v.damaged.Add(haproc.ManagerStatusPath, problems, nil)
	for _, node := range slices.Sorted(maps.Keys(nodesOf(v.managerStatus, present))) {
		path := haproc.LRMStatusPath(node)
		text, _, err := a.readFile(ctx, path)
		var refused *refusal
		if err != nil && !errors.As(err, &refused) {
			return err
		}
		v.lrmStatuses[node], problems = salvage.LRMStatus(text)
		v.damaged.Add(path, problems, err) // a node with a name that no path can have
	}
	return nil
}

// readConfiguration reads the files of the administrator.
func (v *view) readConfiguration(ctx context.Context, a *api) error {
	for _, path := range []string{haproc.ResourcesPath, haproc.RulesPath, haproc.GroupsPath,
		haproc.DatacenterPath} {
		text, _, err := a.readFile(ctx, path)
		if err != nil {
			return err
		}
		var problems []config.Problem
		switch path {
		case haproc.ResourcesPath:
			v.services, problems, err = config.ParseResources(text)
		case haproc.RulesPath:
			v.rules, problems, err = config.ParseRules(text)
		case haproc.GroupsPath:
			v.groups, problems, err = config.ParseGroups(text)
		case haproc.DatacenterPath:
			v.datacenter, err = config.ParseDatacenter(text)
		}
		v.damaged.Add(path, problems, err)
	}
	return nil
}

// lrms returns the names of the nodes whose LRMs are known.
func (v *view) lrms() []string { return slices.Sorted(maps.Keys(v.lrmStatuses)) }

// nodes returns the names of the cluster's nodes: of all that are configured, also before their LRMs have
// written anything.
func (v *view) nodes() []string {
	if len(v.configured) == 0 {
		return v.lrms()
	}
	return slices.Sorted(slices.Values(v.configured))
}

// nodesDir is the directory with a directory for each node.
const nodesDir = "nodes"

// nodesOf returns the nodes of the cluster according to its files: those that the master knows or,
// before there was a master, nodes whose LRMs have written a status.
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

// knownSIDs returns all services: first those that the master knows, then those that are only configured.
func (v *view) knownSIDs() []string {
	out := slices.Sorted(maps.Keys(v.managerStatus.ServiceStatus))
	for _, sid := range slices.Sorted(maps.Keys(v.services)) {
		if v.managerStatus.ServiceStatus[sid] == nil {
			out = append(out, sid)
		}
	}
	return out
}
