package scenarios

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/strictyaml"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// Limits of a scenario.
const (
	MaxEnd      = 7 * 24 * time.Hour // of a run
	MaxLatency  = 10 * time.Second   // of a healthy link
	MaxDiskCall = 10 * time.Second   // of a healthy disk
	MaxFaults   = 1000
	MaxDraws    = 10_000 // faults that a nemesis may draw

	MaxNemesisProcesses = 32
	MaxNemesisRoles     = 16
	MaxAtOnce           = 16
	MaxFlaps            = 100_000 // phases of one flapping link
	MaxNameBytes        = 64
	MaxStoryBytes       = 8 << 10
	MaxReferences       = 32
	MaxProbes           = 64
	MaxWeight           = 1_000_000 // of one operation in a mix
)

// minCapacityBytes is the least disk that anything can run on.
const minCapacityBytes = 64 << 10

// Validate checks a scenario whose defaults are filled in. The error is of type
// [strictyaml.Problems]; its paths are the fields' names in files.
func (s *Scenario) Validate() error {
	var problems strictyaml.Problems
	for _, p := range s.pathProblems() {
		problems = append(problems, s.problemAt(p.path, p.problem))
	}
	return problems.Err()
}

func (s *Scenario) pathProblems() []pathProblem {
	v := validator{scenario: s}
	v.checkIndependentParts()
	v.checkSchedule()
	return v.findings
}

// checkIndependentParts checks the values that can be checked even if others are wrong.
func (v *validator) checkIndependentParts() {
	v.checkNames()
	v.checkTimes()
	v.checkConditions()
	v.checkWorkload()
	v.checkExpectations()
}

// checkSchedule checks faults and nemesis, which requires valid machines and times.
func (v *validator) checkSchedule() {
	v.checkFaults()
	v.checkNemesisKeys()
}

// validator collects the problems of a scenario.
type validator struct {
	scenario *Scenario
	findings []pathProblem
}

func (v *validator) report(path, format string, args ...any) {
	v.findings = append(v.findings, pathProblem{path, fmt.Sprintf(format, args...)})
}

func (v *validator) require(ok bool, path, format string, args ...any) {
	if !ok {
		v.report(path, format, args...)
	}
}

// What names look like: those of scenarios name files, those of machines are host names.
const (
	NamePattern    = `^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`
	MachinePattern = `^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`
)

var (
	namePattern    = regexp.MustCompile(NamePattern)
	machinePattern = regexp.MustCompile(MachinePattern)
)

func (v *validator) checkNames() {
	s := v.scenario
	v.require(namePattern.MatchString(s.Name) && len(s.Name) <= MaxNameBytes, "name",
		"%q is no name; write at most %d lower-case letters, digits and dashes, such as pair-cut", s.Name,
		MaxNameBytes)
	v.require(strings.TrimSpace(s.Story) != "" && len(s.Story) <= MaxStoryBytes, "story",
		"write one sentence to %d bytes: what happens, and what must hold", MaxStoryBytes)
	v.require(len(s.References) <= MaxReferences, "references", "write at most %d", MaxReferences)
	v.require(s.Subject.Kind != "", "subject.kind", "name the subject, for example pve")
	n := len(s.Machines)
	v.require(n >= 1 && n <= MaxMachines, "machines", "%d machines are impossible; write 1 to %d", n,
		MaxMachines)
	first := map[string]int{}
	for i, name := range s.Machines {
		path := fmt.Sprintf("machines[%d]", i)
		v.require(machinePattern.MatchString(name) && len(name) <= MaxNameBytes, path,
			"%q is no host name; write at most %d letters, digits, dashes and dots, such as n1", name,
			MaxNameBytes)
		v.require(name != fault.All, path, "%q stands for every machine; choose another name", name)
		if other, twice := first[name]; twice {
			v.report(path, "machine %q is given twice (also as machines[%d]); give each its own name",
				name,
				other)
		}
		first[name] = i
	}
}

