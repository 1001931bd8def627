package anygen

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/corosync"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/pve/clustergen"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// Stream is the stream from which everything is drawn.
const Stream = "anything"

// maxCommands bounds the commands of the operator.
const maxCommands = 1000

// Subject is the subject's part of a scenario. Zeros stand for the defaults.
type Subject struct {
	Votes            map[string]uint32
	ExpectedVotes    uint32
	Token            time.Duration
	TokenCoefficient time.Duration
	Relay            string
	LogKeep          uint64
	HA               *haspec.Spec
}

// Check returns what is wrong with a random: part for its scenario; the error begins with the key.
func Check(limits *haspec.Random, s *scenarios.Scenario) error {
	r := limits
	switch {
	case r.MachinesMin < 0 || r.MachinesMin > len(s.Machines):
		return fmt.Errorf("random.machines_min: %d is out of range; write 1 to %d, or leave the key out",
			r.MachinesMin, len(s.Machines))
	case len(s.Faults) > 0:
		return errors.New("random: faults name machines that may not be drawn; write a nemesis")
	case s.Nemesis == nil:
		return errors.New("random: the faults are drawn from those of the nemesis; write one, such as " +
			"nemesis: {}")
	case r.ServicesMax < 0 || r.ServicesMax > clustergen.MaxServices:
		return fmt.Errorf("random.services_max: %d is out of range; write 1 to %d, or 0 for no HA manager",
			r.ServicesMax, clustergen.MaxServices)
	case r.RulesMax < 0 || r.RulesMax > clustergen.MaxRules:
		return fmt.Errorf("random.rules_max: %d is out of range; write 0 to %d", r.RulesMax,
			clustergen.MaxRules)
	case r.ServicesMax == 0 && (r.RulesMax > 0 || r.CommandEvery != 0):
		return errors.New("random: rules and commands are for services; write services_max, too")
	case r.CommandEvery < 0 || r.CommandEvery > 0 && s.Duration/r.CommandEvery > maxCommands:
		return fmt.Errorf("random.command_every: %v is out of range; write at least %v", r.CommandEvery,
			s.Duration/maxCommands)
	}
	return nil
}

// Draw returns the scenario that the choices determine, without its subject, and what the subject's part
// says. It leaves s as it is.
func Draw(limits *haspec.Random, s *scenarios.Scenario, choices draw.Lists) (*scenarios.Scenario, Subject) {
	d := drawer{choices: choices}
	drawn := *s
	drawn.Faults = nil
	least := limits.MachinesMin
	if least == 0 {
		least = len(s.Machines)
	}
	drawn.Machines = s.Machines[:least+d.below("machines", len(s.Machines)-least+1)]
	d.drawConditions(&drawn)
	d.drawWorkload(&drawn)
	drawn.Nemesis = d.drawNemesis(s.Nemesis, len(drawn.Machines))
	var of Subject
	d.drawVotes(&of, drawn.Machines)
	d.drawTimers(&of)
	if limits.ServicesMax == 0 && d.oneIn("log-keep", 4) {
		// The judge of the HA manager needs the whole log.
		of.LogKeep = pick(d, "log-kept", uint64(256), 64, 16, 4, 1)
	}
	if limits.ServicesMax > 0 {
		h := &haDraw{drawer: d, limits: limits, scenario: &drawn, spec: &haspec.Spec{}}
		h.drawAll()
		of.HA = h.spec
	}
	share := fault.PPM(0) // settings and faults may leave no time in which anything is served
	drawn.Expect.Succeeded, drawn.Expect.NoEffect = &share, true
	return &drawn, of
}

// drawer draws single values. 0 is the tamest of each.
type drawer struct{ choices draw.Lists }

// below draws a number below n.
func (d drawer) below(label string, n int) int {
	if n <= 1 {
		return 0
	}
	return int(d.choices(Stream, label).Choose(uint64(n)))
}

// oneIn draws whether something happens, once in n times.
func (d drawer) oneIn(label string, n int) bool { return d.below(label, n) == n-1 && n > 1 }

