package linearizability

import (
	"encoding/json"
	"runtime"
	"time"

	"github.com/holdfast-sim/holdfast/linearizability/history/formats"
)

// Limits of a check, unless an [Option] sets others.
const (
	// DefaultTimeout bounds the search. The certificate needs no limit: it is linear.
	DefaultTimeout = 60 * time.Second
	// DefaultMemoryBytes bounds what all searches together may hold in their caches.
	DefaultMemoryBytes = 1 << 30
	// DefaultSearchOps is the largest history that porcupine judges as well where [ArbiterAlways] is set.
	DefaultSearchOps = 2000
	// DefaultSamplePpm is how many of a million small histories porcupine judges as well.
	DefaultSamplePpm = 1_000
	// maxViolations bounds how many violations one report lists.
	maxViolations = 64
)

// Arbiter determines when porcupine judges a history that another method has already judged.
type Arbiter uint8

const (
	// ArbiterOnViolation has every violation judged again, on the operations that prove it, and a sample of
	// the small histories (see [WithSample]).
	ArbiterOnViolation Arbiter = iota
	// ArbiterNever leaves porcupine out unless nothing else can decide.
	ArbiterNever
	// ArbiterAlways also has every history judged that is small enough for a search.
	ArbiterAlways
)

type options struct {
	timeout     time.Duration
	memory      int64
	searchOps   int // 0: as memory allows
	parallelism int
	arbiter     Arbiter
	samplePpm   int
	annotations []Annotation
	minimise    bool
	witnessFile string
	initial     json.RawMessage
	anyInitial  bool
	failed      formats.FailureMeaning
	consistency string
}

func newOptions(opts []Option) *options {
	o := &options{timeout: DefaultTimeout, memory: DefaultMemoryBytes,
		parallelism: runtime.GOMAXPROCS(0), minimise: true, samplePpm: DefaultSamplePpm}
	for _, opt := range opts {
		opt(o)
	}
	return o
}

// Option changes how [Check] works.
type Option func(*options)

// WithTimeout bounds the time that searches may take together. When it ends, the verdict is unknown.
func WithTimeout(d time.Duration) Option { return func(o *options) { o.timeout = d } }

// WithMemoryLimit bounds the bytes that searches may hold together. Beyond it the verdict is unknown.
func WithMemoryLimit(bytes int64) Option { return func(o *options) { o.memory = bytes } }

// WithSearchLimit bounds how many operations are searched as one piece. 0, the default, leaves that to the
// memory limit: a search of n operations holds at least n²/8 bytes before it ends.
func WithSearchLimit(ops int) Option { return func(o *options) { o.searchOps = ops } }

// WithParallelism bounds how many searches run at once.
func WithParallelism(n int) Option { return func(o *options) { o.parallelism = max(1, n) } }

// WithArbiter sets when porcupine judges again.
func WithArbiter(a Arbiter) Option { return func(o *options) { o.arbiter = a } }

// WithSample sets how many of a million small histories porcupine judges as well. Which ones depends only on
// the history.
func WithSample(ppm int) Option { return func(o *options) { o.samplePpm = ppm } }

// WithoutMinimising leaves violations as they were found.
func WithoutMinimising() Option { return func(o *options) { o.minimise = false } }

// WithWitnessFile names the witness file for [CheckFile].
func WithWitnessFile(path string) Option { return func(o *options) { o.witnessFile = path } }

// WithInitial sets the state before the first operation for [CheckFile], in the words of the model, in place
// of that of the file's header. For a register it is the value that every register begins with; nil is the
// model's default.
func WithInitial(state json.RawMessage) Option {
	return func(o *options) { o.initial, o.anyInitial = state, false }
}

// WithAnyInitial lets [CheckFile] accept any state before the first operation. The model must support that.
func WithAnyInitial() Option { return func(o *options) { o.initial, o.anyInitial = nil, true } }

// WithFailed sets for [CheckFile] what a failed call means, in place of the meaning that the format has.
func WithFailed(f formats.FailureMeaning) Option { return func(o *options) { o.failed = f } }

// WithConsistency names the consistency model for a check of transactions, such as snapshot-isolation;
// package txn has the names. The default is strict-serializable.
func WithConsistency(name string) Option { return func(o *options) { o.consistency = name } }

// WithAnnotations adds faults and other events to the picture of a violation.
func WithAnnotations(a ...Annotation) Option {
	return func(o *options) { o.annotations = append(o.annotations, a...) }
}

// Annotation is something other than an operation that happened during the run, such as a fault.
type Annotation struct {
	// Tag groups annotations in one row, such as a node's name or "nemesis".
	Tag string
	// Text is shown, Details appears on demand.
	Text, Details string
	// Start and End are in nanoseconds on the clock of the history; an End before Start marks an instant.
	Start, End int64
}