func (v *validator) checkTimes() {
	s := v.scenario
	v.require(s.Duration > 0, "duration", "workload and faults need time; write for example 60s")
	v.require(s.Warmup >= 0, "warmup", "cannot be negative; write for example 15s")
	v.require(s.Quiescence >= 0, "quiescence", "cannot be negative; write for example 40s")
	if s.Duration > 0 && s.Warmup >= 0 && s.Quiescence >= 0 {
		v.require(s.End() <= MaxEnd, "duration",
			"warmup, duration and quiescence last %s together; write at most %s",
			durationText(s.End()), durationText(MaxEnd))
	}
}

func (v *validator) requireBetween(path string, d, least, most time.Duration) {
	v.require(d >= least && d <= most, path, "%s is out of range; write %s to %s", durationText(d),
		durationText(least), durationText(most))
}

func (v *validator) checkConditions() {
	s := v.scenario
	v.requireBetween("network.latency", s.Network.Latency, 0, MaxLatency)
	v.requireBetween("network.jitter", s.Network.Jitter, 0, MaxLatency)
	v.requireBetween("network.pair_latency", s.Network.PairLatency, 0, MaxLatency)
	v.require(s.Network.Loss < fault.Always, "network.loss",
		"%s loses every packet; write less, or a cut among the faults", s.Network.Loss)
	v.requireBetween("disk.write", s.Disk.Write, 0, MaxDiskCall)
	v.requireBetween("disk.sync", s.Disk.Sync, 0, MaxDiskCall)
	v.require(s.Watchdog == "" || slices.Contains(s.Watchdog.OneOf(), string(s.Watchdog)), "watchdog",
		"unknown action %q; write reset or power_off", s.Watchdog)
	c := s.Disk.CapacityBytes
	v.require(c == 0 || c >= minCapacityBytes, "disk.capacity_bytes",
		"%d bytes hold nothing; write at least %d, or leave the key out for no limit", c, minCapacityBytes)
}

func (v *validator) checkWorkload() {
	w := &v.scenario.Workload
	for _, f := range []struct {
		name        string
		value, most int
	}{{"clients", w.Clients, workload.MaxClients}, {"operations", w.Operations, workload.MaxOperations},
		{"keys", w.Keys, workload.MaxKeys}, {"value_bytes", w.ValueBytes, workload.MaxValueBytes}} {
		v.require(f.value >= 1 && f.value <= f.most, "workload."+f.name,
			"%d is out of range; write 1 to %d", f.value, f.most)
	}
	v.require(w.Timeout > 0, "workload.timeout", "a client must wait for its answer; write for example 5s")
	v.require(w.Pause >= 0 || v.scenario.Duration <= 0, "workload.pause",
		"cannot be negative; write for example 200ms")
	key, problem := w.CheckLocks()
	v.require(key == "", "workload."+key, "%s", problem)
	total := 0
	for _, name := range slices.Sorted(maps.Keys(w.Mix)) {
		weight := w.Mix[name]
		v.require(weight >= 0 && weight <= MaxWeight, "workload.mix."+name,
			"weight %d is out of range; write 0 to %d", weight, MaxWeight)
		total += max(weight, 0)
	}
	v.require(len(w.Mix) == 0 || total > 0, "workload.mix", "all weights are 0; give one operation a weight")
}

