package raft

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/linearizability/models"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// Kind is the subject's name in scenario files.
const Kind = "raft"

// Bug is a mistake that the replicas make.
type Bug string

// The bugs.
const (
	// BugNone is the correct program.
	BugNone Bug = ""
	// BugForgottenVote: a vote for another machine is not durable, so a replica that restarts may vote twice
	// in one term.
	BugForgottenVote Bug = "forgotten-vote"
	// BugAckBeforeSync: entries are acknowledged when they are written, and synced up to a heartbeat later.
	BugAckBeforeSync Bug = "ack-before-sync"
	// BugStaleTruncate: a follower cuts its log after the entries of every message, so an old message
	// removes what later ones brought.
	BugStaleTruncate Bug = "stale-truncate"
	// BugCommitOfOldTerm: a leader commits entries of earlier terms as soon as a majority has them.
	BugCommitOfOldTerm Bug = "commit-of-old-term"
)

// Bugs lists the bugs.
func Bugs() []Bug {
	return []Bug{BugForgottenVote, BugAckBeforeSync, BugStaleTruncate, BugCommitOfOldTerm}
}

// OneOf lists the bugs for decoders and schemas.
func (Bug) OneOf() []string {
	words := make([]string, 0, len(Bugs()))
	for _, b := range Bugs() {
		words = append(words, string(b))
	}
	return words
}

// Spec is the subject's part of a scenario.
type Spec struct {
	Bug Bug `yaml:"bug,omitempty" json:"bug,omitempty"`
}

// Decode makes the subject of a scenario.
func Decode(s *scenarios.Scenario) (scenarios.Subject, error) {
	var spec Spec
	if err := s.Subject.Decode(&spec); err != nil {
		return nil, err
	}
	return NewSubject(len(s.Machines), spec.Bug), nil
}

// NewSubject describes the replicas to the harness.
func NewSubject(machines int, bug Bug) scenarios.Subject {
	return scenarios.Define(scenarios.Definition{
		Kind:      Kind,
		Policy:    "every read and write takes effect once, in the order of the log",
		Processes: processes(machines, bug),
		Encode:    encode,
		Decode:    decodeResponse,
		Model:     models.Register,

		ShortestTimer: heartbeat, LongestTimer: electionMin + electionSpan,
		Records:    []env.Record{RoleChanged{}},
		Roles:      []string{RoleLeader},
		WatchRoles: func(*scenarios.Scenario) scenarios.RoleWatch { return &roles{} },
	})
}

func processes(machines int, bug Bug) func(env.MachineID) []scenarios.ProcessSpec {
	return func(env.MachineID) []scenarios.ProcessSpec {
		return []scenarios.ProcessSpec{{Name: ProcessName, Restart: restartAfter,
			New: func() env.Process { return New(machines, bug) }}}
	}
}

// encode makes a request of an operation, whose id is session-serial.
func encode(op workload.Op) (process string, input []byte) {
	r := Request{F: op.F, Key: op.Key, Value: op.Value, Session: op.ID}
	if at := strings.LastIndexByte(op.ID, '-'); at > 0 {
		if serial, err := strconv.ParseUint(op.ID[at+1:], 10, 64); err == nil {
			r.Session, r.Serial = op.ID[:at], serial
		}
	}
	input, err := json.Marshal(r)
	if err != nil {
		panic("raft: a request does not encode: " + err.Error())
	}
	return ProcessName, input
}

func decodeResponse(op workload.Op, output []byte) (workload.Result, error) {
	var r Response
	decoder := json.NewDecoder(bytes.NewReader(output))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		return workload.Result{}, fmt.Errorf("decoding %q: %w", output, err)
	}
	switch {
	case r.Unknown:
		return workload.Unknown("no answer of the leader"), nil
	case r.NoLeader:
		result := workload.Failed("no leader")
		result.Elsewhere = true
		return result, nil
	case r.Error != "":
		return workload.Failed(r.Error), nil
	case op.F == workload.Read && r.Value != "":
		return workload.OKValue(r.Value), nil
	}
	return workload.OK(), nil
}
