package futures

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// Result is a curve with the check whose violations it counts.
type Result struct {
	Property string
	Curve    Curve
}

// MarshalJSON implements json.Marshaler. The knee is left out if the share rises nowhere.
func (r Result) MarshalJSON() ([]byte, error) {
	out := struct {
		Property string          `json:"property"`
		Curve    Curve           `json:"curve"`
		Knee     []time.Duration `json:"knee,omitempty"`
	}{Property: r.Property, Curve: r.Curve}
	if from, to, ok := r.Curve.Knee(); ok {
		out.Knee = []time.Duration{from.At, to.At}
	}
	return json.Marshal(out)
}

// percentOfMark is what each mark of the drawn curve stands for.
const percentOfMark = 5

// Text writes the result for a terminal.
func (r Result) Text(w io.Writer) error {
	var out strings.Builder
	fmt.Fprintf(&out, "futures in which %s finds a violation, drawn anew from a time on:\n", r.Property)
	for _, p := range r.Curve {
		line := fmt.Sprintf("%10.3f s  %3d of %d  %s", p.At.Seconds(), p.Failed, p.Runs,
			strings.Repeat("#", p.Share()/percentOfMark))
		out.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	if from, to, ok := r.Curve.Knee(); ok {
		fmt.Fprintf(&out, "what happens between %.3f s and %.3f s makes the failure likely: "+
			"%d %% before, %d %% after\n", from.At.Seconds(), to.At.Seconds(), from.Share(), to.Share())
	} else {
		out.WriteString("the share rises nowhere: the failure does not depend on what is drawn\n")
	}
	_, err := io.WriteString(w, out.String())
	return err
}
