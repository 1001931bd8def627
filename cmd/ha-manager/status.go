package main

import (
	"cmp"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/cmd/ha-manager/internal/output"
	"github.com/holdfast-sim/holdfast/cmd/internal/salvage"
	"github.com/holdfast-sim/holdfast/engine/ha"
)

// Limits of the difference between a timestamp and the present, beyond which the status shows a warning.
// The first is multiplied by the node's timescale, but timestamps have whole seconds.
const (
	oldAfter           = 30 * time.Second
	oldAfterAtLeast    = 3 * time.Second
	futureAfterSeconds = 2
)

func (t *tool) newStatusCommand() *cobra.Command {
	verbose := false
	cmd := &cobra.Command{Use: "status", Short: "show HA manager and service status", Args: exactArgs(0),
		Long: `Prints the quorum of the node that is asked, the master, whether fencing is armed, the state
of each node's LRM, and each service with its node and state. It works without quorum, with the last
state that the node knows. What cannot be read in a file of the cluster is left out, with a warning that
names the file, the line and the remedy.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, v, err := t.connectView(cmd)
			if err != nil {
				return err
			}
			entries := v.statusEntries(time.Now())
			return t.printValue(cmd, entries, func(w io.Writer) error {
				for _, e := range entries {
					fmt.Fprintln(w, e.Type, e.Status)
				}
				if verbose {
					return printAll(w, v)
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
	// ResourceMode is what happens to resources while HA is disarmed.
	ResourceMode string `json:"resource_mode,omitempty"`
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
	Group        string `json:"group,omitempty"`
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
	out = append(out, storeProblemEntries(v)...)
	if m := v.managerStatus; m.MasterNode != "" && m.Timestamp != 0 {
		out = append(out, v.masterEntry(now))
	}
	out = append(out, v.fencingEntry(now))
	for _, node := range v.lrms() {
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

// storeProblemEntries returns a line for each node without a vote in the store, and one for each loss of
// data that the asked node has noticed. Both need an administrator.
func storeProblemEntries(v *view) (out []statusEntry) {
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

func (v *view) masterEntry(now time.Time) statusEntry {
	m := v.managerStatus
	state := v.staleness(m.Timestamp, now)
	if v.quorate && state != stateActive && len(v.services) == 0 {
		state = "idle" // a cluster without services needs no master
	}
	text := fmt.Sprintf("%s (%s, %s)", m.MasterNode, state, formatDate(m.Timestamp))
	if m.Disarm != nil {
		text += fmt.Sprintf(" - %s, resource mode: %s", m.Disarm.State, m.Disarm.Mode)
	}
	if mode := v.datacenter.CRS.Mode; mode != "" && mode != ha.SchedBasic {
		text += fmt.Sprintf(" - %s load CRS", salvage.Printable(string(mode)))
	}
	return statusEntry{ID: "master", Type: "master", Node: m.MasterNode, Timestamp: m.Timestamp, Status: text}
}

// fencingEntry returns the line that shows whether a lost node would be fenced. The master alone decides
// that. It has its watchdog open for as long as it writes its status, with or without services; it closes
// the watchdog when all nodes are disarmed.
func (v *view) fencingEntry(now time.Time) statusEntry {
	m := v.managerStatus
	e := statusEntry{ID: "fencing", Type: "fencing", Node: cmp.Or(m.MasterNode, v.askedNode)}
	if d := m.Disarm; d != nil {
		watchdog := "active"
		if d.State == ha.DisarmDisarmed {
			watchdog = "released"
		}
		e.ArmedState, e.ResourceMode = string(d.State), string(d.Mode)
		e.Status = fmt.Sprintf("%s, resource mode: %s (CRM watchdog %s)", d.State, d.Mode, watchdog)
		return e
	}
	watchdog := "standby"
	e.ArmedState = "standby"
	if m.MasterNode != "" && m.Timestamp != 0 && v.staleness(m.Timestamp, now) == stateActive {
		e.ArmedState, watchdog = "armed", "active"
	}
	e.Status = fmt.Sprintf("%s (CRM watchdog %s)", e.ArmedState, watchdog)
	return e
}

func (v *view) lrmEntry(node string, now time.Time) statusEntry {
	e := statusEntry{ID: "lrm:" + node, Type: "lrm", Node: node, Timestamp: v.lrmStatuses[node].Timestamp}
	if e.Timestamp == 0 {
		e.Status = node + " (unable to read lrm status)"
		return e
	}
	state, watchdog := v.lrmStateText(node, v.staleness(e.Timestamp, now))
	e.Status = fmt.Sprintf("%s (%s, watchdog %s, %s)", node, state, watchdog, formatDate(e.Timestamp))
	return e
}

// formatDate formats a time as Proxmox VE does, in local time.
func formatDate(seconds int64) string { return time.Unix(seconds, 0).Format(time.ANSIC) }

// stateActive is the state of a CRM or LRM that writes its status in time.
const stateActive = "active"

// staleness returns stateActive, or a warning in its place when the timestamp is too old or in the future.
func (v *view) staleness(seconds int64, now time.Time) string {
	limit := max(v.timescale.Of(oldAfter), oldAfterAtLeast)
	switch age := now.Unix() - seconds; {
	case age > int64(limit/time.Second):
		return "old timestamp - dead?"
	case age < -futureAfterSeconds:
		return "detected time drift!"
	}
	return stateActive
}

// lrmStateText returns the state of a node's LRM and of its watchdog, as an operator reads them. seen is
// the staleness of its status. Where Proxmox VE's line would not be true of the watchdog, this one is:
// an LRM that has lost its lock keeps the watchdog open, and in maintenance it closes it with the last
// service.
func (v *view) lrmStateText(node, seen string) (state, watchdog string) {
	agent := v.lrmStatuses[node]
	fresh := seen == stateActive
	state = cmp.Or(string(agent.State), "unknown")
	switch {
	case !fresh:
		state, watchdog = seen, "standby"
	case agent.State == ha.LRMActive, agent.State == ha.LRMLostAgentLock:
		watchdog = "active"
	case agent.State == ha.LRMMaintenance && shouldRunServices(v.managerStatus, node):
		watchdog = "active"
	case agent.State == ha.LRMMaintenance:
		watchdog = "released"
	default:
		watchdog = "standby"
	}
	if agent.Mode == ha.ModeDisarm && watchdog == "standby" {
		watchdog = "released"
	}
	switch {
	case !fresh && agent.Mode != ha.ModeMaintenance && agent.Mode != ha.ModeDisarm:
	case fresh && agent.State == ha.LRMLostAgentLock:
	case agent.Mode != "" && agent.Mode != ha.ModeActive:
		state = string(agent.Mode) + " mode"
	case agent.State == ha.LRMWaitForAgentLock && !shouldRunServices(v.managerStatus, node):
		state = "idle"
	}
	return salvage.Printable(state), watchdog
}

// shouldRunServices reports whether the node's LRM counts any service as active on it.
func shouldRunServices(manager *ha.ManagerStatus, node string) bool {
	for _, sd := range manager.ServiceStatus {
		if sd.Node != node && sd.Target != node {
			continue
		}
		switch sd.State {
		case ha.Stopped, ha.Freeze, ha.Error, ha.RequestStart:
		default:
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
		s.RequestState, s.Group, s.Comment = string(cd.State), cd.Group, cd.Comment
		s.MaxRestart, s.MaxRelocate = cd.MaxRestart, cd.MaxRelocate
		if cd.Failback {
			s.Failback = 1
		}
	}
	e.Status = fmt.Sprintf("%s (%s, %s)", sid, cmp.Or(e.Node, "---"), s.State)
	return e
}

// serviceStateText returns the state of a service as an operator reads it.
func (v *view) serviceStateText(sid string) string {
	sd, cd := v.managerStatus.ServiceStatus[sid], v.services[sid]
	switch d := v.managerStatus.Disarm; {
	case d != nil && d.Mode == ha.DisarmIgnore:
		return string(ha.DisarmIgnore)
	case cd == nil:
		return "deleting"
	case cd.State == ha.WantIgnored:
		return "ignored"
	case v.configNodes[sid] == "":
		return "not found"
	case sd == nil:
		return "queued"
	case sd.State == ha.Error && cd.State == ha.WantDisabled:
		return "clearing error flag"
	case sd.State == ha.Stopped && cd.State == ha.WantDisabled:
		return "disabled"
	case sd.State == ha.Stopped && cd.State == ha.WantStarted:
		return "starting"
	case sd.State == ha.Started && sd.Running == 0:
		return "starting"
	case sd.State == ha.Started && (cd.State == ha.WantStopped || cd.State == ha.WantDisabled):
		return "stopping"
	}
	return string(sd.State)
}

// printAll prints everything that was read.
func printAll(w io.Writer, v *view) error {
	quorate := 0
	if v.quorate {
		quorate = 1
	}
	fmt.Fprintln(w, "full cluster state:")
	return output.WriteValue(w, output.JSONPretty, map[string]any{"manager_status": v.managerStatus,
		"lrm_status": v.lrmStatuses,
		"quorum":     map[string]any{"node": v.askedNode, "quorate": quorate}})
}
