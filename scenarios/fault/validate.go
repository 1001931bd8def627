package fault

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Problem is one invalid field of a fault: its name in files, what is wrong and what to write.
type Problem struct {
	Field string
	Text  string
}

func (p *Problem) Error() string { return p.Field + ": " + p.Text }

// keysByKind lists the fields of each kind besides kind, at and for. The fields in must are required.
var keysByKind = map[Kind]struct{ must, may []string }{
	Partition: {must: []string{"groups"}},
	Cut:       {must: []string{"from", "to"}, may: []string{"one_way"}},
	Link: {must: []string{"from", "to"},
		may: []string{"one_way", "loss", "duplicate", "reorder", "latency", "jitter"}},
	Flap:         {must: []string{"from", "to", "up", "down"}, may: []string{"one_way"}},
	Kill:         {must: []string{"machines"}, may: []string{"process", "at_disk_call", "after_call"}},
	Pause:        {must: []string{"machines"}, may: []string{"process"}},
	PowerCut:     {must: []string{"machines"}, may: []string{"at_disk_call", "after_call"}},
	PowerOn:      {must: []string{"machines"}},
	DiskStall:    {must: []string{"machines"}},
	DiskSlow:     {must: []string{"machines", "latency"}},
	DiskFull:     {must: []string{"machines"}},
	DiskError:    {must: []string{"machines", "operation"}, may: []string{"at_disk_call"}},
	DiskWipe:     {must: []string{"machines"}},
	DiskRollback: {must: []string{"machines"}},
	DiskCut:      {must: []string{"machines"}, may: []string{"file"}},
	ClockStep:    {must: []string{"machines", "step"}},
	ClockDrift:   {must: []string{"machines", "drift_ppm"}},
	Slow:         {must: []string{"machines"}, may: []string{"process", "times", "latency"}},
	Freeze:       {must: []string{"machines"}},
	Clog:         {must: []string{"from", "to"}, may: []string{"one_way"}},
	Bandwidth: {must: []string{"from", "to", "bytes_per_second"},
		may: []string{"one_way", "queue_bytes"}},
	MTU:           {must: []string{"from", "to", "mtu_bytes"}, may: []string{"one_way"}},
	Corrupt:       {must: []string{"from", "to", "share"}, may: []string{"one_way"}},
	DiskCorrupt:   {must: []string{"machines"}, may: []string{"file", "bits"}},
	DiskLatent:    {must: []string{"machines"}, may: []string{"file"}},
	DiskLostWrite: {must: []string{"machines"}, may: []string{"file"}},
	DiskMisdirect: {must: []string{"machines"}, may: []string{"file"}},
	Buggify:       {must: []string{"machines"}, may: []string{"sites", "share"}},
}

// exampleByKey show how the fields that some kind requires are written.
var exampleByKey = map[string]string{
	"groups": "groups: [[n1], [n2, n3]]", "from": "from: [n1]", "to": "to: [n2]", "up": "up: 2s",
	"down": "down: 2s", "machines": "machines: [n1]", "latency": "latency: 20ms",
	"operation": "operation: write", "step": "step: 10s", "drift_ppm": "drift_ppm: 500",
	"bytes_per_second": "bytes_per_second: 20000", "mtu_bytes": "mtu_bytes: 600", "share": "share: 5%",
}

// Limits of what a fault may ask for.
const (
	MaxDiskCall       = 1_000_000
	MaxNth            = 1_000_000
	MaxTimes          = 1_000_000 // of a step's usual length
	MaxStepLatency    = time.Minute
	MaxQueueBytes     = 64 << 20
	MaxBytesPerSecond = 1 << 40
	MaxMTUBytes       = 64 << 10
	MaxBits           = 1 << 20
	MaxSites          = 100
)

// MinFollow is the shortest time after which a fault looks again which machine has its role.
const MinFollow = time.Millisecond

// MaxDriftPPM bounds clock drift: at a tenth of the rate a clock is broken, not drifting.
const MaxDriftPPM = 100_000

