package haproc

import "github.com/holdfast-sim/holdfast/engine/ha"

// CRMStateChange is emitted when a node's CRM enters a state.
type CRMStateChange struct {
	State ha.CRMState `json:"state"`
}

// LRMStateChange is emitted when a node's LRM enters a state.
type LRMStateChange struct {
	State ha.LRMState `json:"state"`
	// Started is true for the first state after the process started.
	Started bool `json:"started,omitempty"`
}

// FenceStep is emitted when the administrator is informed of a step of fencing.
type FenceStep struct {
	Node    string       `json:"node"`
	Step    ha.FenceStep `json:"step"`
	Subject string       `json:"subject"`
}

// CommandBegun is emitted when an LRM starts a resource command.
type CommandBegun struct {
	UID    string          `json:"uid,omitempty"`
	SID    string          `json:"sid"`
	State  ha.ServiceState `json:"state"`
	Target string          `json:"target,omitempty"`
}

// CommandDone is emitted when a resource command has ended.
type CommandDone struct {
	UID      string          `json:"uid,omitempty"`
	SID      string          `json:"sid"`
	State    ha.ServiceState `json:"state"`
	ExitCode ha.ExitCode     `json:"exit_code"`
}

// CommandsTaken is emitted when the commands of a batch have been carried out: they are in the status
// that the master has just written.
type CommandsTaken struct {
	Batch string   `json:"batch"`
	Lines []string `json:"lines"`
	// Before is true if the status already named the batch when it was read, and nothing was done.
	Before bool `json:"before,omitempty"`
}

// RecordKind implements env.Record.
func (CommandsTaken) RecordKind() string { return "ha-commands-taken" }

// CommandAccepted is emitted when the master accepts a command, before the status that contains it
// is written.
type CommandAccepted struct {
	ha.Command
}

// RecordKind implements env.Record.
func (CommandAccepted) RecordKind() string { return "ha-command-accepted" }

// CommandRefused is emitted when the master refuses a command.
type CommandRefused struct {
	ha.Command
	Reason ha.Refusal `json:"reason"`
}

// RecordKind implements env.Record.
func (CommandRefused) RecordKind() string { return "ha-command-refused" }

// MoveProgress is emitted while a running resource moves to another node.
type MoveProgress struct {
	UID     string `json:"uid,omitempty"`
	SID     string `json:"sid"`
	Target  string `json:"target"`
	Percent int    `json:"percent"`
}

// RecordKind implements env.Record.
func (MoveProgress) RecordKind() string { return "ha-move-progress" }

// RecordKind implements env.Record.
func (CRMStateChange) RecordKind() string { return "ha-crm-state" }

// RecordKind implements env.Record.
func (LRMStateChange) RecordKind() string { return "ha-lrm-state" }

// RecordKind implements env.Record.
func (FenceStep) RecordKind() string { return "ha-fence" }

// RecordKind implements env.Record.
func (CommandBegun) RecordKind() string { return "ha-command-begun" }

// RecordKind implements env.Record.
func (CommandDone) RecordKind() string { return "ha-command-done" }
