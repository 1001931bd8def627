package workload

import (
	"fmt"
	"slices"
	"time"
)

// FirstAuditor is where the process numbers of auditors begin in a history: an [Audit] of each machine.
const FirstAuditor = 2_000_000_000

// AuditTimeout is how long a machine may take to answer one operation of an audit.
const AuditTimeout = 10 * time.Second

// maxReadsOfEach limits the keys that are read from each machine. When there are more, each machine is asked
// for a part of them, and every key is read from one machine.
const maxReadsOfEach = 1000

// FinalReader is implemented by a [Codec] whose state is not read by a [Read] of each key.
type FinalReader interface {
	// FinalReads returns the operations that show what the system holds under the keys at the end. They
	// belong to the history, so the model judges their answers.
	FinalReads(keys []string) []Op
}

// Audit asks one machine after quiescence: first the codec's final questions, then what it holds under every
// key of the workload. The reads belong to the history: a system that has lost a value since the last fault
// is found by its model.
type Audit struct {
	Machine  int // its index
	Machines []string
	Spec     Spec
	Codec    Codec
	Env      ClientEnv
	// Answered is called with every operation and its answer, or why there was none.
	Answered func(op Op, output []byte, err error)
}

// Operations returns how many operations the audit has at most.
func (a *Audit) Operations() int { return len(a.Codec.Final()) + len(a.reads()) }

// reads returns the reads of the machine.
func (a *Audit) reads() []Op {
	var keys []string
	for i := range a.Spec.Keys {
		if a.Spec.Keys <= maxReadsOfEach || i%len(a.Machines) == a.Machine {
			keys = append(keys, KeyName(i))
		}
	}
	if r, own := a.Codec.(FinalReader); own {
		return r.FinalReads(keys)
	}
	if !slices.ContainsFunc(a.Codec.Functions(), func(w Weight) bool { return w.F == Read }) {
		return nil
	}
	return ReadsOf(keys)
}

// ReadsOf returns a [Read] of each key.
func ReadsOf(keys []string) []Op {
	ops := make([]Op, len(keys))
	for i, key := range keys {
		ops[i] = Op{F: Read, Key: key}
	}
	return ops
}

// Run makes the operations of the audit. It stops reading at the first read without an answer: the machine
// does not serve. An error is a violation: an answer that the codec cannot read.
func (a *Audit) Run() error {
	questions := a.Codec.Final()
	for i, op := range questions {
		op.ID = a.id(i)
		process, input := a.Codec.Encode(op)
		output, err := a.Env.Do(a.Machine, process, input, AuditTimeout)
		a.Answered(op, output, err)
	}
	x := exchange{machines: a.Machines, codec: a.Codec, env: a.Env, process: FirstAuditor + a.Machine}
	for i, op := range a.reads() {
		op.ID = a.id(len(questions) + i)
		_, output, doErr, err := x.record(op, a.Machine, AuditTimeout)
		a.Answered(op, output, doErr)
		if doErr != nil || err != nil {
			return err
		}
	}
	return nil
}

func (a *Audit) id(i int) string { return fmt.Sprintf("audit-%d-%d", a.Machine, i) }
