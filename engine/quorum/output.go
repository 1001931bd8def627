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

// LogLine is one line for the log, worded as operators know it. Subsystem is QUORUM or VOTEQ.
type LogLine struct {
	Level     Level
	Subsystem string
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
	Verdict  Verdict
	Log      []LogLine
}

// Verdict is votequorum's word on a ring.
type Verdict struct {
	Ring     ring.ID
	Members  []ring.NodeID // ascending
	Quorate  bool
	Votes    uint32 // present, the device included if it votes for this node
	Expected uint32
	Quorum   uint32 // votes needed
}

// same compares all but the members, which follow from the ring.
func (v Verdict) same(other Verdict) bool {
	return v.Ring == other.Ring && v.Quorate == other.Quorate && v.Votes == other.Votes &&
		v.Expected == other.Expected && v.Quorum == other.Quorum
}

func (m *Machine) log(level Level, format string, args ...any) {
	m.out.Log = append(m.out.Log, LogLine{level, "VOTEQ", fmt.Sprintf(format, args...)})
}

func (m *Machine) logQuorum(format string, args ...any) {
	m.out.Log = append(m.out.Log, LogLine{Notice, "QUORUM", fmt.Sprintf(format, args...)})
}

func (m *Machine) multicast(msg Message) { m.out.Multicast = append(m.out.Multicast, Encode(msg)) }

func (m *Machine) setTimer(t Timer, after time.Duration) {
	m.out.Timers = append(m.out.Timers, TimerChange{Timer: t, Set: true, After: after})
}

func (m *Machine) stopTimer(t Timer) {
	m.out.Timers = append(m.out.Timers, TimerChange{Timer: t})
}

// take ends a call: the output is handed over once. A verdict that has changed in some number is
// announced, also if it is still quorate or still not.
func (m *Machine) take() Output {
	if v := m.Verdict(); !m.syncing && !m.out.Announce && !v.same(m.last) {
		m.out.Announce, m.out.Verdict, m.last = true, v, v
	}
	out := m.out
	m.out = Output{}
	return out
}
