package reports_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// sampleSubject has a prepared timeline and reads back the records that the sample emits.
type sampleSubject struct{ story scenarios.Timeline }

func (s sampleSubject) Kind() string                               { return "sample" }
func (s sampleSubject) Builder() scenarios.Builder                 { return nil }
func (s sampleSubject) Driver() scenarios.Driver                   { return nil }
func (s sampleSubject) Client() workload.Codec                     { return nil }
func (s sampleSubject) Judge() scenarios.Judge                     { return s }
func (s sampleSubject) Survives(scenarios.Damage) bool             { return true }
func (s sampleSubject) Timeline(*scenarios.Run) scenarios.Timeline { return s.story }

func (s sampleSubject) Watch(*scenarios.Scenario) scenarios.Watch { return nil }

func (s sampleSubject) DecodeRecord(kind string, data []byte) (env.Record, error) {
	if kind != "members" {
		return nil, fmt.Errorf("unknown record kind %q", kind)
	}
	var m members
	return m, json.Unmarshal(data, &m)
}

type members struct {
	Ring    uint64   `json:"ring"`
	Members []string `json:"members"`
}

func (members) RecordKind() string { return "members" }

// sample describes a run to make up.
type sample struct {
	seed       uint64
	name       string
	story      string
	machines   int
	clients    int
	operations int
	warmup     time.Duration
	duration   time.Duration
	quiet      time.Duration
	faults     []fault.Fault
	stale      bool // plant a read of an old state
}

// smallSample is the run behind the golden page.
func smallSample() sample {
	return sample{
		seed: 42, name: "minority-partition", machines: 3, clients: 2, operations: 24,
		story:  "One node is cut off from the other two. The two go on; the one must refuse.",
		warmup: time.Second, duration: 8 * time.Second, quiet: 3 * time.Second,
		faults: []fault.Fault{{Kind: fault.Partition, At: 2 * time.Second, For: 3 * time.Second,
			Groups: [][]string{{"n1"}, {"n2", "n3"}}}},
	}
}

// largeSample is a run like the standard scenario.
func largeSample() sample {
	return sample{
		seed: 1337, name: "standard", machines: 5, clients: 5, operations: 600,
		story: "Five machines, five clients and everything that usually goes wrong: partitions of all " +
			"shapes, slow and lossy links, a killed process, a power cut and a disk that stalls. " +
			"Every acknowledged write must be there at the end and no two halves may both accept writes.",
		warmup: 10 * time.Second, duration: 120 * time.Second, quiet: 40 * time.Second,
		faults: []fault.Fault{
			{Kind: fault.Partition, At: 8 * time.Second, For: 14 * time.Second,
				Groups: [][]string{{"n1", "n2"}, {"n3", "n4", "n5"}}},
			{Kind: fault.Link, At: 26 * time.Second, For: 18 * time.Second, From: []string{"n4"},
				To:   []string{"all"},
				Loss: 50_000, Latency: 30 * time.Millisecond},
			{Kind: fault.Kill, At: 34 * time.Second, For: 6 * time.Second, Machines: []string{"n2"},
				Process: "store"},
			{Kind: fault.Cut, At: 52 * time.Second, For: 12 * time.Second, From: []string{"n1"},
				To: []string{"n3"}, OneWay: true},
			{Kind: fault.PowerCut, At: 71 * time.Second, For: 11 * time.Second, Machines: []string{"n3"}},
			{Kind: fault.DiskStall, At: 78 * time.Second, For: 4 * time.Second, Machines: []string{"n5"}},
			{Kind: fault.Flap, At: 92 * time.Second, For: 16 * time.Second, From: []string{"n2"},
				To:   []string{"n5"},
				Down: 800 * time.Millisecond, Up: 2 * time.Second},
		},
	}
}

// sampleCall is an operation before it has a place in the order.
type sampleCall struct {
	client    int
	call, end time.Duration
	op        workload.Op
	node      string
	outcome   history.Type
	err       string
	rev, mod  uint64
	value     string
}

type sampler struct {
	sample
	rnd   *rand.Rand
	run   *scenarios.Run
	calls []sampleCall
	lanes map[string]*scenarios.Lane
	ring  uint64
}

