package quorum

import (
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

// Level is the importance of a log line, as syslog has them.
type Level uint8

const (
	Debug Level = iota
	Info
	Notice
	Warning
	Crit
)

// String is the level's name.
func (l Level) String() string {
	return [...]string{"debug", "info", "notice", "warning", "crit"}[l]
}

// Subsystem is the part of Corosync under whose name operators find a log line.
type Subsystem string

const (
	// SubsystemQuorum reports memberships and the primary component.
	SubsystemQuorum Subsystem = "QUORUM"
	// SubsystemVotequorum reports votes, options and the quorum device.
	SubsystemVotequorum Subsystem = "VOTEQ"
)

// LogLine is one line for the log, in Corosync's words.
type LogLine struct {
	Level     Level
	Subsystem Subsystem
	Text      string
}

// String writes the line as Corosync does.
func (l LogLine) String() string { return fmt.Sprintf("[%-6s] %s", l.Subsystem, l.Text) }

// Timer names a timer of the machine.
type Timer uint8

const (
	// LastManStandingTimer runs from the loss of a node to the recalculation.
	LastManStandingTimer Timer = iota + 1
	// DeviceTimer runs from poll to poll of the quorum device.
	DeviceTimer
)

// String is the timer's name.
func (t Timer) String() string {
	return [...]string{"none", "last-man-standing", "device"}[t]
}

// TimerChange sets or stops a timer. Only the last change of a timer counts.
type TimerChange struct {
	Timer Timer
	Set   bool
	After time.Duration // when Set
}

// Output is what a call of the machine wants done, in this order: persist, multicast, timers,
// announce. Slices belong to the caller.
type Output struct {
	// Persist, when HavePersist, is to be stored and given back as Config.TrackedExpected after a
	// restart.
	Persist     uint32
	HavePersist bool
	// Multicast are messages for all members of the ring, in the ring's order, the sender included.
	// One that cannot be sent now must be sent later, as long as the ring lasts; a new ring makes
	// the unsent ones void.
	Multicast [][]byte
	Timers    []TimerChange
	// Announce: Verdict goes to whoever follows the quorum: after each sync, and whenever anything
	// of the verdict changes in between.
	Announce bool
	Decision Decision
	Log      []LogLine
}

// Decision is votequorum's word on a ring.
type Decision struct {
	Ring     ring.ID
	Members  []ring.NodeID // ascending
	Quorate  bool
	Votes    uint32 // present, the device included if it votes for this node
	Expected uint32
	Quorum   uint32 // votes needed
}

// same compares all but the members, which follow from the ring.
func (v Decision) same(other Decision) bool {
	return v.Ring == other.Ring && v.Quorate == other.Quorate && v.Votes == other.Votes &&
		v.Expected == other.Expected && v.Quorum == other.Quorum
}

func (vq *Votequorum) log(level Level, format string, args ...any) {
	vq.out.Log = append(vq.out.Log, LogLine{level, SubsystemVotequorum, fmt.Sprintf(format, args...)})
}

func (vq *Votequorum) logQuorum(format string, args ...any) {
	vq.out.Log = append(vq.out.Log, LogLine{Notice, SubsystemQuorum, fmt.Sprintf(format, args...)})
}

func (vq *Votequorum) multicast(msg Message) {
	vq.out.Multicast = append(vq.out.Multicast, Encode(msg))
}

func (vq *Votequorum) setTimer(t Timer, after time.Duration) {
	vq.out.Timers = append(vq.out.Timers, TimerChange{Timer: t, Set: true, After: after})
}

func (vq *Votequorum) stopTimer(t Timer) {
	vq.out.Timers = append(vq.out.Timers, TimerChange{Timer: t})
}

// take ends a call: the output is handed over once. A verdict that has changed in some number is
// announced, also if it is still quorate or still not.
func (vq *Votequorum) take() Output {
	if v := vq.Decision(); !vq.syncing && !vq.out.Announce && !v.same(vq.last) {
		vq.out.Announce, vq.out.Decision, vq.last = true, v, v
	}
	out := vq.out
	vq.out = Output{}
	return out
}
