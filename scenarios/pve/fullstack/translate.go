package fullstack

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/conformance"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/pve"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// Times of a replay.
const (
	// setUpTime is for the cluster's start: all machines are on, the store starts, and the operator
	// puts the files into place. The HA manager does not run yet.
	setUpTime = 20 * time.Second
	// allOffTime is how long all machines are off after that. A scenario's time 0 is its end.
	allOffTime = 5 * time.Second
	// commandGap separates the commands of one group, so that they keep their order: machines that are
	// switched on together begin their rounds one after the other.
	commandGap = 100 * time.Millisecond
	// moveSpeed is that of a network on which a guest moves within a round, in MiB per second.
	moveSpeed = 4096
	// bootTime is what a machine needs until an operator can work at its console.
	bootTime = time.Second
)

// ErrNotExpressible means that no real cluster could do what a scenario describes.
var ErrNotExpressible = errors.New("a real cluster cannot express this")

// Translate turns a conformance scenario into an ordinary one; with devices, it has a power switch that
// must confirm a node's death. The error wraps ErrNotExpressible if no cluster can do what the scenario
// describes, and gives the reason.
func Translate(c *conformance.Scenario, devices bool) (*scenarios.Scenario, error) {
	steps, end, err := c.Plan()
	if err != nil {
		return nil, err
	}
	t := &translator{source: c, guestSizes: map[string]conformance.GuestSize{},
		powerOffSince: map[string]time.Duration{}, networkCutSince: map[string]time.Duration{},
		perhapsOff: map[string]bool{},
		haSpec: &haspec.Spec{Prepared: true, IdleFactor: roundsPerRound,
			Services: map[string]string{}, Guests: map[string]haspec.Guest{},
			Nodes: map[string]haspec.Node{}, Flaws: map[string]haspec.Flaw{},
			Rules: c.Rules, Groups: c.Groups, Datacenter: datacenter(c.Datacenter),
			Migration: haspec.Migration{MiBPerSecond: moveSpeed}}}
	if err := t.addInitialState(); err != nil {
		return nil, err
	}
	if devices {
		t.addDevice()
	}
	group, place := -1, 0
	for _, s := range steps {
		if s.Group != group {
			group, place = s.Group, 0
		}
		at := allOffTime + time.Duration(s.Seconds)*time.Second + time.Duration(place)*commandGap
		place++
		if err := t.command(at, s.Command); err != nil {
			return nil, fmt.Errorf("%q: %w", s.Command, err)
		}
	}
	t.addLastingFaults()
	return t.scenario(allOffTime + time.Duration(end)*time.Second)
}

// roundsPerRound is how many rounds of real daemons, of 10 s, take as long as one round of package
// conformance.
const roundsPerRound = 2

// datacenter returns the settings as a file. What they count in rounds must take the same time; what acts
// at once acts one round of the virtual world after the last event.
func datacenter(dc ha.Datacenter) string {
	dc.CRS.HoldRounds = max(1, dc.CRS.HoldRounds) * roundsPerRound
	return config.FormatDatacenter(dc)
}

// translator collects the faults and the operator's commands of a scenario.
type translator struct {
	source     *conformance.Scenario
	names      []string
	faults     []fault.Fault
	haSpec     *haspec.Spec
	guestSizes map[string]conformance.GuestSize

	// powerOffSince and cut hold since when a machine has no power, and no network.
	powerOffSince, networkCutSince map[string]time.Duration
	// perhapsOff are the machines that can be off by themselves: one that shuts down or boots, and one that
	// was without network, whose watchdog may have fired. Power on ends the doubt.
	perhapsOff map[string]bool
}

// addInitialState adds the nodes and services as they are at first.
func (t *translator) addInitialState() error {
	for _, n := range t.source.Hardware() {
		t.names = append(t.names, n.Name)
		t.haSpec.Nodes[n.Name] = haspec.Node{Version: n.Version, CPUs: int(math.Round(n.CPUs)),
			MemoryMiB:      int(math.Round(n.MemBytes / mebibyte)),
			IdleCPUPercent: int(math.Round(n.UsedCPUs * 100)),
			IdleMemoryMiB:  int(math.Round(n.UsedMemBytes / mebibyte))}
		t.powerOffSince[n.Name] = 0
	}
	for _, n := range t.source.Hardware() {
		if n.Power {
			t.powerOn(allOffTime, n.Name)
			t.haSpec.Disabled = append(t.haSpec.Disabled, n.Name) // its daemons start by command only
		}
		if n.Power && !n.Network {
			t.networkCutSince[n.Name] = 0
		}
	}
	status, err := t.source.Manager.Encode()
	if err != nil {
		return err
	}
	if len(t.source.Manager.NodeStatus)+len(t.source.Manager.ServiceStatus) > 0 {
		t.haSpec.ManagerStatus = string(status)
	}
	for _, sid := range slices.Sorted(maps.Keys(t.source.Services)) {
		t.haSpec.Services[sid] = t.source.Services[sid].Node
		t.guestSizes[sid] = t.source.GuestSize(sid)
		t.describeGuest(sid)
		t.addLoad(0, sid)
	}
	t.haSpec.Resources = config.FormatResources(t.source.Services)
	return nil
}