// make makes the run up. Equal samples give equal runs.
func (s sample) make() *scenarios.Run {
	m := &sampler{sample: s, rnd: rand.New(rand.NewPCG(s.seed, 7)), lanes: map[string]*scenarios.Lane{}}
	m.run = &scenarios.Run{Seed: s.seed, Backend: "sim", Duration: s.warmup + s.duration + s.quiet,
		Steps: uint64(s.operations) * 1811, Digest: fmt.Sprintf("%016x%016x", m.rnd.Uint64(), m.rnd.Uint64()),
		Probes: map[string]int{"totem.recovery.token_lost": 2, "store.catchup.log": 9,
			"store.catchup.full": 1},
		Reproduce: fmt.Sprintf("holdfast run scenarios/library/%s.yaml --seed %d", s.name, s.seed)}
	m.scenario()
	m.faultsAndLanes()
	m.workload()
	m.judge()
	return m.run
}

func (m *sampler) scenario() {
	s := &scenarios.Scenario{Name: m.name, Story: m.story, Machines: scenarios.Count(m.machines),
		Warmup: m.warmup, Duration: m.duration, Quiescence: m.quiet, Faults: m.faults,
		References: []string{"a switch that lost one uplink"},
		Workload:   workload.Spec{Clients: m.clients, Operations: m.operations},
		Expect:     scenarios.Expect{Probes: []string{"store.catchup.full", "totem.pause.detected"}},
		Subject: scenarios.SubjectSpec{Kind: "sample", Value: map[string]any{"kind": "sample",
			"policy": "strict"}}}
	s.SetDefaults()
	m.run.Scenario = s
}

// lost reports whether a machine is without the others at a time.
func (m *sampler) lost(machine string, t time.Duration) bool {
	for _, a := range m.run.Applied {
		if t < a.Begun[1] || t >= a.Ended[1] {
			continue
		}
		switch a.Fault.Kind {
		case fault.Partition:
			if slices.Contains(a.Fault.Groups[0], machine) {
				return true
			}
		case fault.Kill, fault.PowerCut, fault.Pause:
			if slices.Contains(a.Fault.Machines, machine) {
				return true
			}
		}
	}
	return false
}

func (m *sampler) names() []string { return m.run.Scenario.Machines }

func (m *sampler) log(at time.Duration, machine, process, level, text string) {
	m.run.Logs = append(m.run.Logs, scenarios.LogLine{At: at, Machine: machine, Process: process,
		Level: level, Text: text})
}

func (m *sampler) faultsAndLanes() {
	var edges []time.Duration
	for _, f := range m.faults {
		begun, ended := m.warmup+f.At, m.warmup+f.At+f.For
		m.run.Applied = append(m.run.Applied, scenarios.Applied{Fault: f,
			Begun: [2]time.Duration{begun, begun}, Ended: [2]time.Duration{ended, ended}})
		edges = append(edges, begun, ended)
	}
	edges = append(edges, 300*time.Millisecond)
	slices.Sort(edges)
	m.ring = 4
	for _, name := range m.names() {
		for _, lane := range []string{"membership", "quorum", "epoch"} {
			m.lanes[name+lane] = &scenarios.Lane{Machine: name, Name: lane}
			m.put(name, lane, 0, "", "idle")
		}
	}
	for _, edge := range edges {
		m.reform(edge + 40*time.Millisecond)
	}
	story := scenarios.Timeline{
		Policy: "strict: a write is acknowledged once a majority of the votes has made it durable",
		Notes: []string{"Proxmox VE would have let n1 read its stale copy of k2 while it was cut off; " +
			"strict refused 3 reads.",
			"Proxmox VE would have acknowledged 4 writes before any other node had them on disk."}}
	for _, name := range m.names() {
		for _, lane := range []string{"membership", "quorum", "epoch"} {
			l := m.lanes[name+lane]
			l.Spans[len(l.Spans)-1].To = m.run.Duration
			story.Lanes = append(story.Lanes, *l)
		}
	}
	m.run.Subject = sampleSubject{story}
}

func (m *sampler) put(machine, lane string, at time.Duration, text, class string) {
	l := m.lanes[machine+lane]
	if n := len(l.Spans); n > 0 {
		if l.Spans[n-1].Text == text {
			return
		}
		l.Spans[n-1].To = at
	}
	l.Spans = append(l.Spans, scenarios.Span{From: at, Text: text, Class: class})
}

