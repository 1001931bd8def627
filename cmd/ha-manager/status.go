package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/daemon"
	"github.com/holdfast-sim/holdfast/engine/store"
)

// Bounds of what a timestamp may differ from the present before the status says so.
const (
	oldAfterSeconds    = 30
	futureAfterSeconds = 2
)

func (t *tool) status() *cobra.Command {
	verbose := false
	cmd := &cobra.Command{Use: "status", Short: "how the HA manager and its services are", Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := t.connect()
			if err != nil {
				return err
			}
			v, err := look(cmd, a)
			if err != nil {
				return err
			}
			v.print(cmd.OutOrStdout(), time.Now())
			if verbose {
				text, err := v.manager.Encode()
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s\n", text)
			}
			return nil
		}}
	cmd.Flags().BoolVar(&verbose, "verbose", false, "print the manager's whole status, too")
	return cmd
}

// view is everything that a status is made of.
type view struct {
	node     *store.Status
	manager  *ha.ManagerStatus
	agents   map[string]*ha.LRMStatus
	services map[string]*ha.ServiceConfig
}

func look(cmd *cobra.Command, a *api) (*view, error) {
	ctx := cmd.Context()
	r, err := a.do(ctx, store.Request{Op: store.OpStatus})
	if err != nil {
		return nil, err
	}
	v := &view{node: r.Status, agents: map[string]*ha.LRMStatus{}}
	text, _, err := a.read(ctx, daemon.ManagerStatusPath)
	if err != nil {
		return nil, err
	}
	if v.manager, err = ha.DecodeManagerStatus([]byte(text)); err != nil {
		return nil, err
	}
	for node := range v.manager.NodeStatus {
		if text, _, err = a.read(ctx, daemon.LRMStatusPath(node)); err != nil {
			return nil, err
		}
		if v.agents[node], err = ha.DecodeLRMStatus([]byte(text)); err != nil {
			return nil, err
		}
	}
	if text, _, err = a.read(ctx, daemon.ResourcesPath); err != nil {
		return nil, err
	}
	v.services, err = parseResources(text)
	return v, err
}

func (v *view) print(w io.Writer, now time.Time) {
	if v.node != nil && v.node.Quorate {
		fmt.Fprintln(w, "quorum OK")
	} else {
		fmt.Fprintln(w, "quorum No quorum on this node!")
	}
	if m := v.manager.MasterNode; m != "" {
		state := "active"
		if len(v.services) == 0 && len(v.manager.ServiceStatus) == 0 {
			state = "idle"
		}
		fmt.Fprintf(w, "master %s (%s, %s)\n", m, aged(v.manager.Timestamp, now, state), date(v.manager.Timestamp))
	}
	if d := v.manager.Disarm; d != nil {
		fmt.Fprintf(w, "fencing %s\n", d.State)
	}
	for _, node := range slices.Sorted(maps.Keys(v.agents)) {
		agent := v.agents[node]
		if agent.Timestamp == 0 {
			fmt.Fprintf(w, "lrm %s (unable to read lrm status)\n", node)
			continue
		}
		fmt.Fprintf(w, "lrm %s (%s, %s)\n", node, aged(agent.Timestamp, now, v.agentState(node)), date(agent.Timestamp))
	}
	for _, sid := range v.sids() {
		fmt.Fprintf(w, "service %s (%s)\n", sid, v.serviceState(sid))
	}
}

func date(seconds int64) string { return time.Unix(seconds, 0).UTC().Format(time.ANSIC) }

// aged is a state, or what is wrong with the clock of the one who wrote it.
func aged(seconds int64, now time.Time, state string) string {
	switch age := now.Unix() - seconds; {
	case age > oldAfterSeconds:
		return "old timestamp - dead?"
	case age < -futureAfterSeconds:
		return "detected time drift!"
	}
	return state
}

func (v *view) agentState(node string) string {
	agent := v.agents[node]
	switch {
	case agent.Mode == ha.ModeMaintenance:
		return "maintenance mode"
	case agent.Mode == ha.ModeRestart, agent.Mode == ha.ModeShutdown, agent.Mode == ha.ModeDisarm:
		return string(agent.Mode) + " mode"
	case agent.State == "wait_for_agent_lock":
		return "idle"
	}
	return agent.State
}

func (v *view) sids() []string {
	all := map[string]bool{}
	for sid := range v.services {
		all[sid] = true
	}
	for sid := range v.manager.ServiceStatus {
		all[sid] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// serviceState is the node and the state as an operator reads it.
func (v *view) serviceState(sid string) string {
	sd, cd := v.manager.ServiceStatus[sid], v.services[sid]
	switch {
	case cd != nil && cd.State == ha.WantIgnored:
		return "---, ignored"
	case sd == nil:
		return "---, queued"
	}
	state := string(sd.State)
	switch {
	case cd == nil:
		state = "deleting"
	case sd.State == ha.Error && cd.State == ha.WantDisabled:
		state = "clearing error flag"
	case sd.State == ha.Stopped && cd.State == ha.WantDisabled:
		state = "disabled"
	case sd.State == ha.Started && sd.Running == 0:
		state = "starting"
	case sd.State == ha.RequestStop:
		state = "stopping"
	}
	return sd.Node + ", " + state
}
