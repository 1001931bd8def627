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
	// commands. It is empty for a move with which the manager itself balances the nodes.
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

// Refusal is why the master does not execute a command. It is empty for a command that the master has
// accepted.
type Refusal string

// Reasons to refuse a command.
const (
	// RefusedUnreadable means that the line is not a command.
	RefusedUnreadable Refusal = "unreadable"
	// RefusedUnknownService means that the service is not under HA.
	RefusedUnknownService Refusal = "unknown-service"
	// RefusedNodeNotOnline means that the target, or the node that should enter maintenance, is not
	// online.
	RefusedNodeNotOnline Refusal = "node-not-online"
	// RefusedAlreadyOnNode means that the service is already on the target.
	RefusedAlreadyOnNode Refusal = "already-on-node"
	// RefusedKeptApart means that a service that must be kept apart from this one is on the target or
	// moves there.
	RefusedKeptApart Refusal = "kept-apart"
	// RefusedDisarmed means that HA is disarmed, during which no node enters maintenance.
	RefusedDisarmed Refusal = "disarmed"
	// RefusedAlreadyDisarmed means that HA is already disarmed, or being disarmed.
	RefusedAlreadyDisarmed Refusal = "already-disarmed"
	// RefusedNotDisarmed means that HA is already armed.
	RefusedNotDisarmed Refusal = "not-disarmed"
)

// CommandDecision is what the master has decided about one command.
type CommandDecision struct {
	Command Command
	// Refused is why the command is refused, "" when it is accepted. An accepted command may have no
	// effect, for example when its target goes away before the service can move.
	Refused Refusal
}

// PendingCommand is a command that is stored with a service until the state of the service allows it. It
// has the form of the status file, a list of verb and argument, because files with other content exist:
// an entry that is not understood survives decoding, and is reported when the service would execute it.
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
