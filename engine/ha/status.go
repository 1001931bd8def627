package ha

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
)

// maxStatusBytes bounds a status file that is decoded. The store allows 1 MiB per file.
const maxStatusBytes = 1 << 20

// ManagerStatus is ha/manager_status: everything that the master knows, so that the next master can
// continue.
type ManagerStatus struct {
	MasterNode    string                    `json:"master_node,omitempty"`
	Timestamp     int64                     `json:"timestamp,omitempty"`
	NodeStatus    map[string]NodeState      `json:"node_status"`
	ServiceStatus map[string]*ServiceStatus `json:"service_status"`
	NodeRequest   map[string]NodeRequest    `json:"node_request,omitempty"`
	Disarm        *Disarm                   `json:"disarm,omitempty"`
	// NeverSeen are the nodes of services that no master has seen online yet. Their locks prove nothing
	// until a master has watched them for a whole life.
	NeverSeen []string `json:"never_seen,omitempty"`
	// Fencing describes in words, by node, the progress of the fence devices for nodes in state fence.
	// It is text for people: no decision depends on it.
	Fencing map[string]string `json:"fencing,omitempty"`
	// Taken are the batches of commands that this status already contains and that are still in the
	// store. The environment sets it when it writes the status; the manager never reads it.
	Taken []string `json:"crm_commands_taken,omitempty"`
}

// NodeRequest holds the administrator's requests for one node.
type NodeRequest struct {
	Maintenance Int `json:"maintenance,omitempty"`
}

// Disarm is how far HA is switched off, and what happens to services meanwhile.
type Disarm struct {
	Mode  DisarmMode  `json:"mode"`
	State DisarmState `json:"state"`
}

// ActiveServices counts the services that are on a node or move there, and that may run.
func (s *ManagerStatus) ActiveServices(node string) int {
	count := 0
	for _, sd := range s.ServiceStatus {
		if sd.IsActiveOn(node) {
			count++
		}
	}
	return count
}

// ServiceStatus is the manager's record of one service.
type ServiceStatus struct {
	State ServiceState `json:"state"`
	Node  string       `json:"node"`
	UID   string       `json:"uid,omitempty"`
	// Target is set while the service moves.
	Target string `json:"target,omitempty"`
	// Cmd is a command of the administrator that is not executed yet.
	Cmd PendingCommand `json:"cmd,omitempty"`
	// FailedNodes are the nodes on which the start failed since the last success, in that order.
	FailedNodes []string `json:"failed_nodes,omitempty"`
	// MaintenanceNode is the node to return to when its maintenance ends.
	MaintenanceNode string `json:"maintenance_node,omitempty"`
	// Running is 1 after the LRM has confirmed the start. It is valid only while State is started.
	Running Int `json:"running,omitempty"`
	// Unprotected is not 0 if the guest may run on its node although, since it arrived, no LRM was seen
	// there that holds lock and watchdog. The node's lock then proves nothing about the guest. The value
	// is a revision of the store: a status that the LRM writes after that revision can clear it.
	Unprotected Int `json:"unguarded,omitempty"`
	// TimeoutSeconds is the timeout of a requested stop, nil for the default.
	TimeoutSeconds *Int `json:"timeout,omitempty"`
}

// IsActiveOn reports whether the service is on a node or moves there, and may run.
func (sd *ServiceStatus) IsActiveOn(node string) bool {
	if sd.Node != node && sd.Target != node {
		return false
	}
	switch sd.State {
	case Stopped, Freeze, Error, RequestStart:
		return false
	}
	return true
}

// LRMStatus is nodes/<node>/lrm_status.
type LRMStatus struct {
	State     LRMState             `json:"state,omitempty"`
	Mode      Mode                 `json:"mode,omitempty"`
	Timestamp int64                `json:"timestamp,omitempty"`
	Results   map[string]LRMResult `json:"results"`
	// StartedMoves holds the targets of moves that were started and not yet answered, by uid. A restarted
	// LRM reads from it whether it moved a service that is no longer on this node.
	StartedMoves map[string]string `json:"begun,omitempty"`
	// Written is the store's revision at which this status was written, 0 when unknown. The reader sets
	// it.
	Written uint64 `json:"-"`
}

// LRMResult is the result of the command with one uid.
type LRMResult struct {
	SID      string       `json:"sid"`
	State    ServiceState `json:"state"`
	ExitCode ExitCode     `json:"exit_code"`
}

// NewManagerStatus returns an empty status.
func NewManagerStatus() *ManagerStatus {
	return &ManagerStatus{
		NodeStatus:    map[string]NodeState{},
		ServiceStatus: map[string]*ServiceStatus{},
		NodeRequest:   map[string]NodeRequest{},
	}
}

