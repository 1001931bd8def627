package env

import (
	"errors"
	"log/slog"
	"time"
)

// MachineID names a machine within one cluster or one simulation: its index in the topology,
// from 0. It is not a protocol identity: node ids come from the subject's own configuration.
type MachineID int32

// LinkID names one of the networks that connect the machines, from 0.
type LinkID uint8

// MaxDatagramBytes is the largest payload that [Env.Send] accepts: what fits into one UDP
// datagram over IPv4.
const MaxDatagramBytes = 65507

// MaxLocalBytes is the largest payload of one local message.
const MaxLocalBytes = 4 << 20

// TimerID names a timer of one process. The process chooses the values.
type TimerID uint64

// OpID names one operation that a client invoked; it is unique within a process's life.
type OpID uint64

// Process is a deterministic state machine. All calls come from one goroutine at a time.
type Process interface {
	// Start is called once, before any Step: recover from the disk, arm timers. An error means
	// that the process cannot run (damaged state, refused configuration); it gets no Step then.
	Start(e Env) error

	// Step handles one event and returns. It may block only inside Disk calls and inside the
	// waiting calls of a [Task].
	Step(ev Event)
}

// Self says which process on which machine an Env belongs to.
type Self struct {
	Machine MachineID
	// Name is the machine's name, for example "n1".
	Name string
	// Process is the process's name on its machine, for example "store".
	Process string
	// Boot counts the machine's power-ups, from 1.
	Boot uint64
	// Incarnation counts this process's starts since the run began, from 1.
	Incarnation uint64
}

// Env is everything that a process may touch. It is valid from Start until the process ends and
// only on the goroutine that runs Start or Step.
type Env interface {
	// Self says who this process is.
	Self() Self

	// Mono is the time since some fixed point before the machine booted. It never goes
	// backwards while the machine is up; its rate may be off by the machine's drift.
	Mono() time.Duration

	// Wall is the machine's idea of the time of day. It may be wrong and may jump.
	Wall() time.Time

	// SetTimer asks for a [TimerFired] with this id after the duration on the monotonic clock.
	// Setting a timer again replaces the earlier request. A duration of 0 or less fires as soon
	// as possible, never within the present Step.
	SetTimer(id TimerID, after time.Duration)

	// StopTimer withdraws a timer. Stopping one that is not set does nothing.
	StopTimer(id TimerID)

	// Send hands a datagram to the process of the same name on another machine (or on this one)
	// over a link. It never blocks and never reports failure. A payload above
	// [MaxDatagramBytes] is a bug and panics.
	Send(to MachineID, link LinkID, payload []byte)

	// Local hands a message to another process of this machine. It fails with [ErrLocalDown]
	// when that process does not run and with [ErrLocalFull] when its queue is full.
	Local(to string, payload []byte) error

	// Complete answers an operation. Answering one that was answered before, or that the process
	// was never given, is a bug and panics. Never answering is allowed: the client times out.
	Complete(op OpID, output []byte)

	// Disk is the machine's disk. Calls may take long and suspend the process meanwhile.
	Disk() Disk

	// Rand is this process's random stream for a purpose. Streams with different labels are
	// independent, so a draw added to one shifts no other.
	Rand(label string) Rand

	// Log writes the process's log. Handlers add time, machine and process.
	Log() *slog.Logger

	// Emit publishes a record for those who judge the run: a delivery, a membership, an
	// installed revision. Protocols never read records.
	Emit(r Record)

	// Probe marks a rare path as reached. A campaign fails when a probe is never reached.
	Probe(id string)

	// Exit ends this process after the present Step: no further event is delivered, pending
	// operations stay unanswered. The world decides whether and when to start it again.
	Exit(reason error)
}

// Record is a typed fact for checkers and reports. Implementations are plain structs that
// encoding/json can write and read back.
type Record interface {
	// RecordKind names the type in files, for example "membership".
	RecordKind() string
}

// Rand is a stream of random numbers. In the simulator it derives from the seed; on a real
// machine from the operating system.
type Rand interface {
	// Uint64 returns 64 random bits. Rand therefore is a math/rand/v2 Source.
	Uint64() uint64
	// Fill fills p with random bytes.
	Fill(p []byte)
}

var (
	// ErrLocalDown means that the addressed process does not run on this machine now.
	ErrLocalDown = errors.New("local process is down")
	// ErrLocalFull means that the addressed process's queue is full: try again later.
	ErrLocalFull = errors.New("local queue is full")
)
