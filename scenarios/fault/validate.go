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
	Kill:         {must: []string{"machines"}, may: []string{"process"}},
	Pause:        {must: []string{"machines"}, may: []string{"process"}},
	PowerCut:     {must: []string{"machines"}},
	PowerOn:      {must: []string{"machines"}},
	DiskStall:    {must: []string{"machines"}},
	DiskSlow:     {must: []string{"machines", "latency"}},
	DiskFull:     {must: []string{"machines"}},
	DiskError:    {must: []string{"machines", "operation"}},
	DiskWipe:     {must: []string{"machines"}},
	DiskRollback: {must: []string{"machines"}},
	DiskCut:      {must: []string{"machines"}, may: []string{"file"}},
	ClockStep:    {must: []string{"machines", "step"}},
	ClockDrift:   {must: []string{"machines", "drift_ppm"}},
}

// exampleByKey show how the fields that some kind requires are written.
var exampleByKey = map[string]string{
	"groups": "groups: [[n1], [n2, n3]]", "from": "from: [n1]", "to": "to: [n2]", "up": "up: 2s",
	"down": "down: 2s", "machines": "machines: [n1]", "latency": "latency: 20ms",
	"operation": "operation: write", "step": "step: 10s", "drift_ppm": "drift_ppm: 500",
}

// MaxDriftPPM bounds clock drift: at a tenth of the rate a clock is broken, not drifting.
const MaxDriftPPM = 100_000

// Fields lists the fields that a kind uses, the required ones first. It is empty for an unknown
// kind.
func Fields(k Kind) (must, may []string) { return keysByKind[k].must, keysByKind[k].may }

// Validate reports the first thing that is wrong with a fault, given the names of the machines.
// The error is a *Problem.
func (f *Fault) Validate(machines []string) error {
	use, known := keysByKind[f.Kind]
	if !known {
		return &Problem{"kind", fmt.Sprintf("unknown fault %q: write one of %s", f.Kind, knownKinds())}
	}
	if f.At < 0 || f.For < 0 {
		return &Problem{"at", "times cannot be negative; they count from the end of the warm-up"}
	}
	given := f.givenKeys()
	for _, field := range use.must {
		if !slices.Contains(given, field) {
			return &Problem{field, fmt.Sprintf("a %s fault needs %s; add %s", f.Kind, field,
				exampleByKey[field])}
		}
	}
	for _, field := range given {
		if !slices.Contains(use.must, field) && !slices.Contains(use.may, field) {
			return &Problem{field, fmt.Sprintf("a %s fault has no %s; it takes %s",
				f.Kind, field, strings.Join(append(slices.Clone(use.must), use.may...), ", "))}
		}
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
	return out
}

func (f *Fault) validateValues() error {
	for _, d := range []struct {
		field string
		value time.Duration
	}{{"latency", f.Latency}, {"jitter", f.Jitter}, {"up", f.Up}, {"down", f.Down}} {
		if d.value < 0 {
			return &Problem{d.field, "cannot be negative; write 0s or more"}
		}
	}
	switch {
	case f.Kind == Link && f.Loss|f.Duplicate|f.Reorder == 0 && f.Latency|f.Jitter == 0:
		return &Problem{"kind",
			"a link fault needs an effect; add some of loss, duplicate, reorder, latency and jitter"}
	case f.Kind == DiskError && !slices.Contains([]string{"read", "write", "sync"}, f.Operation):
		return &Problem{"operation", fmt.Sprintf("%q is no disk operation: write read, write or sync",
			f.Operation)}
	case f.DriftPPM > MaxDriftPPM || f.DriftPPM < -MaxDriftPPM:
		return &Problem{"drift_ppm", fmt.Sprintf("%d is out of range; write -%d to %d", f.DriftPPM,
			MaxDriftPPM, MaxDriftPPM)}
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
