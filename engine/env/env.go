package env

import (
	"errors"
	"log/slog"
	"time"
)

// MachineID identifies a machine within one cluster or simulation: its index in the topology, from 0. It
// is not a protocol identity; node ids come from the subject's own configuration.
type MachineID int32

// LinkID identifies one of the networks that connect the machines, from 0.
type LinkID uint8

// MaxDatagramBytes is the largest payload that [Env.Send] accepts: what fits into one UDP datagram over
// IPv4.
const MaxDatagramBytes = 65507

// MaxLocalBytes is the largest payload of one local message.
const MaxLocalBytes = 4 << 20

// TimerID identifies a timer of one process. The process chooses the values.
type TimerID uint64

// OpID identifies an operation of a client. It is unique within one incarnation of a process.
type OpID uint64

// Process is a deterministic state machine. All calls come from one goroutine at a time.
type Process interface {
	// Start is called once, before any Step, to recover from the disk and set timers. An error means that
	// the process cannot run (damaged state, refused configuration); it gets no Step then.
	Start(e Env) error

	// Step handles one event and returns. It may block only inside Disk calls and in the waiting methods
	// of a [Task].
	Step(ev Event)
}

// Self identifies a process and its machine.
type Self struct {
	Machine MachineID
	// Name is the machine's name, for example "n1".
	Name string
	// Process is the process's name on its machine, for example "store".
	Process string
	// Boot counts the machine's boots, from 1.
	Boot uint64
	// Incarnation counts this process's starts since the run started, from 1.
	Incarnation uint64
}

// Env is everything that a process may use. It is valid from Start until the process ends, and only on
// the goroutine that runs Start or Step.
type Env interface {
	// Self returns the identity of this process.
	Self() Self

	// Mono returns the time since some fixed point before the machine booted. It never goes backwards
	// while the machine is up; its rate may be off by the machine's drift.
	Mono() time.Duration

	// Wall returns the time of day according to the machine. It may be wrong and may jump.
	Wall() time.Time

	// SetTimer requests a [TimerFired] with this id after the duration on the monotonic clock. Setting a
	// timer again replaces the earlier request. A duration of 0 or less fires as soon as possible, but
	// never within the present Step.
	SetTimer(id TimerID, after time.Duration)

	// StopTimer withdraws a timer. Stopping a timer that is not set does nothing.
	StopTimer(id TimerID)

	// Send sends a datagram over a link to the process of the same name on another machine, or on this
	// one. It never blocks and never reports a failure. A payload above [MaxDatagramBytes] is a bug and
	// panics.
	Send(to MachineID, link LinkID, payload []byte)

	// Local sends a message to another process of this machine. It fails with [ErrLocalDown] if that
	// process does not run, and with [ErrLocalFull] if its queue is full. A payload above [MaxLocalBytes]
	// is a bug and panics.
	Local(to string, payload []byte) error

	// Complete answers an operation. Answering an operation twice, or one that the process was never
	// given, is a bug and panics. Never answering is allowed: the client times out.
	Complete(op OpID, output []byte)

	// Disk returns the machine's disk. Its calls may take long and suspend the process meanwhile.
	Disk() Disk

	// Rand returns this process's random stream with a label. Streams with different labels are
	// independent, so that an additional draw from one changes no other.
	Rand(label string) Rand

	// Log returns the process's logger. The backend adds time, machine and process. Log lines are for
	// people: no checker reads them.
	Log() *slog.Logger

	// Emit publishes a record for checkers and reports, for example a delivery, a membership or an
	// installed revision. Protocols never read records.
	Emit(r Record)

	// Probe marks a rare path as reached. A campaign fails when a probe is never reached.
	Probe(id string)

	// Exit ends this process after the present Step. No further event is delivered, and pending
	// operations stay unanswered. The backend decides whether and when to start the process again.
	Exit(reason error)
}

// Record is a typed fact for checkers and reports. Implementations are plain structs that encoding/json
// can write and read.
type Record interface {
	// RecordKind names the type in files, in kebab-case, for example "totem-membership".
	RecordKind() string
}

// DurableRecord is a [Record] that reports something as durable: when a process emits it, everything that the
// process has written must be on the disk. The simulator compares that with the simulated disk, and a
// record that claims too much is a violation. Real machines do not compare.
type DurableRecord interface {
	Record
	// ReportsDurable does nothing; it marks the type.
	ReportsDurable()
}

// Rand is a stream of random numbers. In the simulator it derives from the seed, on a real machine from
// the operating system.
type Rand interface {
	// Uint64 returns 64 random bits, so that a Rand is a math/rand/v2 Source.
	Uint64() uint64
	// Fill fills p with random bytes.
	Fill(p []byte)
}

var (
	// ErrLocalDown means that the addressed process does not run on this machine now.
	ErrLocalDown = errors.New("local process is down")
	// ErrLocalFull means that the addressed process's queue is full; try again later.
	ErrLocalFull = errors.New("local queue is full")
)
