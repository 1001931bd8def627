package haproc

import (
	"strings"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

// Places of the HA manager's files in the store.
const (
	ManagerStatusPath = "ha/manager_status"
	CommandsPath      = "ha/crm_commands"
	ResourcesPath     = "ha/resources.cfg"
	RulesPath         = "ha/rules.cfg"
	GroupsPath        = "ha/groups.cfg"
	DatacenterPath    = "datacenter.cfg"
	nodesDir          = "nodes"

	// ManagerLock is the master's lock.
	ManagerLock = "ha_manager_lock"
)

// AgentLock returns the name of the lock of a node's LRM.
func AgentLock(node string) string { return "ha_agent_" + node + "_lock" }

// LRMStatusPath returns the path of the status of a node's LRM.
func LRMStatusPath(node string) string { return nodesDir + "/" + node + "/lrm_status" }

// VersionPath returns the path at which a node publishes the version of its HA manager.
func VersionPath(node string) string { return nodesDir + "/" + node + "/version-info" }

// guestDirs are the directories of Proxmox VE's kinds of guests.
var guestDirs = map[string]string{"vm": "qemu-server", "ct": "lxc"}

// GuestPath returns the path of a resource's configuration on a node. The resource belongs to the node
// that has the file. A kind that is not a guest has a directory of its own name.
func GuestPath(sid, node string) string {
	kind, name, _ := strings.Cut(sid, ":")
	dir := guestDirs[kind]
	if dir == "" {
		dir = kind
	}
	return nodesDir + "/" + node + "/" + dir + "/" + name + ".conf"
}

// nodeWithConfig returns the node whose directory contains the resource's configuration.
func nodeWithConfig(sid string, nodes []Node, present map[string]bool) string {
	for _, n := range nodes {
		if present[GuestPath(sid, n.Name)] {
			return n.Name
		}
	}
	return ""
}

// placeServices sets the node of every service. It leaves out services without a configuration on any
// node: there is nothing to start.
func placeServices(services map[string]*ha.ServiceConfig, nodes []Node, present map[string]bool) []string {
	var homeless []string
	for sid, cd := range services {
		if cd.Node = nodeWithConfig(sid, nodes, present); cd.Node == "" {
			homeless = append(homeless, sid)
		}
	}
	for _, sid := range homeless {
		delete(services, sid)
	}
	return homeless
}
