package quorum

import (
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

// Level is the importance of a log line, one of the levels of syslog.
type Level uint8

const (
	Debug Level = iota
	Info
	Notice
	Warning
	Crit
)

// String returns the name of the level.
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

// String returns the line as Corosync writes it.
func (l LogLine) String() string { return fmt.Sprintf("[%-6s] %s", l.Subsystem, l.Text) }

// Timer names a timer of [Votequorum].
type Timer uint8

const (
	// LastManStandingTimer runs from the loss of a node until the expected votes are recalculated.
	LastManStandingTimer Timer = iota + 1
	// DeviceTimer runs from one poll of the quorum device to the next.
	DeviceTimer
)

// String returns the name of the timer.
func (t Timer) String() string {
	return [...]string{"none", "last-man-standing", "device"}[t]
}

// TimerChange sets or stops a timer. Only the last change of a timer counts.
type TimerChange struct {
	Timer Timer
	Set   bool
	After time.Duration // when Set
}

// Output is what the caller must do after a call of a [Votequorum], in this order: persist, multicast,
// set timers, announce. Its slices belong to the caller.
type Output struct {
	// Persist, if HavePersist, must be stored, and passed as Config.TrackedExpected after a restart.
	Persist     uint32
	HavePersist bool
	// Multicast are messages for all members of the ring, the sender included, to be delivered in the
	// ring's order. A message that cannot be sent now must be sent later in the same ring; a new ring
	// makes unsent messages void.
	Multicast [][]byte
	Timers    []TimerChange
	// Announce is set after each sync and whenever the decision changes between syncs: Decision must be
	// published to the clients.
	Announce bool
	Decision Decision
	Log      []LogLine
}

// Decision is the decision of votequorum on a ring.
type Decision struct {
	Ring     ring.ID
	Members  []ring.NodeID // ascending
	Quorate  bool
	Votes    uint32 // present, the device included if it votes for this node
	Expected uint32
	Quorum   uint32 // votes needed
}

// equal compares all fields but the members, which follow from the ring.
func (v Decision) equal(other Decision) bool {
	return v.Ring == other.Ring && v.Quorate == other.Quorate && v.Votes == other.Votes &&
		v.Expected == other.Expected && v.Quorum == other.Quorum
}

func (vq *Votequorum) log(level Level, format string, args ...any) {
	vq.output.Log = append(vq.output.Log, LogLine{level, SubsystemVotequorum, fmt.Sprintf(format, args...)})
}

func (vq *Votequorum) logQuorum(format string, args ...any) {
	vq.output.Log = append(vq.output.Log, LogLine{Notice, SubsystemQuorum, fmt.Sprintf(format, args...)})
}

func (vq *Votequorum) multicast(msg Message) {
	vq.output.Multicast = append(vq.output.Multicast, Encode(msg))
}

func (vq *Votequorum) setTimer(t Timer, after time.Duration) {
	vq.output.Timers = append(vq.output.Timers, TimerChange{Timer: t, Set: true, After: after})
}

func (vq *Votequorum) stopTimer(t Timer) {
	vq.output.Timers = append(vq.output.Timers, TimerChange{Timer: t})
}

// takeOutput ends a call and returns its output. A decision in which any number has changed is announced,
// even if Quorate is the same.
func (vq *Votequorum) takeOutput() Output {
	if v := vq.Decision(); !vq.syncing && !vq.output.Announce && !v.equal(vq.lastAnnounced) {
		vq.output.Announce, vq.output.Decision, vq.lastAnnounced = true, v, v
	}
	out := vq.output
	vq.output = Output{}
	return out
}
