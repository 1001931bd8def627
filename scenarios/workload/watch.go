package workload

import (
	"encoding/json"

	"github.com/holdfast-sim/holdfast/linearizability/history"
)

// WatchValue is the value of a [Watch] in a history.
type WatchValue struct {
	// Since is the revision up to which the client knows everything.
	Since uint64 `json:"since"`
	*WatchAnswer
}

// WatchAnswer is what an answered [Watch] adds to its value.
type WatchAnswer struct {
	// Changed reports that something may have changed after Since; false means that nothing has.
	Changed bool `json:"changed"`
	// Revision is that of the machine that answered.
	Revision uint64 `json:"revision"`
}

func (v WatchValue) encode() json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic("workload: a watch does not encode: " + err.Error())
	}
	return b
}

// Watched is the result of an answered [Watch].
func Watched(op Op, a WatchAnswer) Result {
	return Result{Type: history.OK, Value: WatchValue{op.Since, &a}.encode(), Rev: a.Revision}
}

// GaveUpWatch reports whether an operation is a [Watch] that its client gave up. Perhaps nothing has changed
// in its time, so that is no failure of the system and no reason to use another machine.
func GaveUpWatch(f string, outcome history.Type, problem string) bool {
	return f == Watch && outcome == history.Info && problem == ErrTimeout.Error()
}
