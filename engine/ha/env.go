package ha

// Level is the severity of a log line.
type Level string

// Severities, with the names of the system journal.
const (
	LevelInfo    Level = "info"
	LevelNotice  Level = "notice"
	LevelWarning Level = "warning"
	LevelErr     Level = "err"
)

// Round is the outcome of one round of a CRM or an LRM.
type Round struct {
	// PauseSeconds is the time until the next round, counted from the beginning of this one.
	PauseSeconds int
	// Exit is true if the CRM or LRM has finished and must not be run again. An LRM whose services did
	// not stop keeps its lock and watchdog; otherwise both were released.
	Exit bool
	// Unfinished is true if services may run on although the LRM exits: it never had the lock that it needed
	// to stop them, or it failed to.
	Unfinished bool
}

// NodeInfo is what the membership layer reports about one node.
type NodeInfo struct {
	// Online is true if the node is in the same partition as this node.
	Online bool
}

// FenceNotice is the message to the administrator about one fence step.
type FenceNotice struct {
	// Step begins the subject of the message.
	Step FenceStep
	// Subject is the text of the message, in one line.
	Subject string
	// Node is the node that is fenced.
	Node string
	// Manager is the status on which the decision was based. It must not be changed.
	Manager *ManagerStatus
}

// Watchdog is one opened watchdog connection. The machine is reset when an open connection is not fed
// for the watchdog time (60 s).
type Watchdog interface {
	// Feed restarts the watchdog time.
	Feed()
	// Close ends the protection without a reset. Call it only when nothing on this node needs
	// protection.
	Close()
}

// Env is what both CRM and LRM need from the node on which they run. Calls are never made
// concurrently; an implementation may block in any of them (a coroutine, a thread).
//
// Calls that reach the replicated store return an error when the store is not reachable. The round stops
// there and the next round tries again, so an implementation must not hide errors.
type Env interface {
	// NodeName is this node's name.
	NodeName() string
	// NowSeconds is the node's clock in whole seconds. Only differences are used.
	NowSeconds() int64
	// Sleep waits for a number of seconds. The HA logic sleeps only between lock attempts; the pause
	// between rounds is the caller's (see [Round]).
	Sleep(seconds int)
	// Log writes one line to the node's log.
	Log(level Level, message string)
	// NewUID returns an identifier that was never returned before on any node.
	NewUID() string

	// RefreshClusterState brings membership and store up to date. It returns false when it could not.
	RefreshClusterState() bool
	// Quorate reports whether this node is in the quorate partition.
	Quorate() bool

	// ReadManagerStatus returns ha/manager_status, or an empty status when there is none yet. The caller
	// must not change it (see [ManagerStatus.Clone]).
	ReadManagerStatus() (*ManagerStatus, error)
	// ReadServiceConfig returns all configured services with the nodes that have their guests'
	// configurations, by sid. Services without such a node are left out. The CRM gets its own copy; an
	// LRM must not change the result.
	ReadServiceConfig() (map[string]*ServiceConfig, error)
	// ReadDatacenter returns the settings in datacenter.cfg that concern HA.
	ReadDatacenter() (Datacenter, error)

	// OpenWatchdog opens a watchdog connection.
	OpenWatchdog() (Watchdog, error)
}

