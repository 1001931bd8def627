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

// Moving tells whether a service in this state is on its way from its node to its target.
func (s ServiceState) Moving() bool {
	return s == Migrate || s == Relocate || s == RequestStartBalance
}

// Requested states of a service in its configuration.
const (
	WantStarted  = "started"
	WantStopped  = "stopped"
	WantDisabled = "disabled"
	WantIgnored  = "ignored"
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

// Mode is what an LRM tells the manager about its intentions.
type Mode string

// LRM modes.
const (
	ModeActive      Mode = "active"
	ModeRestart     Mode = "restart"
	ModeShutdown    Mode = "shutdown"
	ModeMaintenance Mode = "maintenance"
	ModeDisarm      Mode = "disarm"
)

// Disarm states and resource modes.
const (
	DisarmDisarming = "disarming"
	DisarmDisarmed  = "disarmed"

	DisarmFreeze = "freeze"
	DisarmIgnore = "ignore"
)