func (m *sampler) reform(at time.Duration) {
	var rest []string
	for _, name := range m.names() {
		if !m.lost(name, at) {
			rest = append(rest, name)
		}
	}
	m.ring += 4
	for i, name := range m.names() {
		group, at := rest, at+time.Duration(m.rnd.IntN(3_000_000))
		down := m.lost(name, at)
		if down {
			group = []string{name}
		}
		quorate := 2*len(group) > m.machines
		m.put(name, "membership", at, strings.Join(group, " "),
			map[bool]string{true: "good", false: "warn"}[len(group) == m.machines])
		m.put(name, "epoch", at, fmt.Sprintf("%s.%x", group[0][1:], m.ring), "idle")
		m.put(name, "quorum", at, map[bool]string{true: "quorate", false: "no quorum"}[quorate],
			map[bool]string{true: "good", false: "bad"}[quorate])
		m.run.Records = append(m.run.Records, scenarios.Stamped{At: at, Machine: env.MachineID(i),
			Process: "cluster",
			Record:  members{Ring: m.ring, Members: group}})
		m.log(at, name, "cluster", "INFO",
			fmt.Sprintf("[TOTEM ] A new membership (%s.%x) was formed. Members", group[0][1:], m.ring))
		if !quorate {
			m.log(at+time.Millisecond, name, "cluster", "WARN",
				"[QUORUM] This node is within the non-primary component and will NOT provide any services.")
		}
		m.log(at+2*time.Millisecond, name, "cluster", "INFO",
			"[MAIN  ] Completed service synchronization, ready to provide service.")
	}
}

func (m *sampler) workload() {
	each := m.operations / m.clients
	for client := range m.clients {
		t, home := m.warmup, client%m.machines
		for i := range each {
			t += time.Duration(m.rnd.Int64N(2 * int64(m.duration) / int64(each)))
			if t >= m.warmup+m.duration {
				break
			}
			t = m.call(client, i, t, &home)
		}
	}
	slices.SortStableFunc(m.calls, func(a, b sampleCall) int { return cmp.Compare(a.end, b.end) })
	m.revisions()
	m.record()
}

var sampleMix = []string{workload.Read, workload.Read, workload.Read, workload.Write, workload.Write,
	workload.Write, workload.CAS, workload.Delete, workload.ReadLocal, workload.List}

func (m *sampler) call(client, i int, t time.Duration, home *int) time.Duration {
	c := sampleCall{client: client, call: t, node: m.names()[*home], outcome: history.OK,
		op: workload.Op{F: sampleMix[m.rnd.IntN(len(sampleMix))], Key: workload.KeyName(m.rnd.IntN(6)),
			ID: fmt.Sprintf("c%d-%d", client, i)}}
	if c.op.F == workload.Write || c.op.F == workload.CAS {
		c.op.Value = fmt.Sprintf("c%d.%d.xxxxxxxxxxxxxxxx", client, i)
	}
	took := time.Duration(900_000 + m.rnd.Int64N(2_500_000))
	if m.rnd.IntN(12) == 0 {
		took *= time.Duration(2 + m.rnd.IntN(40))
	}
	switch {
	case m.lost(c.node, t) && m.rnd.IntN(3) != 0:
		c.outcome, c.err, took = history.Info, "timeout", time.Second+time.Duration(m.rnd.Int64N(3_000_000))
	case m.lost(c.node, t) && c.op.F != workload.ReadLocal:
		c.outcome, c.err = history.Fail, "no_quorum"
	case c.op.F == workload.CAS && m.rnd.IntN(3) == 0:
		c.outcome, c.err = history.Fail, "revision_mismatch"
	}
	c.end = t + took
	if c.outcome != history.OK && m.rnd.IntN(3) == 0 {
		*home = (*home + 1) % m.machines
	}
	m.calls = append(m.calls, c)
	return c.end
}

func (m *sampler) revisions() {
	type cell struct {
		mod   uint64
		value string
	}
	state, rev := map[string]cell{}, uint64(0)
	for i := range m.calls {
		c := &m.calls[i]
		if c.outcome != history.OK {
			continue
		}
		switch c.op.F {
		case workload.Write, workload.CAS, workload.Delete:
			rev++
			c.op.Expect = state[c.op.Key].mod
			state[c.op.Key] = cell{rev, c.op.Value}
			c.mod = rev
		default:
			c.mod, c.value = state[c.op.Key].mod, state[c.op.Key].value
		}
		c.rev = rev
	}
}

