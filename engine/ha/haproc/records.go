package haproc

import "github.com/holdfast-sim/holdfast/engine/ha"

// CRMStateChange says which state a node's CRM is in.
type CRMStateChange struct {
	State ha.CRMState `json:"state"`
}

// LRMStateChange says which state a node's LRM is in.
type LRMStateChange struct {
	State ha.LRMState `json:"state"`
	// Started marks the first one after the process started.
	Started bool `json:"started,omitempty"`
}

// FenceStep is what the administrator hears of a fence.
type FenceStep struct {
	Node    string       `json:"node"`
	Step    ha.FenceStep `json:"step"`
	Subject string       `json:"subject"`
}

// CommandBegun says that an LRM has begun a resource command.
type CommandBegun struct {
	UID    string          `json:"uid,omitempty"`
	SID    string          `json:"sid"`
	State  ha.ServiceState `json:"state"`
	Target string          `json:"target,omitempty"`
}

// CommandDone says what came of it.
type CommandDone struct {
	UID      string          `json:"uid,omitempty"`
	SID      string          `json:"sid"`
	State    ha.ServiceState `json:"state"`
	ExitCode ha.ExitCode     `json:"exit_code"`
}

// CommandsTaken says that the master has carried out the commands of a batch: they are in the status
// that it has just written.
type CommandsTaken struct {
	Batch string   `json:"batch"`
	Lines []string `json:"lines"`
	// Before: they were found to be in the status already, and nothing was done.
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

// MoveProgress says how far a running resource's way to another node is.
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