func (v *validator) checkNemesisKeys() {
	s, n := v.scenario, v.scenario.Nemesis
	if n == nil {
		return
	}
	v.require(len(n.Kinds) > 0, "nemesis.kinds", "write at least one of %s", knownFaultKinds())
	for i, k := range n.Kinds {
		path := fmt.Sprintf("nemesis.kinds[%d]", i)
		v.require(slices.Contains(fault.Kinds(), k), path, "unknown fault %q; write one of %s", k,
			knownFaultKinds())
		v.require(slices.Index(n.Kinds, k) == i, path, "%s is given twice; all kinds have equal weight", k)
		v.require(!needsTwo(k) || len(s.Machines) > 1, path, "%s needs two machines, and there is one", k)
	}
	v.require(n.Every >= 0, "nemesis.every", "cannot be negative; write for example 8s")
	if n.Every > 0 {
		v.require(s.Duration/n.Every <= MaxDraws, "nemesis.every",
			"that makes %d faults; write at least %s", s.Duration/n.Every, durationText(s.Duration/MaxDraws))
	}
	v.require(n.ForMin >= 0, "nemesis.for_min", "cannot be negative; write for example 2s")
	v.require(n.ForMax == 0 || n.ForMax >= n.ForMin, "nemesis.for_max",
		"is less than for_min (%s); write at least that", durationText(n.ForMin))
	v.require(s.Duration <= 0 || n.ForMin <= s.Duration, "nemesis.for_min",
		"no fault of %s fits into the duration of %s", durationText(n.ForMin), durationText(s.Duration))
	v.require(n.AtOnce >= 1 && n.AtOnce <= MaxAtOnce, "nemesis.at_once", "%d is out of range; write 1 to %d",
		n.AtOnce, MaxAtOnce)
	v.require(len(n.Processes) == 0 || n.draws(fault.Kill, fault.Pause, fault.Slow), "nemesis.processes",
		"only kill, pause and slow hit processes; add one of them to kinds, or leave the key out")
	v.require(len(n.Processes) <= MaxNemesisProcesses, "nemesis.processes",
		"%d are too many; write at most %d", len(n.Processes), MaxNemesisProcesses)
	for i, name := range n.Processes {
		v.require(name != "" && !slices.Contains(n.Processes[:i], name), fmt.Sprintf("nemesis.processes[%d]",
			i), "name each process once")
	}
	v.require(len(n.Roles) <= MaxNemesisRoles, "nemesis.roles", "%d are too many; write at most %d",
		len(n.Roles), MaxNemesisRoles)
	for i, role := range n.Roles {
		v.require(role != "" && !slices.Contains(n.Roles[:i], role), fmt.Sprintf("nemesis.roles[%d]", i),
			"name each role once")
	}
	v.require(n.DiskCalls >= 0 && n.DiskCalls <= fault.MaxDiskCall, "nemesis.disk_calls",
		"%d is out of range; write 1 to %d", n.DiskCalls, fault.MaxDiskCall)
	v.require(n.DiskCalls == 0 || n.draws(fault.Kill, fault.PowerCut, fault.DiskError), "nemesis.disk_calls",
		"only kill, power-cut and disk-error act at a disk call; add one of them to kinds, or leave the key "+
			"out")
}

// draws reports whether a nemesis draws faults of one of the kinds.
func (n *Nemesis) draws(kinds ...fault.Kind) bool {
	return slices.ContainsFunc(n.Kinds, func(k fault.Kind) bool { return slices.Contains(kinds, k) })
}

func needsTwo(k fault.Kind) bool { return (&fault.Fault{Kind: k}).IsNetwork() }

func (v *validator) checkExpectations() {
	e := &v.scenario.Expect
	v.require(slices.Contains(verdicts, e.Verdict), "expect.verdict", "unknown verdict %q; write one of %s",
		e.Verdict, strings.Join(verdicts, ", "))
	v.require(len(e.Probes) <= MaxProbes, "expect.probes", "write at most %d", MaxProbes)
	for i, probe := range e.Probes {
		v.require(probe != "", fmt.Sprintf("expect.probes[%d]", i), "name a probe")
	}
}

// verdicts are the words for the outcome of a run.
var verdicts = []string{"valid", "invalid"}

func knownFaultKinds() string { return strings.Join(fault.Kind("").OneOf(), ", ") }

// durationText writes a duration as files do.
func durationText(d time.Duration) string { return strictyaml.FormatDuration(d) }

// faultKeys are the keys that a fault of some kind may have.
var faultKeys = func() []string {
	var keys []string
	for _, f := range strictyaml.Fields(reflect.TypeFor[fault.Fault]()) {
		keys = append(keys, f.Name)
	}
	return keys
}()
