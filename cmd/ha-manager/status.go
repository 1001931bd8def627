package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

// Limits of the difference between a timestamp and the present, beyond which the status shows a warning.
const (
	oldAfterSeconds    = 30
	futureAfterSeconds = 2
)

func (t *tool) newStatusCommand() *cobra.Command {
	verbose := false
	cmd := &cobra.Command{Use: "status", Short: "show HA manager and service status", Args: exactArgs(0),
		Long: `Prints the quorum of the node that is asked, the master, whether fencing is armed, the state
of each node's LRM, and each service with its node and state. It works without quorum, with the last
state that the node knows.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, v, err := t.connectView(cmd.Context())
			if err != nil {
				return err
			}
			entries := v.statusEntries(time.Now())
			return t.printValue(cmd, entries, func(w io.Writer) error {
				for _, e := range entries {
					fmt.Fprintln(w, e.Type, e.Status)
				}
				if verbose {
					return v.printAll(w)
				}
				return nil
			})
		}}
	cmd.Flags().BoolVar(&verbose, "verbose", false,
		"also print the full status files of the manager and the LRMs")
	return t.withFormatFlag(cmd)
}

// statusEntry is one line of the status.
type statusEntry struct {
	ID     string `json:"id"`
	Type   string `json:"type"`
	Node   string `json:"node"`
	Status string `json:"status"`

	Quorate    *int   `json:"quorate,omitempty"`
	Timestamp  int64  `json:"timestamp,omitempty"`
	ArmedState string `json:"armed-state,omitempty"`
	*serviceEntry
}

// serviceEntry holds the fields that only the line of a service has.
type serviceEntry struct {
	SID          string `json:"sid"`
	State        string `json:"state"`
	CRMState     string `json:"crm_state,omitempty"`
	RequestState string `json:"request_state,omitempty"`
	MaxRestart   int    `json:"max_restart"`
	MaxRelocate  int    `json:"max_relocate"`
	Failback     int    `json:"failback"`
	Comment      string `json:"comment,omitempty"`
}

func (v *view) statusEntries(now time.Time) []statusEntry {
	quorum := statusEntry{ID: "quorum", Type: "quorum", Node: v.askedNode, Status: "OK", Quorate: new(int)}
	if v.quorate {
		*quorum.Quorate = 1
	} else {
		quorum.Status = fmt.Sprintf("No quorum on node '%s'!", v.askedNode)
	}
	out := append([]statusEntry{quorum}, v.noteEntries()...)
	out = append(out, v.storeEntries()...)
	if m := v.managerStatus.MasterNode; m != "" {
		state := "active"
		if v.isIdle() {
			state = "idle"
		}
		at := v.managerStatus.Timestamp
		out = append(out, statusEntry{ID: "master", Type: "master", Node: m, Timestamp: at,
			Status: fmt.Sprintf("%s (%s, %s)", m, staleness(at, now, state), formatDate(at))},
			v.fencingLines())
	}
	for _, node := range slices.Sorted(maps.Keys(v.lrmStatuses)) {
		out = append(out, v.lrmEntry(node, now))
	}
	out = append(out, v.fencedNodes()...)
	for _, sid := range v.knownSIDs() {
		out = append(out, v.newServiceEntry(sid))
	}
	return out
}

// noteEntries returns a line for each note.
func (v *view) noteEntries() []statusEntry {
	var out []statusEntry
	for i, n := range v.notes {
		out = append(out, statusEntry{ID: fmt.Sprintf("note:%d", i+1), Type: "note", Node: v.askedNode,
			Status: n})
	}
	return out
}

// storeEntries returns a line for each node without a vote in the store, and one for each loss of data that
// the asked node has noticed. Both need an administrator.
func (v *view) storeEntries() (out []statusEntry) {
	for i := range v.store.Config {
		m := &v.store.Config[i]
		if m.VotelessSinceMS == 0 {
			continue
		}
		name := m.Name
		if name == "" {
			name = fmt.Sprint(m.Node)
		}
		since := m.VotelessSinceMS / 1000
		out = append(out, statusEntry{ID: "store:" + name, Type: "store", Node: name, Timestamp: since,
			Status: fmt.Sprintf("%s (no vote since %s: its disk is new or was put back; "+
				"`holdfastd replace-member %s`)", name, formatDate(since), name)})
	}
	for i, l := range v.store.Losses {
		where := "not kept"
		if l.File != "" {
			where = "kept in disk/" + l.File
		}
		at := l.AtMS / 1000
		out = append(out, statusEntry{ID: fmt.Sprintf("loss:%d", i), Type: "loss", Node: v.askedNode,
			Timestamp: at, Status: fmt.Sprintf("acknowledged changes %d to %d were lost, seen by %s (%s, %s)",
				l.From, l.From+l.Confirmed-1, v.askedNode, where, formatDate(at))})
	}
	return out
}

// isIdle reports whether there are no services.
func (v *view) isIdle() bool { return len(v.services) == 0 && len(v.managerStatus.ServiceStatus) == 0 }

// fencingLines returns the line that shows whether a lost node would be fenced.
func (v *view) fencingLines() statusEntry {
	state, watchdog := "armed", "active"
	switch d := v.managerStatus.Disarm; {
	case d != nil && d.State == ha.DisarmDisarmed:
		state, watchdog = string(d.State), "released"
	case d != nil:
		state = string(d.State)
	case v.isIdle():
		state, watchdog = "standby", "standby"
	}
	return statusEntry{ID: "fencing", Type: "fencing", Node: v.managerStatus.MasterNode, ArmedState: state,
		Status: fmt.Sprintf("%s (CRM watchdog %s)", state, watchdog)}
}

func (v *view) lrmEntry(node string, now time.Time) statusEntry {
	e := statusEntry{ID: "lrm:" + node, Type: "lrm", Node: node, Timestamp: v.lrmStatuses[node].Timestamp}
	if e.Timestamp == 0 {
		e.Status = node + " (unable to read lrm status)"
		return e
	}
	state, watchdog := v.lrmStateText(node)
	if found := staleness(e.Timestamp, now, state); found != state {
		e.Status = fmt.Sprintf("%s (%s, %s)", node, found, formatDate(e.Timestamp))
		return e
	}
	e.Status = fmt.Sprintf("%s (%s, watchdog %s, %s)", node, state, watchdog, formatDate(e.Timestamp))
	return e
}

// formatDate formats a time as Proxmox VE does, in local time.
func formatDate(seconds int64) string { return time.Unix(seconds, 0).Format(time.ANSIC) }

// staleness returns the given state, or a warning in its place when the timestamp is too old or in the
// future.
func staleness(seconds int64, now time.Time, state string) string {
	switch age := now.Unix() - seconds; {
	case age > oldAfterSeconds:
		return "old timestamp - dead?"
	case age < -futureAfterSeconds:
		return "detected time drift!"
	}
	return state
}

// lrmStateText returns the state of a node's LRM and of its watchdog, as an operator reads them.
func (v *view) lrmStateText(node string) (state, watchdog string) {
	agent := v.lrmStatuses[node]
	state, watchdog = string(agent.State), "active"
	if state == "" {
		state = "unknown"
	}
	switch {
	case agent.State == ha.LRMMaintenance && !v.shouldRunServices(node):
		watchdog = "released"
	case agent.State == ha.LRMWaitForAgentLock && agent.Mode == ha.ModeDisarm:
		watchdog = "released"
	case agent.State == ha.LRMWaitForAgentLock, agent.State == "":
		watchdog = "standby"
	}
	switch {
	case agent.State == ha.LRMLostAgentLock:
	case agent.Mode != "" && agent.Mode != ha.ModeActive:
		state = string(agent.Mode) + " mode"
	case agent.State == ha.LRMWaitForAgentLock && !v.shouldRunServices(node):
		state = "idle"
	}
	return state, watchdog
}

// shouldRunServices reports whether services should run on a node.
func (v *view) shouldRunServices(node string) bool {
	for _, sd := range v.managerStatus.ServiceStatus {
		if sd.Node == node && sd.State != ha.Stopped && sd.State != ha.Freeze {
			return true
		}
	}
	return false
}

func (v *view) newServiceEntry(sid string) statusEntry {
	sd, cd := v.managerStatus.ServiceStatus[sid], v.services[sid]
	s := &serviceEntry{SID: sid, State: v.serviceStateText(sid)}
	e := statusEntry{ID: "service:" + sid, Type: "service", Node: v.configNodes[sid], serviceEntry: s}
	if sd != nil {
		e.Node, s.CRMState = sd.Node, string(sd.State)
	}
	if cd != nil {
		s.RequestState, s.Comment = string(cd.State), cd.Comment
		s.MaxRestart, s.MaxRelocate = cd.MaxRestart, cd.MaxRelocate
		if cd.Failback {
			s.Failback = 1
		}
	}
	node := e.Node
	if node == "" {
		node = "---"
	}
	e.Status = fmt.Sprintf("%s (%s, %s)", sid, node, s.State)
	return e
}

// serviceStateText returns the state of a service as an operator reads it.
func (v *view) serviceStateText(sid string) string {
	sd, cd := v.managerStatus.ServiceStatus[sid], v.services[sid]
	switch {
	case cd != nil && cd.State == ha.WantIgnored:
		return "ignored"
	case sd == nil:
		return "queued"
	case cd == nil:
		return "deleting"
	case sd.State == ha.Error && cd.State == ha.WantDisabled:
		return "clearing error flag"
	case sd.State == ha.Stopped && cd.State == ha.WantDisabled:
		return "disabled"
	case sd.State == ha.Started && sd.Running == 0:
		return "starting"
	case sd.State == ha.RequestStop:
		return "stopping"
	}
	return string(sd.State)
}

// printAll prints everything that was read.
func (v *view) printAll(w io.Writer) error {
	quorate := 0
	if v.quorate {
		quorate = 1
	}
	data, err := json.MarshalIndent(map[string]any{"manager_status": v.managerStatus,
		"lrm_status": v.lrmStatuses,
		"quorum":     map[string]any{"node": v.askedNode, "quorate": quorate}}, "", "   ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "full cluster state:\n%s\n", data)
	return err
}