// DecodeManagerStatus reads the JSON of ha/manager_status. Empty input is an empty status; unknown keys
// are ignored. An entry without a state or a node is an error, because acting on it could lose a
// service.
func DecodeManagerStatus(data []byte) (*ManagerStatus, error) {
	if len(data) > maxStatusBytes {
		return nil, fmt.Errorf("decode manager status: %d bytes, more than %d", len(data), maxStatusBytes)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return NewManagerStatus(), nil
	}
	status := plainManagerStatus(data)
	if status == nil {
		status = NewManagerStatus()
		if err := json.Unmarshal(data, status); err != nil {
			return nil, fmt.Errorf("decode manager status: %w", err)
		}
	}
	if status.NodeStatus == nil {
		status.NodeStatus = map[string]NodeState{}
	}
	if status.ServiceStatus == nil {
		status.ServiceStatus = map[string]*ServiceStatus{}
	}
	if status.NodeRequest == nil {
		status.NodeRequest = map[string]NodeRequest{}
	}
	for sid, service := range status.ServiceStatus {
		if err := service.validate(); err != nil {
			return nil, fmt.Errorf("decode manager status of service %q: %w", sid, err)
		}
	}
	if d := status.Disarm; d != nil && (!validDisarmMode(d.Mode) || !validDisarmState(d.State)) {
		return nil, fmt.Errorf("decode manager status: disarm mode %q or state %q is unknown", d.Mode,
			d.State)
	}
	return status, nil
}

func validDisarmMode(mode DisarmMode) bool { return mode == DisarmFreeze || mode == DisarmIgnore }
func validDisarmState(state DisarmState) bool {
	return state == DisarmDisarming || state == DisarmDisarmed
}

func (s *ServiceStatus) validate() error {
	if s == nil {
		return fmt.Errorf("entry is null")
	}
	if s.Node == "" {
		return fmt.Errorf("entry has no node")
	}
	for _, known := range ServiceStates() {
		if s.State == known {
			if s.State.Moving() && s.Target == "" {
				return fmt.Errorf("state %q needs a target", s.State)
			}
			return nil
		}
	}
	return fmt.Errorf("state %q is unknown", s.State)
}

// Encode returns the JSON form; equal statuses give equal bytes.
func (m *ManagerStatus) Encode() ([]byte, error) {
	data, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode manager status: %w", err)
	}
	return data, nil
}

// Clone returns a deep copy.
func (m *ManagerStatus) Clone() *ManagerStatus {
	out := NewManagerStatus()
	out.MasterNode, out.Timestamp = m.MasterNode, m.Timestamp
	for node, state := range m.NodeStatus {
		out.NodeStatus[node] = state
	}
	for sid, service := range m.ServiceStatus {
		out.ServiceStatus[sid] = service.Clone()
	}
	for node, request := range m.NodeRequest {
		out.NodeRequest[node] = request
	}
	out.Fencing = maps.Clone(m.Fencing)
	out.Taken = append([]string(nil), m.Taken...)
	out.NeverSeen = append([]string(nil), m.NeverSeen...)
	if m.Disarm != nil {
		disarm := *m.Disarm
		out.Disarm = &disarm
	}
	return out
}

// Clone returns a deep copy.
func (s *ServiceStatus) Clone() *ServiceStatus {
	out := *s
	out.Cmd = append(PendingCommand(nil), s.Cmd...)
	out.FailedNodes = append([]string(nil), s.FailedNodes...)
	if s.TimeoutSeconds != nil {
		timeout := *s.TimeoutSeconds
		out.TimeoutSeconds = &timeout
	}
	return &out
}

// DecodeLRMStatus reads the JSON of an lrm_status. Empty input is an empty status.
func DecodeLRMStatus(data []byte) (*LRMStatus, error) {
	if len(data) > maxStatusBytes {
		return nil, fmt.Errorf("decode lrm status: %d bytes, more than %d", len(data), maxStatusBytes)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return &LRMStatus{Results: map[string]LRMResult{}}, nil
	}
	status := plainLRMStatus(data)
	if status == nil {
		status = &LRMStatus{Results: map[string]LRMResult{}}
		if err := json.Unmarshal(data, status); err != nil {
			return nil, fmt.Errorf("decode lrm status: %w", err)
		}
	}
	if status.Results == nil {
		status.Results = map[string]LRMResult{}
	}
	return status, nil
}

// Encode returns the JSON form; equal statuses give equal bytes.
func (s *LRMStatus) Encode() ([]byte, error) {
	data, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode lrm status: %w", err)
	}
	return data, nil
}

// Clone returns a deep copy.
func (s *LRMStatus) Clone() *LRMStatus {
	out := *s
	out.Results = make(map[string]LRMResult, len(s.Results))
	for uid, result := range s.Results {
		out.Results[uid] = result
	}
	if s.StartedMoves != nil {
		out.StartedMoves = make(map[string]string, len(s.StartedMoves))
		for uid, target := range s.StartedMoves {
			out.StartedMoves[uid] = target
		}
	}
	return &out
}

// Int is an integer that is also accepted as a JSON string or boolean, because programs in loosely typed
// languages write all three.
type Int int64

// UnmarshalJSON accepts 1, "1", true, false, null and "" (0).
func (i *Int) UnmarshalJSON(data []byte) error {
	text := strings.Trim(string(data), `"`)
	switch text {
	case "true":
		*i = 1
		return nil
	case "false", "null", "":
		*i = 0
		return nil
	}
	value, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return fmt.Errorf("parse integer %q: %w", text, err)
	}
	*i = Int(value)
	return nil
}
