package ha

// Decisions is how far the HA manager decides as Proxmox VE's manager does.
type Decisions string

// Values of the setting decisions in the ha line of datacenter.cfg.
const (
	// DecisionsStrict departs from Proxmox VE's manager in the ways that [Differences] lists. It is the
	// default.
	DecisionsStrict Decisions = "strict"
	// DecisionsUpstream decides as Proxmox VE's manager does, also where that is less safe or leaves a
	// service to an administrator. It is for comparisons.
	DecisionsUpstream Decisions = "upstream"
)

// Difference is the id of a deliberate difference from Proxmox VE's manager.
type Difference string

// The deliberate differences. Each holds only with [DecisionsStrict].
const (
	DiffUnprotected       Difference = "unprotected"
	DiffTakeoverClock     Difference = "takeover-clock"
	DiffNeverSeen         Difference = "never-seen"
	DiffFencedMaster      Difference = "fenced-master"
	DiffFirstStatus       Difference = "first-status"
	DiffStartedMoves      Difference = "started-moves"
	DiffDeclinedMoves     Difference = "declined-moves"
	DiffWithdrawnCommand  Difference = "withdrawn-command"
	DiffStopAtMaintenance Difference = "stop-at-maintenance"
	DiffRegainedLock      Difference = "regained-lock"
	DiffStopElsewhere     Difference = "stop-elsewhere"
	DiffRestartGoesDown   Difference = "restart-goes-down"
	DiffMaintenanceExit   Difference = "maintenance-exit"
	DiffDisarmedNode      Difference = "disarmed-node"
	DiffDisarmMoves       Difference = "disarm-moves"
	DiffDisarmBalance     Difference = "disarm-balance"
	DiffDisarmLocks       Difference = "disarm-locks"
	DiffDisarmCommands    Difference = "disarm-commands"
	DiffRearmedResults    Difference = "rearmed-results"
	DiffMaintenanceTwice  Difference = "maintenance-twice"
	DiffMovingPartner     Difference = "moving-partner"
	DiffKeptTogether      Difference = "kept-together"
	DiffArrivedService    Difference = "arrived-service"
	DiffReaddedService    Difference = "readded-service"
	DiffUnmanagedService  Difference = "unmanaged-service"
	DiffIsolatedErrors    Difference = "isolated-errors"
	DiffStartWithoutNode  Difference = "start-without-node"
	DiffBalanceAtStart    Difference = "balance-at-start"
	DiffIdleMaster        Difference = "idle-master"
	DiffLockAtOnce        Difference = "lock-at-once"
	DiffBrokenStore       Difference = "broken-store"
	DiffDisarmedReturn    Difference = "disarmed-return"
	DiffRuleMessages      Difference = "rule-messages"
	DiffMissingGroup      Difference = "missing-group"
	DiffRuleReading       Difference = "rule-reading"
)

// DifferenceText describes a difference: what this manager does, and what Proxmox VE's manager does.
type DifferenceText struct {
	ID               Difference
	Strict, Upstream string
}

// Differences returns every deliberate difference from Proxmox VE's manager, version 5.2.0, that can change
// a log.
func Differences() []DifferenceText {
	return append(differencesOfAgents(), differencesOfManagers()...)
}

