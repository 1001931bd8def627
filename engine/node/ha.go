package node

import (
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/engine/corosync"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/initd"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/engine/status"
	"github.com/holdfast-sim/holdfast/engine/watchdog"
)

// HA says how a node takes part in high availability.
type HA struct {
	// Guests makes the node run simulated guests with this behaviour. The node's size in it counts
	// whatever runs.
	Guests resource.GuestOptions
	// MoveTimeout ends the attempt to move a running resource; the default unless set.
	MoveTimeout time.Duration
	// Commands, when given, are the programs that may run as resources, in the place of guests.
	Commands *resource.Commands
	// Self is what the node tells the others of itself.
	Self haproc.Info
}

// haProcesses composes the HA manager of a node, in the order of their starts: what resets the
// machine first, what decides last.
func haProcesses(o Options, conf *corosync.Config) ([]Process, error) {
	guests, commands := o.HA.Guests, o.HA.Commands
	guests.Machines = nil
	for i := range conf.Nodes {
		guests.Machines = append(guests.Machines, nodeName(conf, i))
	}
	ho := haproc.Options{Node: nodeName(conf, int(o.Machine)), Timescale: o.Timescale, Self: o.HA.Self,
		MoveTimeout: o.HA.MoveTimeout,
		NewDriver:   func(e env.Env) haproc.StepDriver { return resource.NewFake(e, guests) }}
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
	dog := watchdog.DefaultOptions(o.Timescale)
	self := conf.Nodes[o.Machine].ID
	processes := []Process{
		{Name: watchdog.Process, Restart: restartAfter, New: func() env.Process { return watchdog.New(dog) }},
		{Name: status.Process, Restart: restartAfter, New: func() env.Process { return status.New(self) }}}
	if commands == nil {
		processes = append(processes, Process{Name: resource.HostProcess, Restart: restartAfter,
			New: func() env.Process { return resource.NewHost(guests) }})
	}
	ending := initd.Options{Services: []initd.Service{{Name: haproc.LRMProcess},
		{Name: haproc.CRMProcess, Within: o.Timescale.Of(crmStopTime)}}}
	return append(processes,
		Process{Name: initd.Process, Restart: restartAfter, New: func() env.Process { return initd.New(ending) }},
		Process{Name: haproc.LRMProcess, Restart: restartAfter, New: func() env.Process { return haproc.NewLRM(ho) }},
		Process{Name: haproc.CRMProcess, Restart: restartAfter, New: func() env.Process { return haproc.NewCRM(ho) }}), nil
}

// crmStopTime is how long the HA manager may take to end; its agent has all the time it wants.
const crmStopTime = 65 * time.Second

// nodeName is the name of the i-th node of a configuration.
func nodeName(conf *corosync.Config, i int) string {
	if n := conf.Nodes[i]; n.Name != "" {
		return n.Name
	}
	return fmt.Sprintf("node%d", conf.Nodes[i].ID)
}
