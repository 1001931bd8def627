package hacheck

import (
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/store/lock"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// storeOrder is what the store's order holds of locks and of the places of services.
type storeOrder struct {
	changes    []change
	placements map[string][]placement // by service
	masters    []placement            // on which machine the master was
}

// change is a change of a lock or of a service's configuration, in the order that won.
type change struct {
	*history.WitnessEntry
	at time.Duration // when the first machine had it on disk
	by string        // the process that asked for it, as machine/process
}

// placement is where something was from an instant on; "" is nowhere.
type placement struct {
	at   time.Duration
	node string
}

// placementAt is where something was at an instant.
func placementAt(list []placement, at time.Duration) string {
	node := ""
	for _, p := range list {
		if p.at > at {
			break
		}
		node = p.node
	}
	return node
}

// lockName returns the name of the lock that a change is about; false when it is about none.
func (c *change) lockName() (string, bool) { return strings.CutPrefix(c.Key, lock.Dir+"/") }

// deletes reports whether a change takes something away.
func (c *change) deletes() bool { return c.F == tree.Delete.String() }

// byMaster reports whether a CRM asked for a change.
func (c *change) byMaster() bool { return processOf(c.by) == crmProcess }

func machineOf(by string) string {
	machine, _, _ := strings.Cut(by, "/")
	return machine
}

func processOf(by string) string {
	_, process, _ := strings.Cut(by, "/")
	return process
}

// readOrder takes from the store's order what concerns locks and services.
func (e *Evidence) readOrder(log []*history.WitnessEntry) {
	o := &e.storeChanges
	o.placements = map[string][]placement{}
	for _, entry := range log {
		if !strings.HasPrefix(entry.Key, lock.Dir+"/") && !strings.HasSuffix(entry.Key, haspec.GuestSuffix) {
			continue
		}
		c := change{WitnessEntry: entry, at: time.Duration(entry.Time), by: entry.ID}
		if first, known := e.durable[entry.ID]; known {
			c.at = first
		}
		if parts := strings.SplitN(entry.ID, "/", 3); len(parts) == 3 {
			c.by = parts[0] + "/" + parts[1]
		}
		o.add(c)
	}
}

// add appends a change, and notes where it places a service or the master.
func (o *storeOrder) add(c change) {
	o.changes = append(o.changes, c)
	name, isLock := c.lockName()
	switch {
	case isLock && name == haproc.ManagerLock && c.deletes():
		o.masters = append(o.masters, placement{c.at, ""})
	case isLock && name == haproc.ManagerLock:
		o.masters = append(o.masters, placement{c.at, machineOf(c.by)})
	case isLock:
	case c.To != "":
		o.place(c.To, c.at)
	default:
		o.place(c.Key, c.at)
	}
}

// place notes where the file of a service places it.
func (o *storeOrder) place(path string, at time.Duration) {
	if sid, node := haspec.PlacementOf(path); sid != "" {
		o.placements[sid] = append(o.placements[sid], placement{at, node})
	}
}

// placementOf is the node of a service at an instant; "" before it was configured.
func (o *storeOrder) placementOf(sid string, at time.Duration) string {
	return placementAt(o.placements[sid], at)
}

// masterAt is the master's machine at an instant; "" when no CRM held the lock.
func (o *storeOrder) masterAt(at time.Duration) string { return placementAt(o.masters, at) }
