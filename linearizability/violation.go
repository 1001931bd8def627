package linearizability

import (
	"fmt"
	"strings"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/txn"
)

// Kind names a way in which a history can be wrong, in kebab-case.
type Kind string

// The kinds of violation. Title gives each in words.
const (
	LostWrite          Kind = "lost-write"
	StaleRead          Kind = "stale-read"
	FutureRead         Kind = "future-read"
	Phantom            Kind = "phantom-write"
	AppliedTwice       Kind = "applied-twice"
	AbortedWrite       Kind = "aborted-write"
	DuplicateRevision  Kind = "duplicate-revision"
	ReorderedRevisions Kind = "reordered-revisions"
	RevisionRegression Kind = "revision-regression"
	WrongPrecondition  Kind = "wrong-precondition"
	WrongAnswer        Kind = "wrong-answer"
	SplitBrain         Kind = "split-brain"
	TwoWriters         Kind = "two-writers"
	TreeDivergence     Kind = "tree-divergence"
	NotLinearizable    Kind = "not-linearizable"
	UnwrittenValue     Kind = "unwritten-value"
	TakenTwice         Kind = "taken-twice"
	ImpossibleAnswer   Kind = "impossible-answer"
	LeaseOverlap       Kind = "lease-overlap"
	TokenOrder         Kind = "token-order"
	DoubleRun          Kind = "double-run"
	// CheckerDisagreement means that two of our own methods contradict each other: a bug in the checker
	// or in a model. It makes a verdict unknown unless something else is wrong as well.
	CheckerDisagreement Kind = "checker-disagreement"
)

var kindTitles = map[Kind]string{
	LostWrite:           "an acknowledged write is missing",
	StaleRead:           "a read returned a state older than one already seen or acknowledged",
	FutureRead:          "a read returned a write that had not been requested yet",
	Phantom:             "a mutation that no client asked for",
	AppliedTwice:        "one request took effect more than once",
	AbortedWrite:        "a request reported as failed took effect",
	DuplicateRevision:   "one revision was given to two writes",
	ReorderedRevisions:  "revisions contradict the order in which the writes happened",
	RevisionRegression:  "revisions seen by one client, or on one node, went backwards",
	WrongPrecondition:   "a precondition was judged wrongly",
	WrongAnswer:         "an answer contradicts the state at its revision",
	SplitBrain:          "two nodes disagree about one revision",
	TwoWriters:          "two nodes ordered writes in one epoch",
	TreeDivergence:      "two nodes hold different trees at one revision",
	NotLinearizable:     "no order of the operations explains the answers",
	UnwrittenValue:      "an operation found a value that nothing had written",
	TakenTwice:          "a value was taken out of a queue more than once",
	ImpossibleAnswer:    "no order of the operations gives this answer",
	LeaseOverlap:        "a lock or lease was held twice at one time",
	TokenOrder:          "a fencing token did not rise",
	DoubleRun:           "a resource ran in two places at one time",
	CheckerDisagreement: "two checking methods contradict each other",
}

// Title returns the kind in words. Anomalies of transactions keep their names in front of them. Kinds
// of other packages are their own words: service-flapping becomes "service flapping".
func (k Kind) Title() string {
	if title, ok := kindTitles[k]; ok {
		return title
	}
	if a := txn.Anomaly(k); a.Title() != string(k) {
		return fmt.Sprintf("%s (%s)", k, a.Title())
	}
	return strings.ReplaceAll(string(k), "-", " ")
}

// Violation is one thing that is wrong, with what proves it.
type Violation struct {
	Kind Kind `json:"kind"`
	// Explain describes what happened, naming operations, times and revisions.
	Explain string `json:"explain"`
	// Ops are the operations involved, in the order of their calls.
	Ops []history.Operation `json:"ops,omitempty"`
	// Revisions and Nodes are what Explain mentions.
	Revisions []uint64 `json:"revisions,omitempty"`
	Nodes     []string `json:"nodes,omitempty"`
	// Drawing shows the violation as text of several lines, where the checker draws one.
	Drawing string `json:"drawing,omitempty"`

	at      []int // the operations' positions in the history
	picture *picture
}
