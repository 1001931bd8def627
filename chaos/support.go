package chaos

import (
	"context"
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// ProcessDriver is implemented by drivers whose program can lose or pause one of its processes
// and keep the others. Faults that name a process need it.
type ProcessDriver interface {
	KillProcess(ctx context.Context, m scenarios.Machine, process string) error
	StartProcess(ctx context.Context, m scenarios.Machine, process string) error
	PauseProcess(ctx context.Context, m scenarios.Machine, process string) error
	ResumeProcess(ctx context.Context, m scenarios.Machine, process string) error
}

// ClockDriver is implemented by drivers whose program has a clock of its own. Real nodes share
// the clock of the machine that they run on, so clock faults need it. Offset and drift replace
// what was set before; the program keeps them over a restart.
type ClockDriver interface {
	SetClock(ctx context.Context, m scenarios.Machine, offset time.Duration, driftPPM int64) error
}

// PowerDriver is implemented by drivers whose machines may have a power switch and a watchdog. The
// harness is then the watchdog: it listens on a unix socket in the machine's directory and, when the
// armed timeout passes without a renewal, ends everything on the machine and boots it again.
type PowerDriver interface {
	// PowerSwitch reports whether machines have a power switch, and returns the name of the watchdog's
	// socket. Unsynced data survives a power cut here, so drivers return true only for subjects whose
	// durability is not tested.
	PowerSwitch() (watchdog string, on bool)
	// BootFiles are the files to write before a machine's power-up; boot counts from 1.
	BootFiles(m scenarios.Machine, boot uint64) ([]scenarios.File, error)
}

// OperatorDriver is implemented by drivers that act as an operator during a run. Operate returns when
// its context ends; the records that it passes become records of the run.
type OperatorDriver interface {
	Operate(ctx context.Context, machines []scenarios.Machine, now func() time.Duration,
		tell func(machine int, record env.Record))
}

// RefusingDriver is implemented by drivers of subjects whose part of a scenario may ask for something
// that real nodes cannot do. A run with a refusal is not started, and its verdict lists the reasons.
type RefusingDriver interface {
	// Refuses lists what cannot be done, each with its reason; none when all can be.
	Refuses() []string
}

// ProbeDriver is implemented by drivers whose program counts the rare paths that it reaches.
type ProbeDriver interface {
	Probes(ctx context.Context, m scenarios.Machine) (map[string]int, error)
}

// Unsupported reports why a fault cannot be injected on real nodes through this driver, and where it
// can be; "" when it can be injected.
func Unsupported(f *fault.Fault, d scenarios.Driver) string {
	if f.Trigger != "" {
		return fmt.Sprintf("%s with a trigger: what programs record is not seen in time here; write when it "+
			"begins, or run it in the simulator", f.Kind)
	}
	switch f.Kind {
	case fault.Partition, fault.Cut, fault.Link, fault.Flap, fault.Clog, fault.Bandwidth, fault.MTU,
		fault.Corrupt:
		return ""
	case fault.Kill, fault.Pause:
		if f.AtDiskCall > 0 {
			return fmt.Sprintf("%s at a disk call: the calls of a program are not counted here; leave "+
				"at_disk_call out, or run it in the simulator", f.Kind)
		}
		if _, ok := d.(ProcessDriver); f.Process != "" && !ok {
			return fmt.Sprintf("%s of the single process %q: the subject's driver reaches whole programs "+
				"only; leave process out, or run it in the simulator", f.Kind, f.Process)
		}
		return ""
	case fault.ClockStep, fault.ClockDrift:
		if _, ok := d.(ClockDriver); !ok {
			return fmt.Sprintf("%s: real nodes share one clock and the subject's driver offers no other; "+
				"run it in the simulator", f.Kind)
		}
		return ""
	case fault.Freeze:
		return "freeze: nodes share this machine's clock, which cannot stand still for one of them; run it " +
			"in the simulator, or write pause"
	case fault.Buggify:
		return "buggify: programs on real nodes take no rare paths on request; run it in the simulator"
	case fault.Slow:
		return "slow: a node has no processor of its own to take away; run it in the simulator"
	case fault.PowerCut:
		if f.AtDiskCall > 0 {
			return "power-cut at a disk call: the calls of a program are not counted here; leave " +
				"at_disk_call out, or run it in the simulator"
		}
		if hasPowerSwitch(d) {
			return ""
		}
		return "power-cut: what was not synced would survive on these nodes, and that is what the fault " +
			"is about; run it in the simulator, or write kill"
	case fault.PowerOn:
		if hasPowerSwitch(d) {
			return ""
		}
		return "power-on: the subject's machines have no power switch here; run it in the simulator"
	case fault.DiskStall, fault.DiskSlow, fault.DiskFull, fault.DiskError, fault.DiskWipe, fault.DiskRollback,
		fault.DiskCut, fault.DiskCorrupt, fault.DiskLatent, fault.DiskLostWrite, fault.DiskMisdirect:
		return fmt.Sprintf("%s: nodes use this machine's disk as it is; run it in the simulator", f.Kind)
	}
	return fmt.Sprintf("%s: not known on real nodes", f.Kind)
}
