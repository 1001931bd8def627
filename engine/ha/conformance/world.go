package conformance

import (
	"errors"
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/lrm"
	"github.com/holdfast-sim/holdfast/engine/ha/manager"
)

// Times of the virtual world, in seconds.
const (
	lockLifeSeconds     = 120
	watchdogSeconds     = 60
	iterationSeconds    = 1
	minRoundSeconds     = 20
	secondsPerNode      = 2
	quietSeconds        = 500
	maxRunSeconds       = 10_000
	roundsPerGroup      = 5
	maxLogLines         = 200_000
	maxDaemonSleepTotal = 300
)

// Reasons for which a run cannot continue.
var (
	ErrCommand = errors.New("command not understood")
	ErrEndless = errors.New("scenario does not end")
	ErrOverrun = errors.New("scenario is too large")
)

var errUnmounted = errors.New("cfs connection refused - not mounted?")

// machine is one virtual node.
type machine struct {
	name           string
	power, network bool
	// shutdown is "", shutdown or reboot while the node goes down.
	shutdown         string
	storeBroken      bool
	refreshBroken    bool
	maxCPU, maxMem   float64
	baseCPU, baseMem float64
	version          string

	crm        *manager.CRM
	lrm        *lrm.LRM
	crmEnv     *daemonEnv
	lrmEnv     *daemonEnv
	restartLRM bool
	lrmStatus  *ha.LRMStatus
	running    map[string]bool
}

// lockEntry is one cluster lock.
type lockEntry struct {
	node string
	at   int64
}

// world is everything outside the HA logic.
type world struct {
	now      int64
	nodes    map[string]*machine
	names    []string
	services map[string]*ha.ServiceConfig
	guests   map[string]*guestStats
	locked   map[string]string
	// tries counts failing actions of fake services, for the whole world.
	tries map[string]int

	manager    *ha.ManagerStatus
	commands   []string
	rules      string
	groups     string
	datacenter ha.Datacenter
	locks      map[string]lockEntry
	watchdogs  []*watchdog
	mark       lrm.StatusMark
	uids       int

	// executor makes the workers of a new LRM. Inline by default.
	executor func(*daemonEnv) lrm.Executor
	// tick is called before every turn of a node, nil for nothing.
	tick func(*machine)

	skipCRM, skipLRM int
	log              []Line
	double           []DoubleRun
}

// watchdog is one opened connection of a node's watchdog.
type watchdog struct {
	world *world
	node  string
	fed   int64
	open  bool
}

// Feed restarts the watchdog time.
func (w *watchdog) Feed() { w.fed = w.world.now }

// Close ends the protection.
func (w *watchdog) Close() { w.open = false }

func newWorld(s *Scenario) *world {
	w := &world{
		nodes: map[string]*machine{}, services: map[string]*ha.ServiceConfig{},
		guests: map[string]*guestStats{},
		locked: map[string]string{}, tries: map[string]int{}, locks: map[string]lockEntry{},
		manager: s.Manager.Clone(), rules: s.Rules, groups: s.Groups, datacenter: s.Datacenter,
	}
	w.executor = func(env *daemonEnv) lrm.Executor {
		return &inline{env: env, results: map[string]ha.ExitCode{}}
	}
	for name, node := range s.Nodes {
		copied := *node
		copied.running = map[string]bool{}
		for sid := range s.Running[name] {
			copied.running[sid] = true
		}
		copied.lrmStatus = &ha.LRMStatus{Results: map[string]ha.LRMResult{}}
		copied.crmEnv = &daemonEnv{world: w, node: &copied, daemon: "crm"}
		copied.lrmEnv = &daemonEnv{world: w, node: &copied, daemon: "lrm"}
		w.nodes[name] = &copied
	}
	w.names = sortedKeys(w.nodes)
	for sid, cd := range s.Services {
		w.services[sid] = cd.Clone()
	}
	for sid, stats := range s.Stats {
		copied := *stats
		w.guests[sid] = &copied
	}
	for sid, lock := range s.GuestLocks {
		w.locked[sid] = lock
	}
	return w
}

// quorate reports whether a node belongs to a majority of all nodes.
func (w *world) quorate(node *machine) bool {
	if !node.power || !node.network {
		return false
	}
	online := 0
	for _, other := range w.nodes {
		if other.power && other.network {
			online++
		}
	}
	return online > len(w.nodes)/2
}

func (w *world) acquire(name string, env *daemonEnv) bool {
	if !w.quorate(env.node) {
		return false
	}
	entry, held := w.locks[name]
	if held && env.now-entry.at <= lockLifeSeconds {
		if entry.node != env.node.name {
			return false
		}
	} else {
		env.Log(ha.LevelInfo, fmt.Sprintf("got lock '%s'", name))
	}
	w.locks[name] = lockEntry{node: env.node.name, at: env.now}
	return true
}

func (w *world) release(name string, env *daemonEnv) bool {
	if !w.quorate(env.node) {
		return false
	}
	if w.locks[name].node != env.node.name {
		return false
	}
	delete(w.locks, name)
	return true
}

// setRunning changes whether a guest runs on a node, and records when it then runs on two machines.
func (w *world) setRunning(sid string, node *machine, on bool) {
	if !on {
		delete(node.running, sid)
		return
	}
	node.running[sid] = true
	for _, name := range w.names {
		other := w.nodes[name]
		if other != node && other.power && other.running[sid] {
			w.double = append(w.double, DoubleRun{SID: sid, Nodes: [2]string{other.name, node.name},
				Seconds: w.now})
		}
	}
}

// relocate moves the configuration of a guest.
func (w *world) relocate(sid, from, to string) error {
	cd := w.services[sid]
	if cd == nil {
		return fmt.Errorf("move service %s: it is not configured", sid)
	}
	if cd.Node != from {
		return fmt.Errorf("move service %s from %s: it is on %s", sid, from, cd.Node)
	}
	if w.nodes[to] == nil {
		return fmt.Errorf("move service %s: unknown node %s", sid, to)
	}
	cd.Node = to
	return nil
}

// overdue reports whether the watchdog of a node has expired.
func (w *world) overdue(node *machine) bool {
	if !node.power {
		return false
	}
	for _, dog := range w.watchdogs {
		if dog.open && dog.node == node.name && w.now-dog.fed > watchdogSeconds {
			return true
		}
	}
	return false
}

func (w *world) clearWatchdogs(node *machine) {
	kept := w.watchdogs[:0]
	for _, dog := range w.watchdogs {
		if dog.node != node.name && dog.open {
			kept = append(kept, dog)
		}
	}
	w.watchdogs = kept
}

func (w *world) emit(level string, at int64, id, message string) {
	w.log = append(w.log, Line{Level: level, Seconds: at, ID: id, Message: message})
}
