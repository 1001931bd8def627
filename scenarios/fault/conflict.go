package fault

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// LatestEnd returns the last time at which the fault may act, by the clock of At: one that has a trigger may
// begin late. All faults end after duration.
func (f *Fault) LatestEnd(duration time.Duration) time.Duration {
	switch {
	case f.For == 0, f.Trigger != "" && f.Within == 0:
		return duration
	case f.Trigger != "":
		return min(f.At+f.Within+f.Delay+f.For, duration)
	}
	return f.At + f.For
}

// Conflict returns why two faults cannot both act on some of the machines, "" when they can. All faults end
// after duration. The order does not matter. Whether a fault with a trigger may act is decided when its
// trigger comes.
func Conflict(a, b *Fault, machines []string, duration time.Duration) string {
	if a.Trigger != "" || b.Trigger != "" {
		return ""
	}
	overlap := a.At < b.LatestEnd(duration) && b.At < a.LatestEnd(duration)
	if !overlap || a.IsNetwork() || b.IsNetwork() {
		return ""
	}
	both := slices.DeleteFunc(slices.Clone(machines), func(name string) bool {
		return !Names(a.Targets(), name) || !Names(b.Targets(), name)
	})
	if len(both) == 0 {
		return ""
	}
	where := strings.Join(both, ", ")
	switch {
	case a.switchesOff() && b.switchesOff():
		return where + " cannot be switched off twice"
	case a.switchesOff() && b.stopsProcesses() || b.switchesOff() && a.stopsProcesses():
		return where + " is off, so there is no process to kill or pause"
	case a.switchesOff() && b.Kind == Freeze || b.switchesOff() && a.Kind == Freeze:
		return where + " is off, so there is nothing to freeze"
	case a.Kind != b.Kind, a.Kind == DiskCorrupt,
		a.Kind == PowerOn: // a press of the power button is over at once
		return ""
	case (a.stopsProcesses() || a.Kind == Slow) && a.Process != "" && b.Process != "" &&
		a.Process != b.Process:
		return ""
	case a.Kind == DiskError && a.Operation != b.Operation:
		return ""
	case a.Kind == Buggify && a.Sites != nil && b.Sites != nil && !shareOne(a.Sites, b.Sites):
		return ""
	}
	return fmt.Sprintf("one %s on %s is not over", a.Kind, where)
}

// shareOne reports whether two lists have a name in common.
func shareOne(a, b []string) bool {
	return slices.ContainsFunc(a, func(name string) bool { return slices.Contains(b, name) })
}

// Targets returns the machines that a fault of machines may hit.
func (f *Fault) Targets() []string {
	if f.IsAimed() {
		return []string{All}
	}
	return f.Machines
}

func (f *Fault) switchesOff() bool {
	return f.Kind == PowerCut || f.Kind == DiskWipe || f.Kind == DiskCut
}

func (f *Fault) stopsProcesses() bool { return f.Kind == Kill || f.Kind == Pause }
