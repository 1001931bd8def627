package pve

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/store/lock"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios/pve/hacheck"
	"github.com/holdfast-sim/holdfast/scenarios/pve/storecheck"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// Codec speaks the store's requests.
type Codec struct {
	readsHAStatus bool // also read the final state of the HA manager
}

// Functions implements workload.Codec.
func (Codec) Functions() []workload.Weight {
	return []workload.Weight{
		{F: workload.Read, Weight: 30}, {F: workload.Write, Weight: 28}, {F: workload.CAS, Weight: 18},
		{F: workload.Delete, Weight: 6}, {F: workload.Mkdir, Weight: 5}, {F: workload.Rename, Weight: 4},
		{F: workload.List, Weight: 4}, {F: workload.ReadLocal, Weight: 5},
		{F: workload.Acquire, Weight: 0}, {F: workload.Watch, Weight: 0},
	}
}

// Encode implements workload.Codec.
func (Codec) Encode(op workload.Op) (string, []byte) {
	r := store.Request{ID: op.ID, Op: op.F, Path: op.Key, To: op.To, Expect: op.Expect}
	switch op.F {
	case workload.ReadLocal:
		r.Op, r.Local = store.OpRead, true
	case workload.Watch:
		r.Since, r.Chain = op.Since, op.Chain
	case workload.Write, workload.CAS:
		r.Data = []byte(op.Value)
	case workload.Acquire, workload.Renew:
		r.Op, r.Data = tree.CAS.String(), []byte(op.Value)
	case workload.Release:
		r.Op = tree.Delete.String()
	}
	if op.Retry {
		r.Retry, r.Since = true, op.Expect
	}
	return store.Process, r.Encode()
}

// LockKey implements workload.LockCodec.
func (Codec) LockKey(name string) string {
	return lock.Dir + "/" + strings.ReplaceAll(name, "/", "-")
}

// PrepareLocks implements workload.LockCodec.
func (Codec) PrepareLocks() []workload.Op {
	parent, _, _ := strings.Cut(lock.Dir, "/")
	return []workload.Op{{F: workload.Mkdir, Key: parent}, {F: workload.Mkdir, Key: lock.Dir}}
}

// Decode implements workload.Codec.
func (Codec) Decode(op workload.Op, output []byte) (workload.Result, error) {
	r, err := store.DecodeResponse(output)
	if err != nil {
		return workload.Result{}, err
	}
	result := workload.Result{Type: history.OK, Rev: r.Revision}
	switch {
	case r.Code == store.CodeUnknown:
		return workload.Result{Type: history.Info, Error: string(r.Code)}, nil
	case !r.OK && op.F == workload.ReadLocal && r.Code != tree.NotFound:
		result = workload.Result{Type: history.Fail, Error: string(r.Code),
			Elsewhere: triesAnotherMachine(r.Code)}
	case !r.OK && isRead(op.F) && r.Code == tree.NotFound && op.F != workload.List:
		// Nothing is there: for the history that is an answer.
	case !r.OK:
		result.Type, result.Error, result.Mod = history.Fail, string(r.Code), r.Actual
		result.Elsewhere = triesAnotherMachine(r.Code)
	case op.F == workload.Watch:
		result = workload.Watched(op, workload.WatchAnswer{Changed: r.Changed, Revision: r.Revision})
		result.Chain = r.Chain
	case isRead(op.F) && op.F != workload.List:
		if r.Entry == nil {
			return workload.Result{}, fmt.Errorf("a successful read without an entry: %s", output)
		}
		result.Mod = r.Entry.Mod
		if r.Entry.Kind == "file" {
			result.Value = workload.JSON(string(r.Entry.Data))
		}
	case op.F == workload.List:
		result.Value = namesOf(r.Entries)
	default:
		result.Mod = r.Revision
	}
	return result, nil
}

func isRead(f string) bool {
	return f == workload.Read || f == workload.ReadLocal || f == workload.List
}

// triesAnotherMachine reports whether a client must turn to another machine.
func triesAnotherMachine(code tree.Code) bool {
	switch code {
	case store.CodeReadOnly, store.CodeNoQuorum, store.CodeTryAgain, store.CodeFailed:
		return true
	}
	return false
}

func namesOf(entries []store.EntryInfo) json.RawMessage {
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Path
	}
	b, err := json.Marshal(names)
	if err != nil {
		panic("pve: names do not encode: " + err.Error())
	}
	return b
}

// Questions that every machine is asked after quiescence.
const (
	finalDigest = storecheck.FinalDigest
	finalStatus = store.OpStatus
)

// Final implements workload.Codec.
func (c Codec) Final() []workload.Op {
	ops := []workload.Op{{F: finalStatus}, {F: finalDigest}}
	if c.readsHAStatus {
		ops = append(ops, hacheck.FinalQuestions()...)
	}
	return ops
}