// pick draws one of some values, the first of which is the tamest.
func pick[T any](d drawer, label string, values ...T) T { return values[d.below(label, len(values))] }

// pickTime draws one of some times in a unit, the first of which is the tamest.
func pickTime(d drawer, label string, unit time.Duration, counts ...time.Duration) time.Duration {
	return unit * pick(d, label, counts...)
}

// upTo draws a number from 1 to most. Each halving is equally likely, and the tamest is 1.
func (d drawer) upTo(label string, most int) int {
	halvings := 0
	for n := most; n > 1; n /= 2 {
		halvings++
	}
	shift := halvings - d.below(label, halvings+1)
	return max(most>>shift, 1)
}

// drawConditions draws how fast network and disks are without faults.
func (d drawer) drawConditions(s *scenarios.Scenario) {
	if d.oneIn("slow-network", 4) {
		s.Network.Latency = pickTime(d, "latency", time.Millisecond, 2, 5, 10, 20)
		s.Network.Jitter = s.Network.Latency / time.Duration(1+d.below("jitter", 4))
	}
	if d.oneIn("far-pairs", 6) {
		s.Network.PairLatency = pickTime(d, "pair-latency", time.Millisecond, 2, 4, 8)
	}
	if d.oneIn("lossy-network", 6) {
		s.Network.Loss = fault.Always / 1000 * fault.PPM(1+d.below("loss", 10))
	}
	if d.oneIn("slow-disk", 4) {
		s.Disk.Sync = pickTime(d, "sync", time.Millisecond, 2, 8, 20, 40)
	}
}

// drawVotes draws the votes of machines, and how many are expected. All machines together have quorum.
func (d drawer) drawVotes(of *Subject, machines []string) {
	sum := uint32(len(machines))
	if d.oneIn("votes", 3) {
		of.Votes = map[string]uint32{}
		for _, m := range machines {
			of.Votes[m] = uint32(pick(d, "votes-of-one", 1, 0, 1, 2, 3))
		}
		if sum = sumOf(of.Votes); sum == 0 {
			of.Votes[machines[0]], sum = 1, 1
		}
	}
	if d.oneIn("expected-votes", 5) {
		of.ExpectedVotes = sum + uint32(d.below("expected-more", int(sum)))
	}
}

func sumOf(votes map[string]uint32) (sum uint32) {
	for _, name := range slices.Sorted(maps.Keys(votes)) {
		sum += votes[name]
	}
	return sum
}

// drawTimers draws the timers of the ring, and whether it uses relays.
func (d drawer) drawTimers(of *Subject) {
	if d.oneIn("timers", 4) {
		of.Token = pickTime(d, "token", time.Millisecond, 1000, 2000, 3000, 5000)
		of.TokenCoefficient = pickTime(d, "token-coefficient", time.Millisecond, 650, 100, 1000)
	}
	if d.oneIn("relay-off", 4) {
		of.Relay = corosync.RelayOff
	}
}

// Bounds of the weights and times that a workload draws.
const (
	heaviest       = 32 // the largest weight of an operation
	mostHalvings   = 3  // of the operations that the scenario gives
	leastWithLocks = 40
)

