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
	name                 string
	hasPower, hasNetwork bool
	// shutdownKind is "", shutdown or reboot while the node goes down.
	shutdownKind     string
	storeBroken      bool
	refreshBroken    bool
	maxCPU, maxMem   float64
	baseCPU, baseMem float64
	version          string

	crm           *manager.CRM
	lrm           *lrm.LRM
	crmEnv        *daemonEnv
	lrmEnv        *daemonEnv
	restartLRM    bool
	lrmStatus     *ha.LRMStatus
	runningGuests map[string]bool
	// staleGuests count as running although they do not run: the recorded world forgets to mark a guest that
	// an administrator moves, and marks one that is added as running to a machine that is off.
	staleGuests map[string]bool
}

// lockEntry is one cluster lock.
type lockEntry struct {
	holder  string
	takenAt int64
}

// world is everything outside the HA logic.
type world struct {
	nowSeconds int64
	nodes      map[string]*machine
	nodeNames  []string
	services   map[string]*ha.ServiceConfig
	guestStats map[string]*guestStats
	guestLocks map[string]string
	// failedTries counts failing actions of fake services, for the whole world.
	failedTries map[string]int

	manager    *ha.ManagerStatus
	commands   []string
	rulesText  string
	groupsText string
	datacenter ha.Datacenter
	locks      map[string]lockEntry
	watchdogs  []*watchdog
	statusMark lrm.StatusMark
	uidCount   int

	// executor makes the workers of a new LRM. Inline by default.
	executor func(*daemonEnv) lrm.Executor
	// beforeTurn is called before every turn of a node, nil for nothing.
	beforeTurn func(*machine)

	// deviations are the deliberate differences that were about to change a decision, and suppressed is the
	// one that does not.
	deviations       map[ha.Difference]bool
	suppressed       ha.Difference
	skipCRM, skipLRM int
	log              []Line
	doubleRuns       []DoubleRun
}

// watchdog is one opened connection of a node's watchdog.
type watchdog struct {
	world   *world
	node    string
	lastFed int64
	isOpen  bool
}

// Feed restarts the watchdog time.
func (w *watchdog) Feed() { w.lastFed = w.world.nowSeconds }

// Close ends the protection.
func (w *watchdog) Close() { w.isOpen = false }

func newWorld(s *Scenario) *world {
	w := &world{
		nodes: map[string]*machine{}, services: map[string]*ha.ServiceConfig{},
		guestStats: map[string]*guestStats{},
		guestLocks: map[string]string{}, failedTries: map[string]int{}, locks: map[string]lockEntry{},
		deviations: map[ha.Difference]bool{}, manager: s.Manager.Clone(),
		rulesText: s.Rules, groupsText: s.Groups, datacenter: s.Datacenter,
	}
	w.executor = func(env *daemonEnv) lrm.Executor {
		return &inlineExecutor{env: env, results: map[string]ha.ExitCode{}}
	}
	for name, node := range s.Nodes {
		copied := *node
		copied.runningGuests, copied.staleGuests = map[string]bool{}, map[string]bool{}
		for sid := range s.Running[name] {
			copied.runningGuests[sid] = true
		}
		copied.lrmStatus = &ha.LRMStatus{Results: map[string]ha.LRMResult{}}
		copied.crmEnv = &daemonEnv{world: w, node: &copied, daemon: "crm"}
		copied.lrmEnv = &daemonEnv{world: w, node: &copied, daemon: "lrm"}
		w.nodes[name] = &copied
	}
	w.nodeNames = sortedKeys(w.nodes)
	for sid, cd := range s.Services {
		w.services[sid] = cd.Clone()
	}
	for sid, stats := range s.Stats {
		copied := *stats
		w.guestStats[sid] = &copied
	}
	for sid, lock := range s.GuestLocks {
		w.guestLocks[sid] = lock
	}
	return w
}

// quorate reports whether a node belongs to a majority of all nodes.
func (w *world) quorate(node *machine) bool {
	if !node.hasPower || !node.hasNetwork {
		return false
	}
	online := 0
	for _, other := range w.nodes {
		if other.hasPower && other.hasNetwork {
			online++
		}
	}
	return online > len(w.nodes)/2
}

func (w *world) acquireLock(name string, env *daemonEnv) bool {
	if !w.quorate(env.node) {
		return false
	}
	entry, held := w.locks[name]
	if held && env.nowSeconds-entry.takenAt <= lockLifeSeconds {
		if entry.holder != env.node.name {
			return false
		}
	} else {
		env.Log(ha.LevelInfo, fmt.Sprintf("got lock '%s'", name))
	}
	w.locks[name] = lockEntry{holder: env.node.name, takenAt: env.nowSeconds}
	return true
}

// releaseLocks gives a lock back. A lock that has expired counts as given back, whoever held it.
func (w *world) releaseLocks(name string, env *daemonEnv) bool {
	entry, held := w.locks[name]
	switch {
	case !held || !w.quorate(env.node):
		return false
	case env.nowSeconds-entry.takenAt > lockLifeSeconds:
		return true
	case entry.holder != env.node.name:
		return false
	}
	delete(w.locks, name)
	return true
}

// setRunning changes whether a guest runs on a node, and records when it then runs on two machines.
func (w *world) setRunning(sid string, node *machine, on bool) {
	delete(node.staleGuests, sid)
	if !on {
		delete(node.runningGuests, sid)
		return
	}
	node.runningGuests[sid] = true
	for _, name := range w.nodeNames {
		other := w.nodes[name]
		if other != node && other.hasPower && other.runningGuests[sid] {
			w.doubleRuns = append(w.doubleRuns, DoubleRun{SID: sid, Nodes: [2]string{other.name, node.name},
				Seconds: w.nowSeconds})
		}
	}
}

// moveService moves the configuration of a guest.
func (w *world) moveService(sid, from, to string) error {
	cd := w.services[sid]
	if cd == nil {
		return fmt.Errorf("no such service '%s'", sid)
	}
	if cd.Node != from {
		return fmt.Errorf("current_node for '%s' does not match (%s != %s)", sid, from, cd.Node)
	}
	if w.nodes[to] == nil {
		return fmt.Errorf("move service %s: unknown node %s", sid, to)
	}
	cd.Node = to
	return nil
}

// isOverdue reports whether the watchdog of a node has expired.
func (w *world) isOverdue(node *machine) bool {
	if !node.hasPower {
		return false
	}
	for _, dog := range w.watchdogs {
		if dog.isOpen && dog.node == node.name && w.nowSeconds-dog.lastFed > watchdogSeconds {
			return true
		}
	}
	return false
}

func (w *world) clearWatchdogs(node *machine) {
	kept := w.watchdogs[:0]
	for _, dog := range w.watchdogs {
		if dog.node != node.name && dog.isOpen {
			kept = append(kept, dog)
		}
	}
	w.watchdogs = kept
}

func (w *world) logLine(level string, at int64, id, message string) {
	w.log = append(w.log, Line{Level: level, Seconds: at, ID: id, Message: message})
}
