package fencesim

import (
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/fence"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// Times of a device without a fault.
const (
	agentConnectTimeout = 5 * time.Second
	statusTime          = 500 * time.Millisecond
	switchTime          = 2 * time.Second
	verifyTime          = time.Second
)

// Exit codes of agents.
const (
	agentDone   = 0
	agentFailed = 1
	agentOff    = 2
)

// outlet is what one part of a device switches: the power of one node, or one of its supplies.
type outlet struct {
	device        string
	node          string
	machine       env.MachineID
	isSwitchedOff bool
	supply        *supplyCircuits
}

// supplyCircuits is the outlets of one device that must all be off for the node to be off.
type supplyCircuits struct{ outlets []*outlet }

func (s *supplyCircuits) isOff() bool {
	return !slices.ContainsFunc(s.outlets, func(o *outlet) bool { return !o.isSwitchedOff })
}

// Devices are the fence devices of one run.
type Devices struct {
	spec     *haspec.Spec
	world    scenarios.ExternalDeviceHost
	machines []string
	warmup   time.Duration
	outlets  map[string]*outlet // by what agents must be given to reach them
	supplies map[env.MachineID][]*supplyCircuits
}

var _ scenarios.ExternalDevices = (*Devices)(nil)

// Cluster is what devices need to know about the cluster.
type Cluster struct {
	Machines []string
	Nodes    []string // the names of the machines' nodes, in the same order
	Warmup   time.Duration
}

// New returns the devices of an ha: section that haspec.Spec.Check has accepted.
func New(spec *haspec.Spec, c Cluster, w scenarios.ExternalDeviceHost) *Devices {
	d := &Devices{spec: spec, world: w, machines: c.Machines, warmup: c.Warmup,
		outlets: map[string]*outlet{}, supplies: map[env.MachineID][]*supplyCircuits{}}
	cfg, err := config.ParseFence(spec.Fence)
	if err != nil {
		panic("fencesim: a fence file that was accepted cannot be read: " + err.Error())
	}
	for m, node := range c.Nodes {
		plan, _ := fence.Plan(cfg, node)
		for i := range plan {
			d.addOutlets(env.MachineID(m), node, &plan[i])
		}
	}
	return d
}

// addOutlets gives a node the outlets of a device that are planned for it.
func (d *Devices) addOutlets(m env.MachineID, node string, device *fence.Device) {
	s := &supplyCircuits{}
	d.supplies[m] = append(d.supplies[m], s)
	for _, part := range device.Parts {
		args := map[string]string{}
		for _, a := range part.Args {
			args[a.Key] = a.Value
		}
		o := &outlet{device: device.Name, node: node, machine: m, supply: s}
		d.outlets[outletAddress(part.Agent, args)] = o
		s.outlets = append(s.outlets, o)
	}
}

// Call implements scenarios.ExternalDevices: it carries out a call of a fence agent.
func (d *Devices) Call(from env.MachineID, c env.Command, done func(env.CommandResult)) {
	args := agentArguments(&c)
	action := args["action"]
	delete(args, "action")
	delete(args, "nodename")
	o := d.outlets[outletAddress(c.Args[0], args)]
	if o == nil || d.activeFault(o, from, haspec.DeviceUnreachable) != nil || d.boardIsDead(o) {
		d.world.After(agentConnectTimeout, func() { done(unreachable()) })
		return
	}
	if d.activeFault(o, from, haspec.DeviceMute) != nil {
		done = func(env.CommandResult) {}
	}
	slow := time.Duration(0)
	if f := d.activeFault(o, from, haspec.DeviceSlow); f != nil {
		slow = f.Latency
	}
	after := func(delay time.Duration, do func()) { d.world.After(slow+delay, do) }
	succeed := func() { done(env.CommandResult{Code: agentDone}) }
	switch action {
	case "status", "monitor":
		after(statusTime, func() { done(o.statusResult()) })
	case "off":
		if d.activeFault(o, from, haspec.DeviceIgnores) == nil {
			effect := switchTime
			if f := d.activeFault(o, from, haspec.DeviceLate); f != nil {
				effect += f.Latency
			}
			after(effect, func() { d.switchOutlet(o, false) })
		}
		after(switchTime+verifyTime, succeed)
	case "on":
		after(switchTime, func() { d.switchOutlet(o, true) })
		after(switchTime+verifyTime, succeed)
	case "reboot":
		after(switchTime, func() { d.switchOutlet(o, false) })
		after(switchTime+verifyTime, func() { d.switchOutlet(o, true) })
		after(switchTime+2*verifyTime, succeed)
	default:
		done(unreachable())
	}
}

// unreachable is how an agent ends that cannot reach its device.
func unreachable() env.CommandResult {
	return env.CommandResult{Code: agentFailed, Output: []byte("Unable to connect/login to fencing device\n")}
}

// statusResult is how an agent ends that was asked for the state of an outlet.
func (o *outlet) statusResult() env.CommandResult {
	if o.isSwitchedOff {
		return env.CommandResult{Code: agentOff, Output: []byte("Status: OFF\n")}
	}
	return env.CommandResult{Code: agentDone, Output: []byte("Status: ON\n")}
}

// switchOutlet switches an outlet. A node is off while one of its devices keeps all of its outlets off.
func (d *Devices) switchOutlet(o *outlet, on bool) {
	o.isSwitchedOff = !on
	if o.supply.isOff() {
		d.world.SwitchPower(o.machine, false, o.device)
		return
	}
	if !slices.ContainsFunc(d.supplies[o.machine], (*supplyCircuits).isOff) {
		d.world.SwitchPower(o.machine, true, o.device)
	}
}

// boardIsDead reports whether a board that draws its power from the machine has none. A machine that
// the board itself has switched off still feeds it.
func (d *Devices) boardIsDead(o *outlet) bool {
	return slices.Contains(d.spec.FenceBoards, o.device) && !d.world.Powered(o.machine) &&
		!slices.ContainsFunc(o.supply.outlets, func(o *outlet) bool { return o.isSwitchedOff })
}

// activeFault finds a fault of a kind that acts on an outlet now; nil if there is none.
func (d *Devices) activeFault(o *outlet, from env.MachineID, kind string) *haspec.DeviceFault {
	now := d.world.Now() - d.warmup
	for i := range d.spec.FenceFaults {
		f := &d.spec.FenceFaults[i]
		if f.Kind == kind && f.Device == o.device && now >= f.At && (f.For == 0 || now < f.At+f.For) &&
			(len(f.Nodes) == 0 || slices.Contains(f.Nodes, o.node)) &&
			(len(f.From) == 0 || slices.Contains(f.From, d.machines[from])) {
			return f
		}
	}
	return nil
}