// Fields lists the fields that a kind uses, the required ones first. It is empty for an unknown
// kind. A role is allowed in place of the field that [RoleKey] names.
func Fields(k Kind) (must, may []string) {
	use, known := keysByKind[k]
	if !known {
		return nil, nil
	}
	return use.must, append(slices.Clone(use.may), "role", "follow", "trigger", "nth", "within", "delay")
}

// Validate reports the first thing that is wrong with a fault, given the names of the machines.
// The error is a *Problem.
func (f *Fault) Validate(machines []string) error {
	must, may := Fields(f.Kind)
	if len(must) == 0 {
		return &Problem{"kind", fmt.Sprintf("unknown fault %q: write one of %s", f.Kind, knownKinds())}
	}
	if f.At < 0 || f.For < 0 {
		return &Problem{"at", "times cannot be negative; they count from the end of the warm-up"}
	}
	given := f.givenKeys()
	for _, field := range must {
		if !slices.Contains(given, field) && !(f.Role != "" && field == RoleKey(f.Kind)) {
			return &Problem{field, fmt.Sprintf("a %s fault needs %s; add %s", f.Kind, field,
				exampleByKey[field])}
		}
	}
	for _, field := range given {
		if !slices.Contains(must, field) && !slices.Contains(may, field) {
			return &Problem{field, fmt.Sprintf("a %s fault has no %s; it takes %s",
				f.Kind, field, strings.Join(append(slices.Clone(must), may...), ", "))}
		}
	}
	if f.Role != "" && slices.Contains(given, RoleKey(f.Kind)) {
		return &Problem{"role", fmt.Sprintf("the role takes the place of %s; write one of the two",
			RoleKey(f.Kind))}
	}
	if err := f.validateValues(); err != nil {
		return err
	}
	return f.validateNames(machines)
}