// CRMEnv is what the cluster resource manager needs beyond Env.
type CRMEnv interface {
	Env

	// WriteManagerStatus replaces ha/manager_status if the file is still the version that this CRM last
	// read or wrote, and returns an error otherwise. After a success, the commands that ReadCRMCommands
	// returned in this round count as executed. The implementation then owns the status.
	WriteManagerStatus(*ManagerStatus) error
	// ReadLRMStatus returns the lrm_status of a node, or an empty one when there is none. The caller
	// must not change it.
	ReadLRMStatus(node string) (*LRMStatus, error)
	// NodeInfo returns what the membership layer reports about every member of the cluster.
	NodeInfo() (map[string]NodeInfo, error)

	// AcquireManagerLock makes one attempt to take or renew ha_manager_lock.
	AcquireManagerLock() bool
	// ReleaseManagerLock gives ha_manager_lock back. It returns true when this node held it.
	ReleaseManagerLock() bool
	// AcquireNodeLock takes or renews the agent lock of another node. It succeeds only when that
	// node has not renewed the lock for its whole TTL (120 s), has given it back, or was provably
	// reset by a fence device. This is the only proof of death that the manager accepts.
	AcquireNodeLock(node string) bool
	// NodeConfirmedDead reports whether a fence device confirms that a node was switched off since it
	// was last seen. It returns false when there is no device or no answer yet; the call may start the
	// devices.
	NodeConfirmedDead(node string) bool

	// ReadCRMCommands returns the commands of the administrator that no manager status contains yet, in
	// the order in which they were given, including lines that are not commands. The commands count as
	// executed only after WriteManagerStatus has succeeded: if the master ends before that, the next
	// master executes them. An implementation that removed the commands here would lose them when the
	// master ends. One that did not record in the status which commands it contains would execute them
	// twice.
	ReadCRMCommands() ([]Command, error)
	// CRMCommandsPending reports whether commands may be waiting. It may be true for commands that a
	// status already contains and that only have to be removed.
	CRMCommandsPending() bool
	// CommandDecided receives what the manager decided about a command, at the moment of the
	// decision and thus before the status with it is written.
	CommandDecided(CommandDecision)

	// UpdateServiceState sets the requested state of a service in its configuration.
	UpdateServiceState(sid string, requested RequestedState) error
	// UpdateServiceConfig stores the changed entries. A group of "" removes the reference.
	UpdateServiceConfig(changed map[string]*ServiceConfig) error
	// StealService moves the configuration of a service of a fenced node to its new node.
	StealService(sid, from, to string) error
	// RemoveServiceLock drops the guest lock of a service when it is one that a dead owner may
	// leave behind, and returns its name; "" when there was none or it must stay.
	RemoveServiceLock(sid string) (string, error)

	// ReadGroups returns ha/groups.cfg as text, "" when there is none.
	ReadGroups() (string, error)
	// DeleteGroups removes ha/groups.cfg.
	DeleteGroups() error
	// ReadRules returns ha/rules.cfg as text, "" when there is none.
	ReadRules() (string, error)
	// WriteRules replaces ha/rules.cfg.
	WriteRules(text string) error
	// NodeVersion returns the manager package version a node published, "" when unknown.
	NodeVersion(node string) (string, error)

	// NodeStats returns the size and, when known, the measured load of every node.
	NodeStats() (map[string]NodeStats, error)
	// ServiceStats returns the size and, when known, the measured load of every service.
	ServiceStats() (map[string]ServiceStats, error)

	// Notify informs the administrator of a fence step.
	Notify(FenceNotice)
}

// GuestWitness is an optional interface of a CRMEnv that sees which guests run on a node without asking
// the node, as the host of virtual nodes does.
type GuestWitness interface {
	// GuestRuns reports whether a service runs on a node; known is false when that cannot be determined.
	GuestRuns(sid, node string) (runs, known bool)
}

// UnversionedServices is an optional interface of a CRMEnv whose service configuration has no version, as
// in the recorded logs of Proxmox VE's manager. With [DecisionsUpstream] the manager then makes its rules
// anew only when rules, groups or nodes change.
type UnversionedServices interface {
	// UnversionedServices does nothing.
	UnversionedServices()
}

// WriteOrder is an optional interface of a CRMEnv whose store orders all writes. Such an
// implementation fills in [LRMStatus.Written].
type WriteOrder interface {
	// Revision returns a revision that is at least that of everything that was read so far.
	Revision() (uint64, error)
}

// LRMEnv is what the local resource manager needs beyond Env.
type LRMEnv interface {
	Env

	// ReadOwnLRMStatus returns this node's lrm_status as it was last written, perhaps by an earlier LRM,
	// or an empty one when there is none.
	ReadOwnLRMStatus() (*LRMStatus, error)
	// WriteLRMStatus replaces this node's lrm_status. The status then belongs to the implementation.
	WriteLRMStatus(*LRMStatus) error
	// AcquireAgentLock takes or renews this node's agent lock. One attempt.
	AcquireAgentLock() bool
	// ReleaseAgentLock gives the agent lock back. It returns true when this node held it.
	ReleaseAgentLock() bool
	// NodeShutdown reports whether the node itself is going down and whether it will boot again.
	NodeShutdown() (shutdown, reboot bool)
}

// NodeStats are the resources of a node.
type NodeStats struct {
	// MaxCPU is the number of CPUs.
	MaxCPU float64
	// MaxMemBytes is the size of the memory in bytes.
	MaxMemBytes float64
	// CPU is the load in CPUs, MemBytes the memory in use, both as measured.
	CPU, MemBytes float64
}

// ServiceStats are the resources of a service.
type ServiceStats struct {
	// MaxCPU is the number of CPUs it may use, 0 for no limit.
	MaxCPU float64
	// MaxMemBytes is the memory it may use, in bytes.
	MaxMemBytes float64
	// CPU (in CPUs) and MemBytes are the measured use.
	CPU, MemBytes float64
	// HasMeasure: CPU and MemBytes are known.
	HasMeasure bool
}
