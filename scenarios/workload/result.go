package workload

import "github.com/holdfast-sim/holdfast/linearizability/history"

// OK is the result of an operation that happened and whose answer holds no value, such as a write.
func OK() Result { return Result{Type: history.OK} }

// OKValue is the result of an operation that happened and was answered with a text.
func OKValue(text string) Result { return Result{Type: history.OK, Value: JSON(text)} }

// Failed is the result of an operation that certainly did not happen and never will. A failure that
// might have happened is [Unknown]: calling it Failed makes a correct system look wrong.
func Failed(reason string) Result { return Result{Type: history.Fail, Error: reason} }

// Unknown is the result of an operation that may have happened or may happen later.
func Unknown(reason string) Result { return Result{Type: history.Info, Error: reason} }