// differencesOfAgents are those about agents, moves and disarming.
func differencesOfAgents() []DifferenceText {
	return []DifferenceText{
		{DiffUnprotected, "a service that was not protected by lock and watchdog waits for its lost node",
			"the lock of a node proves the end of everything that was ever configured there"},
		{DiffTakeoverClock, "the absence of a node that an earlier master saw counts from the takeover",
			"it counts from the first time that the new master needs to know"},
		{DiffNeverSeen,
			"the lock of a node that no master has seen proves nothing for 120 s, absent or not",
			"an absent lock is taken at once"},
		{DiffFencedMaster, "a node that must be fenced does not become master",
			"it may, without services on it"},
		{DiffFirstStatus, "the first status of an agent already has the mode that the manager requested",
			"it reports mode active, and a maintained node gets services for a moment"},
		{DiffStartedMoves, "an agent answers for the moves of its predecessor",
			"it executes them again, and the service goes to error if it has arrived"},
		{DiffDeclinedMoves, "an agent that restarts answers the moves that it will not start",
			"agent and manager wait for each other"},
		{DiffWithdrawnCommand, "a queued command is dropped when the manager has changed its decision",
			"it is executed"},
		{DiffRegainedLock,
			"an agent that gets its lock back while its node shuts down lets its services move first",
			"it gives the lock back and ends at once, although they run"},
		{DiffStopAtMaintenance, "a node that shuts down in manual maintenance lets its services move",
			"it stops them first, unless the shutdown policy is migrate"},
		{DiffRestartGoesDown, "a node that goes down while its agent is about to restart stops its services",
			"the agent leaves them running, and the power loss ends them"},
		{DiffStopElsewhere, "a node that shuts down has stopped a service that has moved away by then",
			"the stop fails, and the watchdog resets the node"},
		{DiffMaintenanceExit, "an agent in maintenance that cannot read the manager's status waits",
			"it ends"},
		{DiffDisarmedNode, "no agent takes its lock while HA is disarmed",
			"an agent takes it to stop its services when its node shuts down"},
		{DiffDisarmMoves, "an agent executes its moves before it lets go",
			"it lets go, and the moves wait"},
		{DiffDisarmBalance, "disarming waits for a move before a start",
			"it freezes the service in mid-move"},
		{DiffDisarmLocks, "HA is disarmed when every agent has given its lock back",
			"it is when every agent has read the request"},
		{DiffDisarmCommands, "a command that comes while HA is disarmed waits", "it is dropped"},
		{DiffRearmedResults, "a service that moved while HA was disarmed gets a new uid when HA is armed",
			"results from its old node count"},
		{DiffMaintenanceTwice, "maintenance requested for a node that is shutting down outlasts its return",
			"the request is ignored"},
		{DiffMovingPartner,
			"a service that must be kept apart and moves to or from the target is in the way",
			"only services that rest on the target refuse it"},
		{DiffKeptTogether,
			"a service without failback leaves a node that a rule of resource affinity forbids",
			"it stays, although the services that it must be kept together with are elsewhere"},
		{DiffArrivedService, "a service that had arrived when its source was fenced is managed there",
			"its recovery fails in every round, and with it all other decisions"},
	}
}

// differencesOfManagers are those about what a manager does with services, the store and rules.
func differencesOfManagers() []DifferenceText {
	return []DifferenceText{
		{DiffReaddedService, "a service that was removed and added again is requested again",
			"it goes to error"},
		{DiffUnmanagedService, "a service that HA no longer manages stays as it is until HA is armed",
			"moves and recoveries of it are finished, as if it were disabled"},
		{DiffIsolatedErrors, "an error with one service does not delay the others", "it ends the round"},
		{DiffStartWithoutNode, "a start with no better node happens on the current node",
			"the service is moved to no node, which fails"},
		{DiffBalanceAtStart, "the balancer waits for starts, which measured loads do not contain yet",
			"it does not"},
		{DiffIdleMaster, "work without services waits only for a master that wrote in the last 30 s",
			"it waits for a master whose node was online when it wrote"},
		{DiffLockAtOnce, "a master that lost its lock makes one more attempt at once",
			"it does so in its next round"},
		{DiffBrokenStore, "a manager without quorum does not read the store",
			"it reads, and logs an error each round"},
		{DiffDisarmedReturn,
			"a master that lost its lock while HA was disarmed looks again when it returns",
			"it continues without watchdog for a round, although HA may be armed again"},
		{DiffRuleMessages,
			"a dropped rule is logged when rules, groups or nodes change, and so is a malformed one",
			"also in each round while a node has not joined; malformed ones are not logged"},
		{DiffMissingGroup, "a service that names a group which does not exist is in no group",
			"it is in a rule without nodes, which contradicts others"},
		{DiffRuleReading,
			"a rule with 'disable 0' is in force, and positive rules that are connected become one",
			"it is not, and a rule that connects two sets joins one of them"},
	}
}

// DifferenceFilter is an optional interface of an Env that is asked when a deliberate difference is about
// to change a decision. The conformance runner finds out with it which differences matter.
type DifferenceFilter interface {
	// Deviates reports whether the difference applies.
	Deviates(Difference) bool
}

// DecisionsKnown is an optional interface of an Env that knows the setting without reading the store, for
// decisions that are made without quorum.
type DecisionsKnown interface {
	// Decisions returns the setting as it was read last, [DecisionsStrict] before that.
	Decisions() Decisions
}

// NoTarget is the target of a move to no node. It exists only with [DecisionsUpstream], see
// [DiffStartWithoutNode].
const NoTarget = "-"

// Deviate reports whether a deliberate difference applies with this setting. Call it where the decision is
// about to differ.
func Deviate(env Env, setting Decisions, id Difference) bool {
	if setting == DecisionsUpstream {
		return false
	}
	if filter, ok := env.(DifferenceFilter); ok {
		return filter.Deviates(id)
	}
	return true
}