func (m *sampler) record() {
	process := make([]int, m.clients)
	for i := range process {
		process[i] = i
	}
	slices.SortStableFunc(m.calls, func(a, b sampleCall) int { return cmp.Compare(a.call, b.call) })
	for _, c := range m.calls {
		e := history.Event{Time: int64(c.call), Process: process[c.client], Type: history.Invoke, F: c.op.F,
			Key: c.op.Key, Mod: c.op.Expect, ID: c.op.ID, Node: c.node, Value: jsonOf(c.op.Value)}
		m.run.Events = append(m.run.Events, e)
		e.Time, e.Type, e.Error, e.Rev, e.Mod, e.Value = int64(c.end), c.outcome, c.err, c.rev, c.mod,
			jsonOf(c.value)
		m.run.Events = append(m.run.Events, e)
		if c.outcome == history.Info {
			process[c.client] += m.clients
		}
	}
	slices.SortStableFunc(m.run.Events, func(a, b history.Event) int { return cmp.Compare(a.Time, b.Time) })
	for i := range m.run.Events {
		m.run.Events[i].Index = int64(i)
	}
	slices.SortStableFunc(m.run.Logs, func(a, b scenarios.LogLine) int { return cmp.Compare(a.At, b.At) })
}

func jsonOf(s string) json.RawMessage {
	if s == "" {
		return nil
	}
	data, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return data
}

func (m *sampler) judge() {
	for i, name := range m.names() {
		final := scenarios.Final{Machine: env.MachineID(i), Op: workload.Op{F: workload.List},
			Output: []byte(`{"revision":` + fmt.Sprint(len(m.calls)) + `}`)}
		if m.stale && name == "n2" {
			final.Output, final.Err = nil, errors.New("no quorum")
		}
		m.run.Finals = append(m.run.Finals, final)
	}
	ops, err := history.Operations(m.run.Events)
	if err != nil {
		panic(err)
	}
	m.run.Verdicts = []linearizability.Verdict{
		{Checker: "store", Validity: linearizability.Valid,
			Summary: fmt.Sprintf("%d operations fit one order of revisions.", len(ops)),
			Details: []string{fmt.Sprintf("%d operations, decided by the store's own log and one replay of "+
				"the model", len(ops)), "no search was needed"}},
		{Checker: "membership", Validity: linearizability.Valid,
			Summary: "At most one partition was quorate at any instant."},
		{Checker: "recovery", Validity: linearizability.Valid,
			Summary: "All machines were one quorate cluster again 1.8 s after the last fault."},
	}
	if m.stale {
		m.plantStale(ops)
	}
}

// plantStale blames two real operations for a stale read: what matters here is how it looks.
func (m *sampler) plantStale(ops []history.Operation) {
	var write, read *history.Operation
	for i := len(ops) / 2; i < len(ops); i++ {
		op := &ops[i]
		switch {
		case write == nil && op.F == workload.Write && op.Outcome == history.OK:
			write = op
		case write != nil && op.F == workload.Read && op.Outcome == history.OK && op.Call > write.Return:
			read = op
		}
		if read != nil {
			break
		}
	}
	v := &m.run.Verdicts[0]
	v.Validity = linearizability.Invalid
	v.Summary = fmt.Sprintf("A read at %d ms returned revision %d although %s had been acknowledged.",
		read.Call/1e6, read.Rev-1, write.ID)
	v.Violations = []linearizability.Violation{{Kind: linearizability.StaleRead,
		Explain: fmt.Sprintf("%s wrote %s at revision %d and was acknowledged; %s on %s was called later "+
			"and still saw the value before it.",
			write.ID, write.Key, write.Rev, read.ID, read.Node),
		Ops: []history.Operation{*write, *read}, Revisions: []uint64{write.Rev,
			read.Rev}, Nodes: []string{write.Node, read.Node}}}
	m.run.Verdicts[2] = linearizability.Verdict{Checker: "recovery", Validity: linearizability.Unknown,
		Summary: "One machine gave no answer at the end.", Details: []string{"n2: no quorum"}}
}
