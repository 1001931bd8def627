package node

import (
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/engine/cluster"
	"github.com/holdfast-sim/holdfast/engine/corosync"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/initd"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/engine/status"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/watchdog"
)

// HA is how a node takes part in high availability.
type HA struct {
	// Guests makes the node run simulated guests with this behaviour. The node's size in it applies to
	// all resources.
	Guests resource.GuestOptions
	// MoveTimeout bounds an attempt to move a running resource; 0 means the default.
	MoveTimeout time.Duration
	// IdleFactor multiplies the number of rounds without work after which LRM and CRM go idle; 0 means 1.
	IdleFactor int
	// Commands, if not nil, are the programs that may run as resources, in place of guests.
	Commands *resource.Commands
	// Self is what the node publishes about itself.
	Self haproc.Info
}

// haProcesses composes the HA manager of a node, in the order of the starts: first what resets the
// machine, last what decides.
func haProcesses(o Options, conf *corosync.Config) ([]Process, error) {
	guests, commands := o.HA.Guests, o.HA.Commands
	guests.Machines = nil
	for i := range conf.Nodes {
		guests.Machines = append(guests.Machines, nodeName(conf, i))
	}
	ho := haproc.Options{Node: nodeName(conf, int(o.Machine)), Timescale: o.Timescale, Self: o.HA.Self,
		MoveTimeout: o.HA.MoveTimeout, IdleFactor: o.HA.IdleFactor,
		NewDriver: func(e env.Env) haproc.StepDriver { return resource.NewFake(e, guests) }}
	if commands != nil {
		if err := commands.Check(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrOptions, err)
		}
		ho.NewDriver = func(e env.Env) haproc.StepDriver { return resource.NewProcess(e, *commands) }
	}
	for i := range conf.Nodes {
		ho.Nodes = append(ho.Nodes, haproc.Node{ID: conf.Nodes[i].ID, Name: nodeName(conf, i)})
	}
	if err := ho.Check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	wd := watchdog.DefaultOptions(o.Timescale)
	self := conf.Nodes[o.Machine].ID
	processes := []Process{
		newProcess(watchdog.Process, func() env.Process { return watchdog.New(wd) }),
		newProcess(status.Process, func() env.Process { return status.New(self) }),
	}
	if commands == nil {
		processes = append(processes,
			newProcess(resource.HostProcess, func() env.Process { return resource.NewHost(guests) }))
	}
	leave := store.Request{ID: initd.Process + "/leave", Op: store.OpLeave}
	shutdown := initd.Options{
		Services: []initd.Service{{Name: haproc.LRMProcess},
			{Name: haproc.CRMProcess, Within: o.Timescale.Of(crmStopTime)}},
		Leave: &initd.LeaveOptions{Process: store.Process, Request: leave.EncodeCompact(), Ends: cluster.Name,
			Within: o.Timescale.Of(leaveTime)}}
	down := newProcess(initd.Process, func() env.Process { return initd.New(shutdown) })
	down.Operations = Operations{Served: true, Always: true}
	return append(processes, down,
		newProcess(haproc.LRMProcess, func() env.Process { return haproc.NewLRM(ho) }),
		newProcess(haproc.CRMProcess, func() env.Process { return haproc.NewCRM(ho) })), nil
}

// newProcess returns a process that is restarted after restartAfter.
func newProcess(name string, create func() env.Process) Process {
	return Process{Name: name, Restart: restartAfter, New: create}
}

// crmStopTime bounds how long the CRM may take to end; the LRM may take as long as it needs.
const crmStopTime = 65 * time.Second

// leaveTime bounds how long the node may take to leave its ring.
const leaveTime = 3 * time.Second

// nodeName returns the name of the i-th node of a configuration, or one made of its id.
func nodeName(conf *corosync.Config, i int) string {
	if n := conf.Nodes[i]; n.Name != "" {
		return n.Name
	}
	return fmt.Sprintf("node%d", conf.Nodes[i].ID)
}