const mebibyte = 1 << 20

// addDevice connects all nodes to a power switch. The switch leaves a node off, as the watchdog of the
// recorded scenarios does. A takeover still waits for the lock's expiry, so the switch changes no times.
func (t *translator) addDevice() {
	lines := []string{"device pdu fence_apc ip=198.18.9.1"}
	for i, name := range t.names {
		lines = append(lines, fmt.Sprintf("connect pdu node=%s plug=%d action=off", name, i+1))
	}
	t.haSpec.Fence = strings.Join(lines, "\n") + "\n"
	dc := t.source.Datacenter
	dc.Fencing = "both"
	t.haSpec.Datacenter = datacenter(dc)
}

// describeGuest describes a service's guest as it is at first, with the flaws that its name stands for.
func (t *translator) describeGuest(sid string) {
	size := t.guestSizes[sid]
	t.haSpec.Guests[sid] = haspec.Guest{Cores: int(math.Round(size.CPUs)),
		MemoryMiB: int(math.Round(size.MemBytes / mebibyte)), Lock: t.source.GuestLocks[sid]}
	f := conformance.FlawsOf(sid)
	if f == (conformance.Flaws{}) {
		return
	}
	flaw := haspec.Flaw{Starts: f.Starts, Moves: f.Moves, NoStop: f.NoStop}
	if f.OnlyNode != "" {
		flaw.On = []string{f.OnlyNode}
	}
	if f.OnlyNode == "" || t.isKnownNode(f.OnlyNode) {
		t.haSpec.Flaws[sid] = flaw
	}
}

// addLoad adds what a guest uses from a time on, if the scheduler uses loads.
func (t *translator) addLoad(at time.Duration, sid string) {
	if t.source.Datacenter.CRS.Mode != ha.SchedDynamic {
		return
	}
	size, g := t.guestSizes[sid], t.haSpec.Guests[sid]
	g.Load = append(g.Load, haspec.Load{At: at, CPUPercent: int(math.Round(size.UsedCPUs * 100)),
		MemoryMiB: int(math.Round(size.UsedMemBytes / mebibyte))})
	t.haSpec.Guests[sid] = g
}

// allExcept returns all machines except for one.
func allExcept(names []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == name })
}

// powerOn ends the power cut and the network cut of a machine; a machine that is off by itself is switched
// on.
func (t *translator) powerOn(at time.Duration, name string) {
	since, booting := t.powerOffSince[name]
	delete(t.perhapsOff, name)
	if booting {
		t.faults = append(t.faults, fault.Fault{Kind: fault.PowerCut, At: since, For: at - since,
			Machines: []string{name}})
		delete(t.powerOffSince, name)
	} else {
		t.faults = append(t.faults, fault.Fault{Kind: fault.PowerOn, At: at, Machines: []string{name}})
	}
	if slices.Contains(t.haSpec.Disabled, name) && at > allOffTime {
		after := time.Duration(0)
		if booting {
			after = bootTime
		}
		t.addOperatorCommand(at+after, name, "start-crm")
		t.addOperatorCommand(at+after, name, "start-lrm")
	}
	t.connect(at, name)
}

// connect ends the network cut of a machine, if there is one.
func (t *translator) connect(at time.Duration, name string) {
	if since, is := t.networkCutSince[name]; is {
		t.faults = append(t.faults, fault.Fault{Kind: fault.Cut, At: since, For: at - since,
			From: []string{name}, To: allExcept(t.names, name)})
		delete(t.networkCutSince, name)
	}
}

// addLastingFaults adds the faults that last to the end.
func (t *translator) addLastingFaults() {
	for _, name := range slices.Sorted(maps.Keys(t.powerOffSince)) {
		t.faults = append(t.faults, fault.Fault{Kind: fault.PowerCut, At: t.powerOffSince[name],
			Machines: []string{name}})
	}
	for _, name := range slices.Sorted(maps.Keys(t.networkCutSince)) {
		t.faults = append(t.faults, fault.Fault{Kind: fault.Cut, At: t.networkCutSince[name],
			From: []string{name}, To: allExcept(t.names, name)})
	}
}

// scenario returns what has been collected as a scenario.
func (t *translator) scenario(duration time.Duration) (*scenarios.Scenario, error) {
	slices.SortStableFunc(t.haSpec.Commands, func(a, b haspec.Command) int { return int(a.At - b.At) })
	b := scenarios.New(scenarioName(t.source.Name)).
		Story("The conformance scenario "+t.source.Name+", replayed on a whole cluster.").
		Named(t.names...).Watchdog(scenarios.WatchdogPowerOff).
		Warmup(setUpTime).Duration(duration).Quiescence(time.Millisecond).
		Workload(workload.Spec{Clients: 1, Operations: 1}).
		Fault(t.faults...).
		Subject(pve.Kind, pve.Spec{HA: t.haSpec})
	return b.Build()
}

// scenarioName turns a folder's name into a valid name of a scenario.
func scenarioName(folder string) string {
	lower := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(folder))
	if lower = strings.Trim(lower, "-"); lower == "" {
		return "replay"
	}
	return lower[:min(len(lower), scenarios.MaxNameBytes)]
}
