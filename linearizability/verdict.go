package linearizability

import (
	"errors"
	"fmt"

	"github.com/holdfast-sim/holdfast/linearizability/history"
)

// Validity is the outcome of a check. The zero value is Unknown, so that a check that was never made
// is not mistaken for a good one.
type Validity uint8

const (
	// Unknown means that the check could not decide: a limit was hit, or evidence is missing. It is
	// never a pass.
	Unknown Validity = iota
	// Valid means that the property holds for the history.
	Valid
	// Invalid means that the property is violated.
	Invalid
)

var validityNames = [...]string{Unknown: "unknown", Valid: "valid", Invalid: "invalid"}

// ErrValidity reports a word that is none of the three verdicts.
var ErrValidity = errors.New("unknown verdict word")

// String returns valid, invalid or unknown.
func (v Validity) String() string {
	if int(v) >= len(validityNames) {
		return fmt.Sprintf("validity(%d)", uint8(v))
	}
	return validityNames[v]
}

// MarshalText writes the word.
func (v Validity) MarshalText() ([]byte, error) {
	if int(v) >= len(validityNames) {
		return nil, fmt.Errorf("%w: %d", ErrValidity, uint8(v))
	}
	return []byte(validityNames[v]), nil
}

// UnmarshalText reads the word.
func (v *Validity) UnmarshalText(text []byte) error {
	for i, name := range validityNames {
		if name == string(text) {
			*v = Validity(i)
			return nil
		}
	}
	return fmt.Errorf("%w %q: use valid, invalid or unknown", ErrValidity, text)
}

// Verdict is the result of one checker for one run.
type Verdict struct {
	// Checker is the checker's name, such as "store" or "single-runner".
	Checker  string   `json:"checker"`
	Validity Validity `json:"validity"`
	// Summary is one sentence for a person.
	Summary string `json:"summary"`
	// Violations are what was found wrong, the most telling first.
	Violations []Violation `json:"violations,omitempty"`
	// Evidence are the operations that the summary mentions, in the order of their calls.
	Evidence []history.Operation `json:"evidence,omitempty"`
	// Details are further facts, one line each: counts, limits hit, how the verdict was reached.
	Details []string `json:"details,omitempty"`
}

// Worst returns the validity of a whole set: invalid if any is, else unknown if any is, else valid. An
// empty set is unknown, because nothing was checked.
func Worst(verdicts []Verdict) Validity {
	if len(verdicts) == 0 {
		return Unknown
	}
	worst := Valid
	for i := range verdicts {
		switch verdicts[i].Validity {
		case Invalid:
			return Invalid
		case Valid:
		default:
			worst = Unknown
		}
	}
	return worst
}
