package fencesim

import (
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/fence"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve/fenceagents"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// Times of a device without a fault.
const (
	agentConnectTimeout = 5 * time.Second
	statusTime          = 500 * time.Millisecond
	switchTime          = 2 * time.Second
	verifyTime          = time.Second
	metadataTime        = 300 * time.Millisecond
	// cycleTime is how long a board that resets by itself goes on supplying a machine after it has reported
	// the reset as done.
	cycleTime = 25 * time.Second
)

// Exit codes of agents.
const (
	agentDone   = 0
	agentFailed = 1
	agentOff    = 2
)

// outlet is what one part of a device switches: the power of one node, or one of its supplies.
type outlet struct {
	device, agent string
	node          string
	machine       env.MachineID
	isSwitchedOff bool
	supply        *supplyCircuits
	// kind is what the agent switches. A switch port has no influence on power.
	kind fenceagents.Kind
}

// supplyCircuits is the outlets of one device that must all be off for the node to be off.
type supplyCircuits struct{ outlets []*outlet }

func (s *supplyCircuits) isOff() bool {
	isOn := func(o *outlet) bool { return !o.isSwitchedOff }
	return len(s.outlets) > 0 && !slices.ContainsFunc(s.outlets, isOn)
}

// Devices are the fence devices of one run.
type Devices struct {
	spec     *haspec.Spec
	world    scenarios.ExternalDeviceHost
	machines []string
	warmup   time.Duration
	agents   map[string]*fence.Metadata
	used     *config.FenceConfig
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
	d.used, d.agents = cfg, fenceagents.Of(cfg)
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
	for i := range device.Parts {
		part := &device.Parts[i]
		args, ok := plannedArguments(part, d.agents[part.Agent])
		if !ok {
			continue
		}
		o := &outlet{device: device.Name, agent: part.Agent, node: node, machine: m, supply: s,
			kind: fenceagents.KindOf(part.Agent)}
		d.outlets[outletAddress(part.Agent, args)] = o
		if o.kind != fenceagents.Fabric {
			s.outlets = append(s.outlets, o)
		}
	}
}

// Call implements scenarios.ExternalDevices: it carries out a call of a fence agent.
func (d *Devices) Call(from env.MachineID, c env.Command, done func(env.CommandResult)) {
	if len(c.Args) > 1 && c.Args[len(c.Args)-1] == "metadata" {
		d.world.After(metadataTime, func() { done(d.describe(from, c.Args[0])) })
		return
	}
	args := agentArguments(&c)
	action := args["action"]
	delete(args, "action")
	delete(args, "nodename")
	o := d.outlets[outletAddress(c.Args[0], args)]
	if o == nil || d.activeFault(o, from, haspec.DeviceUnreachable) != nil || d.boardIsDead(o) {
		d.world.After(agentConnectTimeout, func() { done(unreachable()) })
		return
	}
	if d.activeFault(o, from, haspec.DeviceMisconfigured) != nil {
		d.world.After(statusTime, func() { done(misconfigured()) })
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
	switch action {
	case "status", "monitor":
		after(statusTime, func() { done(d.statusResult(o, from)) })
	case "off":
		d.carryOutOff(o, from, after, done)
	case "on":
		after(switchTime, func() { d.switchOutlet(o, true) })
		after(switchTime+verifyTime, func() { done(env.CommandResult{Code: agentDone}) })
	case "reboot":
		lag := time.Duration(0)
		if args["method"] == "cycle" {
			lag = cycleTime
		}
		after(switchTime+lag, func() { d.switchOutlet(o, false) })
		after(switchTime+lag+verifyTime, func() { d.switchOutlet(o, true) })
		after(switchTime+2*verifyTime, func() { done(env.CommandResult{Code: agentDone}) })
	default:
		done(unreachable())
	}
}

// carryOutOff switches an outlet off as real agents do it: they ask for the state first, and to an outlet
// that reports off they send nothing.
func (d *Devices) carryOutOff(o *outlet, from env.MachineID, after func(time.Duration, func()),
	done func(env.CommandResult)) {
	if d.reportsOff(o, from) {
		after(statusTime, func() { done(env.CommandResult{Output: []byte("Success: Already OFF\n")}) })
		return
	}
	if d.activeFault(o, from, haspec.DeviceIgnores) == nil {
		effect := switchTime
		if f := d.activeFault(o, from, haspec.DeviceLate); f != nil {
			effect += f.Latency
		}
		after(effect, func() { d.switchOutlet(o, false) })
	}
	after(switchTime+verifyTime, func() { done(env.CommandResult{Code: agentDone}) })
}

// describe is how an agent ends that was asked for its metadata.
func (d *Devices) describe(from env.MachineID, agent string) env.CommandResult {
	kind := fenceagents.KindOf(agent)
	for _, o := range d.outlets {
		if o.agent == agent && d.activeFault(o, from, haspec.DeviceOtherAgent) != nil {
			kind = fenceagents.Fabric
		}
	}
	return env.CommandResult{Output: fenceagents.PrintMetadata(agent, kind, fenceagents.Used(d.used, agent))}
}

// unreachable is how an agent ends that cannot reach its device.
func unreachable() env.CommandResult {
	return env.CommandResult{Code: agentFailed, Output: []byte("Unable to connect/login to fencing device\n")}
}

// misconfigured is how an agent ends that is not given what it needs.
func misconfigured() env.CommandResult {
	return env.CommandResult{Code: agentFailed, Output: []byte("ERROR:root:Failed: You have to enter " +
		"plug number or machine identification\n\nERROR:root:Please use '-h' for usage\n")}
}

// reportsOff reports whether a device reports an outlet as off.
func (d *Devices) reportsOff(o *outlet, from env.MachineID) bool {
	return o.isSwitchedOff || d.activeFault(o, from, haspec.DeviceStale) != nil
}

// statusResult is how an agent ends that was asked for the state of an outlet.
func (d *Devices) statusResult(o *outlet, from env.MachineID) env.CommandResult {
	if d.reportsOff(o, from) {
		return env.CommandResult{Code: agentOff, Output: []byte("Status: OFF\n")}
	}
	return env.CommandResult{Code: agentDone, Output: []byte("Status: ON\n")}
}

// switchOutlet switches an outlet. A node is off while one of its devices keeps all of its outlets off.
func (d *Devices) switchOutlet(o *outlet, on bool) {
	o.isSwitchedOff = !on
	if o.kind == fenceagents.Fabric {
		return
	}
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
