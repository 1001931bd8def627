package ha

import "strconv"

// CommandVerb is what a command of the administrator asks for, as ha/crm_commands spells it.
type CommandVerb string

// Commands of the administrator.
const (
	CommandMigrate            CommandVerb = "migrate"
	CommandRelocate           CommandVerb = "relocate"
	CommandStop               CommandVerb = "stop"
	CommandEnableMaintenance  CommandVerb = "enable-node-maintenance"
	CommandDisableMaintenance CommandVerb = "disable-node-maintenance"
	CommandDisarm             CommandVerb = "disarm-ha"
	CommandArm                CommandVerb = "arm-ha"
)

// Command is one line of ha/crm_commands.
type Command struct {
	// UID identifies the command among all commands of a cluster: the same line given twice is two
	// commands. It is empty for a move that the manager orders itself to balance the nodes.
	UID string `json:"uid,omitempty"`
	// Verb is empty for a line that is not a command.
	Verb CommandVerb `json:"verb,omitempty"`
	// SID is the service of migrate, relocate and stop.
	SID string `json:"sid,omitempty"`
	// Node is the target of migrate and relocate, or the node that enters or leaves maintenance.
	Node string `json:"node,omitempty"`
	// TimeoutSeconds is how long the service of stop may take to stop, 0 for none.
	TimeoutSeconds int `json:"timeout_seconds,omitempty"`
	// Mode is the mode of disarm-ha.
	Mode DisarmMode `json:"mode,omitempty"`
	// Line is the line as it was given.
	Line string `json:"line"`
}

// Refusal is why the master does not carry out a command. It is empty for a command that the master
// has accepted.
type Refusal string

// Reasons to refuse a command.
const (
	// RefusedUnreadable: the line is not a command.
	RefusedUnreadable Refusal = "unreadable"
	// RefusedUnknownService: the service is not under HA.
	RefusedUnknownService Refusal = "unknown-service"
	// RefusedNodeNotOnline: the target, or the node that should enter maintenance, is not online.
	RefusedNodeNotOnline Refusal = "node-not-online"
	// RefusedAlreadyOnNode: the service is on the target already.
	RefusedAlreadyOnNode Refusal = "already-on-node"
	// RefusedKeptApart: a service that must stay apart from this one is on the target or moves there.
	RefusedKeptApart Refusal = "kept-apart"
	// RefusedDisarmed: no node enters maintenance while HA is disarmed.
	RefusedDisarmed Refusal = "disarmed"
	// RefusedAlreadyDisarmed: HA is disarmed, or being disarmed, already.
	RefusedAlreadyDisarmed Refusal = "already-disarmed"
	// RefusedNotDisarmed: there is nothing to arm.
	RefusedNotDisarmed Refusal = "not-disarmed"
)

// CommandDecision is what the master has decided about one command.
type CommandDecision struct {
	Command Command
	// Refused is why the command is refused, "" when it is accepted. An accepted command can still
	// come to nothing, for instance when its target goes away before the service can move.
	Refused Refusal
}

// PendingCommand is a command that waits at a service until the state of the service can take it. It
// has the form of the status file, a list of verb and argument, because files with other content
// exist: what is not understood stays readable and is reported when the service comes to it.
type PendingCommand []string

// PendingMove returns the pending form of a migration or relocation to a node.
func PendingMove(verb CommandVerb, node string) PendingCommand {
	return PendingCommand{string(verb), node}
}

// PendingStop returns the pending form of a stop with a timeout in seconds.
func PendingStop(timeoutSeconds int) PendingCommand {
	return PendingCommand{string(CommandStop), strconv.Itoa(timeoutSeconds)}
}

// Verb returns the verb, "" when no command waits.
func (p PendingCommand) Verb() CommandVerb {
	if len(p) == 0 {
		return ""
	}
	return CommandVerb(p[0])
}

// Argument returns what follows the verb; ok is false unless that is exactly one word.
func (p PendingCommand) Argument() (argument string, ok bool) {
	if len(p) != 2 {
		return "", false
	}
	return p[1], true
}

// Moves reports whether the command moves its service to another node.
func (p PendingCommand) Moves() bool {
	verb := p.Verb()
	return verb == CommandMigrate || verb == CommandRelocate
}
