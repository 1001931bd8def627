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

// AgentLock is the lock of a node's LRM.
func AgentLock(node string) string { return "ha_agent_" + node + "_lock" }

// LRMStatusPath is where a node's LRM tells how it is.
func LRMStatusPath(node string) string { return nodesDir + "/" + node + "/lrm_status" }

// VersionPath is where a node tells the version of its HA manager.
func VersionPath(node string) string { return nodesDir + "/" + node + "/version-info" }

// guestDirs are the directories of the well-known kinds of guests.
var guestDirs = map[string]string{"vm": "qemu-server", "ct": "lxc"}

// GuestPath is where the configuration of a resource on a node lies: it is what makes the resource
// that node's. Kinds that are no guests have a directory of their own name.
func GuestPath(sid, node string) string {
	kind, name, _ := strings.Cut(sid, ":")
	dir := guestDirs[kind]
	if dir == "" {
		dir = kind
	}
	return nodesDir + "/" + node + "/" + dir + "/" + name + ".conf"
}

// homeOf finds the node whose directory holds the resource's configuration.
func homeOf(sid string, nodes []Node, present map[string]bool) string {
	for _, n := range nodes {
		if present[GuestPath(sid, n.Name)] {
			return n.Name
		}
	}
	return ""
}

// placeServices gives every service the node where it lives. Services whose configuration is
// nowhere are left out: there is nothing that could be started.
func placeServices(services map[string]*ha.ServiceConfig, nodes []Node, present map[string]bool) []string {
	var homeless []string
	for sid, cd := range services {
		if cd.Node = homeOf(sid, nodes, present); cd.Node == "" {
			homeless = append(homeless, sid)
		}
	}
	for _, sid := range homeless {
		delete(services, sid)
	}
	return homeless
}
