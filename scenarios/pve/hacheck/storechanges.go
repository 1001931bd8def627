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
	changes          []storeChange
	placements       map[string][]placement // by service
	masterPlacements []placement            // on which machine the master was
}

// storeChange is a change of a lock or of a service's configuration, in the order that won.
type storeChange struct {
	*history.WitnessEntry
	durableAt time.Duration // when the first machine had it on disk
	writer    string        // the process that asked for it, as machine/process
}

// placement is where something was from an instant on; "" is nowhere.
type placement struct {
	placedAt time.Duration
	node     string
}

// placementAt is where something was at an instant.
func placementAt(list []placement, at time.Duration) string {
	node := ""
	for _, p := range list {
		if p.placedAt > at {
			break
		}
		node = p.node
	}
	return node
}

// lockName returns the name of the lock that a change is about; false when it is about none.
func (c *storeChange) lockName() (string, bool) { return strings.CutPrefix(c.Key, lock.Dir+"/") }

// isDelete reports whether a change takes something away.
func (c *storeChange) isDelete() bool { return c.F == tree.Delete.String() }

// byMaster reports whether a CRM asked for a change.
func (c *storeChange) byMaster() bool { return processOfWriter(c.writer) == crmProcess }

func machineOfWriter(by string) string {
	machine, _, _ := strings.Cut(by, "/")
	return machine
}

func processOfWriter(by string) string {
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
		c := storeChange{WitnessEntry: entry, durableAt: time.Duration(entry.Time), writer: entry.ID}
		if first, known := e.durableAt[entry.ID]; known {
			c.durableAt = first
		}
		if parts := strings.SplitN(entry.ID, "/", 3); len(parts) == 3 {
			c.writer = parts[0] + "/" + parts[1]
		}
		o.addChange(c)
	}
}

// addChange appends a change, and notes where it places a service or the master.
func (o *storeOrder) addChange(c storeChange) {
	o.changes = append(o.changes, c)
	name, isLock := c.lockName()
	switch {
	case isLock && name == haproc.ManagerLock && c.isDelete():
		o.masterPlacements = append(o.masterPlacements, placement{c.durableAt, ""})
	case isLock && name == haproc.ManagerLock:
		o.masterPlacements = append(o.masterPlacements, placement{c.durableAt, machineOfWriter(c.writer)})
	case isLock:
	case c.To != "":
		o.notePlacement(c.To, c.durableAt)
	default:
		o.notePlacement(c.Key, c.durableAt)
	}
}

// notePlacement notes where the file of a service places it.
func (o *storeOrder) notePlacement(path string, at time.Duration) {
	if sid, node := haspec.PlacementOf(path); sid != "" {
		o.placements[sid] = append(o.placements[sid], placement{at, node})
	}
}

// placementOf is the node of a service at an instant; "" before it was configured.
func (o *storeOrder) placementOf(sid string, at time.Duration) string {
	return placementAt(o.placements[sid], at)
}

// masterAt is the master's machine at an instant; "" when no CRM held the lock.
func (o *storeOrder) masterAt(at time.Duration) string { return placementAt(o.masterPlacements, at) }
