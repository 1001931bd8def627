package pve

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/fence"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// Times of a device that is well.
const (
	connectTimeout = 5 * time.Second
	statusTakes    = 500 * time.Millisecond
	switchTakes    = 2 * time.Second
	verifyTakes    = time.Second
)

// Exit codes of agents.
const (
	agentDone   = 0
	agentFailed = 1
	agentOff    = 2
)

// outlet is what one part of a device switches: the power of one node, or one of its supplies.
type outlet struct {
	device  string
	node    string
	machine env.MachineID
	off     bool
	holder  *holder
}

// holder are the outlets of one device that must all be off for the node to be off.
type holder struct{ outlets []*outlet }

func (h *holder) off() bool {
	return !slices.ContainsFunc(h.outlets, func(o *outlet) bool { return !o.off })
}

// devices are the fence devices around a simulated cluster. They know their outlets by what agents
// must be given to reach them.
type devices struct {
	spec    *haspec.Spec
	world   scenarios.ExternalDeviceHost
	names   []string // of the machines
	warmup  time.Duration
	outlets map[string]*outlet
	holders map[env.MachineID][]*holder
}

// ExternalDevices implements scenarios.ExternalDeviceBuilder.
func (b builder) ExternalDevices(w scenarios.ExternalDeviceHost) scenarios.ExternalDevices {
	s := b.subject
	if s.spec.HA == nil || s.spec.HA.Fence == "" {
		return nil
	}
	d := &devices{spec: s.spec.HA, world: w, names: s.machines, warmup: s.warmup,
		outlets: map[string]*outlet{}, holders: map[env.MachineID][]*holder{}}
	cfg, err := config.ParseFence(d.spec.Fence)
	if err != nil {
		panic("pve: fence devices that were accepted cannot be read: " + err.Error())
	}
	for m, node := range s.NodeNames() {
		plan, _ := fence.Plan(cfg, node)
		for i := range plan {
			h := &holder{}
			d.holders[env.MachineID(m)] = append(d.holders[env.MachineID(m)], h)
			for _, part := range plan[i].Parts {
				args := map[string]string{}
				for _, a := range part.Args {
					args[a.Key] = a.Value
				}
				o := &outlet{device: plan[i].Name, node: node, machine: env.MachineID(m), holder: h}
				d.outlets[address(part.Agent, args)] = o
				h.outlets = append(h.outlets, o)
			}
		}
	}
	return d
}

// address is how an outlet is found: the agent and all of its arguments.
func address(agent string, args map[string]string) string {
	var b strings.Builder
	b.WriteString(agent)
	for _, key := range slices.Sorted(maps.Keys(args)) {
		fmt.Fprintf(&b, "\n%s=%s", strings.ReplaceAll(key, "-", "_"), args[key])
	}
	return b.String()
}

// arguments reads what an agent is given: options if there are any, or lines of its input.
func arguments(c *env.Call) map[string]string {
	args := map[string]string{}
	words := c.Command[1:]
	if len(words) == 0 {
		for line := range strings.Lines(string(c.Input)) {
			if key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "="); ok {
				args[key] = value
			}
		}
	}
	for i := 0; i < len(words); i++ {
		if long, ok := strings.CutPrefix(words[i], "--"); ok {
			key, value, _ := strings.Cut(long, "=")
			args[key] = value
		} else if i+1 < len(words) {
			args[strings.TrimPrefix(words[i], "-")] = words[i+1]
			i++
		}
	}
	return args
}

// Call implements scenarios.ExternalDevices.
func (d *devices) Call(from env.MachineID, c env.Call, done func(env.CallResult)) {
	args := arguments(&c)
	action := args["action"]
	delete(args, "action")
	delete(args, "nodename")
	o := d.outlets[address(c.Command[0], args)]
	fail := func() {
		done(env.CallResult{Code: agentFailed, Output: []byte("Unable to connect/login to fencing device\n")})
	}
	if o == nil || d.wrong(o, from, haspec.DeviceUnreachable) != nil || d.boardIsDead(o) {
		d.world.After(connectTimeout, fail)
		return
	}
	if d.wrong(o, from, haspec.DeviceMute) != nil {
		done = func(env.CallResult) {}
	}
	slow := time.Duration(0)
	if f := d.wrong(o, from, haspec.DeviceSlow); f != nil {
		slow = f.Latency
	}
	answer := func(after time.Duration, code int) {
		d.world.After(slow+after, func() { done(env.CallResult{Code: code}) })
	}
	switch action {
	case "status", "monitor":
		d.world.After(slow+statusTakes, func() {
			if o.off {
				done(env.CallResult{Code: agentOff, Output: []byte("Status: OFF\n")})
			} else {
				done(env.CallResult{Code: agentDone, Output: []byte("Status: ON\n")})
			}
		})
	case "off":
		effect := switchTakes
		if f := d.wrong(o, from, haspec.DeviceLate); f != nil {
			effect += f.Latency
		}
		if d.wrong(o, from, haspec.DeviceIgnores) == nil {
			d.world.After(slow+effect, func() { d.turn(o, false) })
		}
		answer(switchTakes+verifyTakes, agentDone)
	case "on":
		d.world.After(slow+switchTakes, func() { d.turn(o, true) })
		answer(switchTakes+verifyTakes, agentDone)
	case "reboot":
		d.world.After(slow+switchTakes, func() { d.turn(o, false) })
		d.world.After(slow+switchTakes+verifyTakes, func() { d.turn(o, true) })
		answer(switchTakes+2*verifyTakes, agentDone)
	default:
		fail()
	}
}

// turn switches an outlet. A node is off while one of its devices keeps all of its outlets off.
func (d *devices) turn(o *outlet, on bool) {
	o.off = !on
	if o.holder.off() {
		d.world.SwitchPower(o.machine, false, o.device)
		return
	}
	if !slices.ContainsFunc(d.holders[o.machine], (*holder).off) {
		d.world.SwitchPower(o.machine, true, o.device)
	}
}

// boardIsDead: a board that draws its power from the machine is gone with it. A machine that the
// board itself has switched off still feeds it.
func (d *devices) boardIsDead(o *outlet) bool {
	return slices.Contains(d.spec.FenceBoards, o.device) && !d.world.Powered(o.machine) &&
		!slices.ContainsFunc(o.holder.outlets, func(o *outlet) bool { return o.off })
}

// wrong finds a fault of a kind that acts on an outlet now; nil when there is none.
func (d *devices) wrong(o *outlet, from env.MachineID, kind string) *haspec.DeviceFault {
	now := d.world.Now() - d.warmup
	for i := range d.spec.FenceFaults {
		f := &d.spec.FenceFaults[i]
		if f.Kind == kind && f.Device == o.device && now >= f.At && (f.For == 0 || now < f.At+f.For) &&
			(len(f.Nodes) == 0 || slices.Contains(f.Nodes, o.node)) &&
			(len(f.From) == 0 || slices.Contains(f.From, d.names[from])) {
			return f
		}
	}
	return nil
}
