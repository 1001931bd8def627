package ha

// ServiceState is the manager's state of a service.
type ServiceState string

// Service states.
const (
	RequestStart        ServiceState = "request_start"
	RequestStartBalance ServiceState = "request_start_balance"
	Started             ServiceState = "started"
	RequestStop         ServiceState = "request_stop"
	Stopped             ServiceState = "stopped"
	Migrate             ServiceState = "migrate"
	Relocate            ServiceState = "relocate"
	Fence               ServiceState = "fence"
	Recovery            ServiceState = "recovery"
	Freeze              ServiceState = "freeze"
	Error               ServiceState = "error"
)

// ServiceStates lists every state a service can be in.
func ServiceStates() []ServiceState {
	return []ServiceState{
		RequestStart, RequestStartBalance, Started, RequestStop, Stopped, Migrate, Relocate,
		Fence, Recovery, Freeze, Error,
	}
}

// Moving reports whether a service in this state is on its way from its node to its target.
func (s ServiceState) Moving() bool {
	return s == Migrate || s == Relocate || s == RequestStartBalance
}

// RequestedState is the state that the administrator requests for a service, as its configuration spells
// it.
type RequestedState string

// Requested states.
const (
	WantStarted  RequestedState = "started"
	WantStopped  RequestedState = "stopped"
	WantDisabled RequestedState = "disabled"
	WantIgnored  RequestedState = "ignored"
)

// CRMState is the state of a node's CRM.
type CRMState string

// CRM states. Only the master decides about services.
const (
	CRMStartup         CRMState = "startup"
	CRMWaitForQuorum   CRMState = "wait_for_quorum"
	CRMSlave           CRMState = "slave"
	CRMMaster          CRMState = "master"
	CRMLostManagerLock CRMState = "lost_manager_lock"
)

// LRMState is the state of a node's LRM, as its status file spells it.
type LRMState string

// LRM states. An LRM holds the node's agent lock and an open watchdog in LRMActive and, as long as
// services or workers are left, in LRMMaintenance.
const (
	LRMStartup          LRMState = "startup"
	LRMWaitForAgentLock LRMState = "wait_for_agent_lock"
	LRMActive           LRMState = "active"
	LRMMaintenance      LRMState = "maintenance"
	LRMLostAgentLock    LRMState = "lost_agent_lock"
)

// FenceStep is a step of fencing a node that the administrator is informed of.
type FenceStep string

// Fence steps, as the subject of the message spells them.
const (
	// FenceStarted means that the node must be fenced.
	FenceStarted FenceStep = "FENCE"
	// FenceSucceeded means that the node's agent lock was taken, so that nothing it protected runs
	// there.
	FenceSucceeded FenceStep = "SUCCEED"
)

// NodeState is the manager's view of a node.
type NodeState string

// Node states.
const (
	NodeOnline      NodeState = "online"
	NodeMaintenance NodeState = "maintenance"
	NodeUnknown     NodeState = "unknown"
	NodeFence       NodeState = "fence"
	NodeGone        NodeState = "gone"
)

// Mode is what an LRM intends to do, as its status file reports it to the manager.
type Mode string

// LRM modes.
const (
	ModeActive      Mode = "active"
	ModeRestart     Mode = "restart"
	ModeShutdown    Mode = "shutdown"
	ModeMaintenance Mode = "maintenance"
	ModeDisarm      Mode = "disarm"
)

// DisarmState is the progress of disarming: the administrator switches HA off.
type DisarmState string

// Disarm states.
const (
	// DisarmDisarming means that services are being frozen or released, and LRMs still hold locks.
	DisarmDisarming DisarmState = "disarming"
	// DisarmDisarmed means that no online node holds an agent lock or a watchdog.
	DisarmDisarmed DisarmState = "disarmed"
)

// DisarmMode is what happens to services while HA is disarmed.
type DisarmMode string

// Disarm modes.
const (
	// DisarmFreeze leaves services as they are; HA does not touch them.
	DisarmFreeze DisarmMode = "freeze"
	// DisarmIgnore ignores services, as if they were not configured.
	DisarmIgnore DisarmMode = "ignore"
)