// drawWorkload draws what clients do: never more than the scenario gives. Where its mix has locks, a quarter
// of the runs use them.
func (d drawer) drawWorkload(s *scenarios.Scenario) {
	most := s.Workload
	w := most
	w.Operations = max(most.Operations>>(mostHalvings-d.below("operations", mostHalvings+1)), 1)
	w.Clients = min(1+d.below("clients", most.Clients), w.Operations)
	w.Keys = 1 + d.below("keys", most.Keys)
	w.ValueBytes = max(d.upTo("value-bytes", most.ValueBytes), min(most.ValueBytes,
		workload.DefaultValueBytes))
	w.Pause = 0
	if d.oneIn("burst", 4) {
		// All clients are at work for a part of the time only, and the store is idle for the rest.
		w.Pause = s.Duration * time.Duration(w.Clients) / time.Duration(w.Operations+w.Clients) / 8
	}
	w.Timeout = pick(d, "timeout", most.Timeout, most.Timeout, most.Timeout/4, most.Timeout*2)
	if len(most.Mix) > 0 && d.oneIn("mix", 2) {
		w.Mix = map[string]int{}
		for _, f := range slices.Sorted(maps.Keys(most.Mix)) {
			w.Mix[f] = pick(d, "weight", 1, 0, 4, heaviest)
		}
	}
	w.Mix = maps.Clone(w.Mix)
	delete(w.Mix, workload.Acquire)
	if len(most.Mix) > 0 && sumOfWeights(w.Mix) == 0 {
		w.Mix[workload.Read] = 1
	}
	w.Locks = nil
	if _, may := most.Mix[workload.Acquire]; may && d.oneIn("locks", 4) {
		// At least half of the operations, and enough of them for some in any case.
		w.Operations = max(w.Operations, min(leastWithLocks, most.Operations))
		w.Mix = maps.Clone(w.Mix)
		w.Mix[workload.Acquire] = 0
		w.Mix[workload.Acquire] = max(sumOfWeights(w.Mix), 1)
		ttl := pickTime(d, "lock-ttl", time.Second, 120, 30, 10)
		w.Locks = &workload.Locks{TTL: ttl, Renew: ttl / time.Duration(3+d.below("lock-renew", 5)),
			Hold: pickTime(d, "lock-hold", time.Second, 1, 5, 20),
			Poll: pickTime(d, "lock-poll", time.Millisecond, 1000, 300, 3000)}
	}
	s.Workload = w
	s.Workload.SetDefaults(s.Duration)
}

func sumOfWeights(weights map[string]int) (sum int) {
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		sum += weights[name]
	}
	return sum
}

// drawNemesis draws some kinds of faults of a nemesis, how often they come, how long they last, and what they
// are aimed at.
func (d drawer) drawNemesis(most *scenarios.Nemesis, machines int) *scenarios.Nemesis {
	n := *most
	n.Kinds = nil
	possible := slices.DeleteFunc(slices.Clone(most.Kinds), func(k fault.Kind) bool {
		f := fault.Fault{Kind: k}
		return machines < 2 && f.IsNetwork()
	})
	for _, k := range possible {
		if d.oneIn("has-"+string(k), 3) {
			n.Kinds = append(n.Kinds, k)
		}
	}
	if len(n.Kinds) == 0 {
		n.Kinds = []fault.Kind{possible[d.below("only-kind", len(possible))]}
	}
	n.Every = most.Every * pick(d, "every", time.Duration(4), 2, 1)
	if n.ForMax > 0 {
		n.ForMax = max(n.ForMin, n.ForMax/pick(d, "length", time.Duration(8), 1, 2))
	}
	n.MostlyShort = d.oneIn("mostly-short", 2)
	n.AtOnce = 1 + d.below("at-once", most.AtOnce)
	hits := func(kinds ...fault.Kind) bool {
		return slices.ContainsFunc(n.Kinds, func(k fault.Kind) bool { return slices.Contains(kinds, k) })
	}
	if !hits(fault.Kill, fault.Pause, fault.Slow) || !d.oneIn("processes", 2) {
		n.Processes = nil
	}
	if !d.oneIn("roles", 3) {
		n.Roles = nil
	}
	if !hits(fault.Kill, fault.PowerCut, fault.DiskError) || !d.oneIn("disk-calls", 3) {
		n.DiskCalls = 0
	}
	n.BeyondSurvival = most.BeyondSurvival && d.oneIn("beyond-survival", 3) &&
		!slices.ContainsFunc(n.Kinds, losesData)
	return &n
}

// losesData reports whether a kind of fault loses what a machine had made durable. It must stay within what
// the subject survives: where all copies are lost, nothing can be served.
func losesData(k fault.Kind) bool {
	f := fault.Fault{Kind: k}
	return f.LosesData()
}
