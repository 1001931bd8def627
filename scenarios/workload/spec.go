package workload

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/holdfast-sim/holdfast/linearizability/history"
)

// Spec is the workload part of a scenario.
type Spec struct {
	// Clients call one after the other, each with one call at a time.
	Clients int `yaml:"clients,omitempty" json:"clients"`
	// Operations is the number of calls that all clients make together.
	Operations int `yaml:"operations,omitempty" json:"operations"`
	// Keys is how many names the operations are about.
	Keys int `yaml:"keys,omitempty" json:"keys"`
	// ValueBytes is the size of written values.
	ValueBytes int `yaml:"value_bytes,omitempty" json:"value_bytes"`
	// Pause is the mean time between two calls of a client; a client that had to wait longer for
	// an answer makes up for it. Unless given it is such that the calls fill the duration.
	Pause time.Duration `yaml:"pause,omitempty" json:"pause"`
	// Timeout is how long a client waits for an answer.
	Timeout time.Duration `yaml:"timeout,omitempty" json:"timeout"`
	// Mix gives each operation a weight. The subject's codec lists the operations.
	Mix map[string]int `yaml:"mix,omitempty,flow" json:"mix,omitempty"`
	// Locks is how clients use locks; nil unless the mix has [Acquire].
	Locks *Locks `yaml:"locks,omitempty,flow" json:"locks,omitempty"`
}

// FirstActor is where the process numbers of actors begin in a history. Actors work on a subject beside
// the workload's clients.
const FirstActor = 1_000_000_000

// Limits of a workload.
const (
	MaxClients    = 1000
	MaxOperations = 10_000_000
	MaxKeys       = 10_000
	MaxValueBytes = 1 << 20
)

// Defaults for what a scenario leaves out.
const (
	DefaultClients    = 5
	DefaultOperations = 200
	DefaultKeys       = 6
	DefaultValueBytes = 24
	DefaultTimeout    = 5 * time.Second
)

// SetDefaults fills in what was left out; duration is the scenario's.
func (s *Spec) SetDefaults(duration time.Duration) {
	defaultIfNotPositive(&s.Clients, DefaultClients)
	defaultIfNotPositive(&s.Operations, DefaultOperations)
	defaultIfNotPositive(&s.Keys, DefaultKeys)
	defaultIfNotPositive(&s.ValueBytes, DefaultValueBytes)
	if s.Timeout == 0 {
		s.Timeout = DefaultTimeout
	}
	if s.Pause == 0 && s.Clients > 0 && s.Operations > 0 {
		s.Pause = duration * time.Duration(s.Clients) / time.Duration(s.Operations+s.Clients)
	}
	if s.Locks == nil && s.UsesLocks() {
		s.Locks = &Locks{}
	}
	if s.Locks != nil {
		s.Locks.setDefaults()
	}
}

func defaultIfNotPositive(field *int, value int) {
	if *field == 0 {
		*field = value
	}
}

// Op is one operation; subjects use the fields that they need.
type Op struct {
	F   string // for example read, write, cas
	Key string
	To  string // the new name, for rename
	// Value is what is written.
	Value string
	// Expect is the revision that a compare-and-set expects.
	Expect uint64
	// Since is the revision up to which a client that watches knows everything, and Chain that of the answer
	// with this revision.
	Since uint64
	Chain string
	// ID is unique to the request; a subject stores it with what it changes.
	ID string
	// TTL is the lease of a lock that is taken, renewed or released.
	TTL time.Duration
	// Retry is set when the same request may have been sent before.
	Retry bool
}

// Result is what came of an operation.
type Result struct {
	// Type is history.OK, Fail (certainly did not happen) or Info (unknown).
	Type history.Type
	// Value is the answer as the history keeps it; nil when there is none.
	Value json.RawMessage
	// Rev and Mod are revisions as in history.Event.
	Rev, Mod uint64
	// Chain names everything up to Rev, if the answer does: of a system in which a revision that was lost can
	// be given to another change.
	Chain string
	Error string
	// Elsewhere is set when this machine cannot serve now: the client goes to another one.
	Elsewhere bool
}

// Codec turns operations into requests of a subject and answers into results.
type Codec interface {
	// Functions lists the operations that a workload may mix, with their default weights.
	Functions() []Weight
	// Encode returns the process that is asked and the bytes of the request.
	Encode(op Op) (process string, input []byte)
	// Decode reads the answer. An error means that the answer cannot be read, which is a violation.
	Decode(op Op, output []byte) (Result, error)
	// Final lists what every machine is asked after quiescence.
	Final() []Op
}

// Weight is the share of one operation in a mix.
type Weight struct {
	F      string
	Weight int
}

var (
	// ErrRefused means that a request certainly did not reach the subject.
	ErrRefused = errors.New("connection refused")
	// ErrTimeout means that no answer came in time.
	ErrTimeout = errors.New("timeout")
	// ErrReset means that the connection broke before an answer came.
	ErrReset = errors.New("connection reset")
	// ErrStopped means that the run is over.
	ErrStopped = errors.New("run stopped")
)