func knownKinds() string {
	var names []string
	for _, k := range Kinds() {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}

func (f *Fault) givenKeys() []string {
	var out []string
	add := func(name string, on bool) {
		if on {
			out = append(out, name)
		}
	}
	add("groups", len(f.Groups) > 0)
	add("from", len(f.From) > 0)
	add("to", len(f.To) > 0)
	add("one_way", f.OneWay)
	add("machines", len(f.Machines) > 0)
	add("process", f.Process != "")
	add("loss", f.Loss > 0)
	add("duplicate", f.Duplicate > 0)
	add("reorder", f.Reorder > 0)
	add("latency", f.Latency != 0)
	add("jitter", f.Jitter != 0)
	add("up", f.Up != 0)
	add("down", f.Down != 0)
	add("operation", f.Operation != "")
	add("file", f.File != "")
	add("step", f.Step != 0)
	add("drift_ppm", f.DriftPPM != 0)
	add("role", f.Role != "")
	add("follow", f.Follow != 0)
	add("trigger", f.Trigger != "")
	add("nth", f.Nth != 0)
	add("within", f.Within != 0)
	add("delay", f.Delay != 0)
	add("at_disk_call", f.AtDiskCall != 0)
	add("after_call", f.AfterCall)
	add("times", f.Times != 0)
	add("bytes_per_second", f.BytesPerSecond != 0)
	add("queue_bytes", f.QueueBytes != 0)
	add("mtu_bytes", f.MTUBytes != 0)
	add("share", f.Share > 0)
	add("bits", f.Bits != 0)
	add("sites", len(f.Sites) > 0)
	return out
}

func (f *Fault) validateValues() error {
	for _, d := range []struct {
		field string
		value time.Duration
	}{{"latency", f.Latency}, {"jitter", f.Jitter}, {"up", f.Up}, {"down", f.Down},
		{"within", f.Within}, {"delay", f.Delay}} {
		if d.value < 0 {
			return &Problem{d.field, "cannot be negative; write 0s or more"}
		}
	}
	for _, n := range []struct {
		field             string
		value, least, top int64
	}{{"at_disk_call", int64(f.AtDiskCall), 1, MaxDiskCall}, {"nth", int64(f.Nth), 1, MaxNth},
		{"times", f.Times, 2, MaxTimes},
		{"bytes_per_second", f.BytesPerSecond, 1, MaxBytesPerSecond},
		{"queue_bytes", f.QueueBytes, 1, MaxQueueBytes}, {"mtu_bytes", int64(f.MTUBytes), 1, MaxMTUBytes},
		{"bits", int64(f.Bits), 1, MaxBits}} {
		if n.value != 0 && (n.value < n.least || n.value > n.top) {
			return &Problem{n.field, fmt.Sprintf("%d is out of range; write %d to %d", n.value, n.least,
				n.top)}
		}
	}
	if err := f.validateTrigger(); err != nil {
		return err
	}
	switch {
	case f.Follow != 0 && f.Role == "":
		return &Problem{"follow", "there is nothing to follow; add the role whose machines the fault hits"}
	case f.Follow != 0 && f.Follow < MinFollow:
		return &Problem{"follow", fmt.Sprintf("%v is out of range; write %v or more", f.Follow, MinFollow)}
	case f.Kind == Slow && f.Times == 0 && f.Latency == 0:
		return &Problem{"kind", "a slow fault needs an effect; add times, latency or both"}
	case f.Kind == Slow && f.Latency > MaxStepLatency:
		return &Problem{"latency", fmt.Sprintf("a step of %v is a stall; write at most %v, or a pause",
			f.Latency, MaxStepLatency)}
	case f.AfterCall && f.AtDiskCall == 0:
		return &Problem{"after_call", "there is no call to act after; add at_disk_call: 1"}
	case f.Kind == Link && f.Loss|f.Duplicate|f.Reorder == 0 && f.Latency|f.Jitter == 0:
		return &Problem{"kind",
			"a link fault needs an effect; add some of loss, duplicate, reorder, latency and jitter"}
	case f.Kind == DiskError && !slices.Contains([]string{"read", "write", "sync"}, f.Operation):
		return &Problem{"operation", fmt.Sprintf("%q is no disk operation: write read, write or sync",
			f.Operation)}
	case len(f.Sites) > MaxSites:
		return &Problem{"sites", fmt.Sprintf("%d are too many; write at most %d, or none for all",
			len(f.Sites), MaxSites)}
	case f.DriftPPM > MaxDriftPPM || f.DriftPPM < -MaxDriftPPM:
		return &Problem{"drift_ppm", fmt.Sprintf("%d is out of range; write -%d to %d", f.DriftPPM,
			MaxDriftPPM, MaxDriftPPM)}
	}
	return nil
}

// validateTrigger checks what depends on a trigger.
func (f *Fault) validateTrigger() error {
	const without = "there is no trigger to wait for; add trigger, a kind of record or a probe of the subject"
	switch {
	case f.Trigger != "" && f.Role == RoleTriggering && f.Follow != 0:
		return &Problem{"follow", "the triggering machine stays the same; leave follow out"}
	case f.Trigger != "":
		return nil
	case f.Role == RoleTriggering:
		return &Problem{"role", without}
	case f.Nth != 0:
		return &Problem{"nth", without}
	case f.Within != 0:
		return &Problem{"within", without}
	case f.Delay != 0:
		return &Problem{"delay", without}
	}
	return nil
}

func (f *Fault) validateNames(machines []string) error {
	check := func(field string, names []string) error {
		for _, name := range names {
			if name != All && !slices.Contains(machines, name) {
				return &Problem{field,
					fmt.Sprintf("no machine is called %q; the machines are %s, or write all",
						name, strings.Join(machines, ", "))}
			}
		}
		return nil
	}
	for _, list := range []struct {
		field string
		names []string
	}{{"from", f.From}, {"to", f.To}, {"machines", f.Machines}} {
		if err := check(list.field, list.names); err != nil {
			return err
		}
	}
	seen := map[string]bool{}
	for _, group := range f.Groups {
		if err := check("groups", group); err != nil {
			return err
		}
		for _, name := range group {
			if seen[name] || name == All {
				return &Problem{"groups", fmt.Sprintf("%q is in two groups; name each machine once", name)}
			}
			seen[name] = true
		}
	}
	return nil
}
