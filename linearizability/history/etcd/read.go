package etcd

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/internal/jsonvalues"
)

// ErrOperation reports JSON that is no operation of etcd's robustness tests.
var ErrOperation = errors.New("not an operation of etcd's robustness tests")

// Functions of requests that are more than one read or write of one key.
const (
	fRange = "range"        // of several keys, or of an old revision; changes nothing
	fTxn   = "txn"          // with several changes
	fLease = "lease_revoke" // deletes keys
)

// Functions and the error that the models of package models know.
const (
	fRead    = "read"
	fWrite   = "write"
	fDelete  = "delete"
	fCAS     = "cas"
	mismatch = "revision_mismatch" // of a cas that found another revision
)

// reader gathers operations.
type reader struct {
	ops                                          []history.Operation
	left, dropped, unconditional, opaque, leased int
}

// Recording is what the clients asked and were answered.
type Recording struct {
	// Ops are the operations in the order of the file.
	Ops []history.Operation
	// Missing is why operations of other clients must be missing; it is empty if nothing shows that.
	Missing string
	// Notes are sentences about what was decided while reading.
	Notes []string
}

// Read reads operations. A request becomes
//
//   - range of one key at the newest revision: read, with the value and its revision
//   - txn of one range without a condition: read
//   - txn of one put or one delete: write or delete, whatever the conditions; but a put under the one
//     condition that its key has a revision: cas, which expects it. Reads on failure are left out
//   - any other range or txn that changes nothing: range, with the request as the value
//   - any other txn, and the end of a lease that a put has used: txn and lease_revoke, with the request as
//     the value. No model knows them, so then operations count as missing
//
// An operation with an error has an unknown outcome.
func Read(in io.Reader) (*Recording, error) {
	values := jsonvalues.NewReader(in)
	var r reader
	for {
		raw, line, err := values.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if errors.Is(err, jsonvalues.ErrCut) && len(r.ops) > 0 {
			found := r.finish()
			found.Missing = err.Error()
			return found, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading operations of etcd, %w", err)
		}
		if err := r.add(raw); err != nil {
			return nil, fmt.Errorf("reading operations of etcd, line %d: %w, found %.60s", line, err,
				raw)
		}
	}
	return r.finish(), nil
}

func (r *reader) add(raw json.RawMessage) error {
	var o operation
	if err := json.Unmarshal(raw, &o); err != nil {
		return fmt.Errorf("%w: %w", ErrOperation, err)
	}
	switch {
	case o.ClientID == nil:
		return fmt.Errorf("%w: member ClientId is missing", ErrOperation)
	case o.Input == nil || o.Input.Type == "":
		return fmt.Errorf("%w: member Input has no Type", ErrOperation)
	case o.Call == nil:
		return fmt.Errorf("%w: member Call is missing", ErrOperation)
	}
	op := history.Operation{Index: int64(len(r.ops)), Process: *o.ClientID, Call: *o.Call,
		Return: history.Never, Outcome: history.Info}
	switch o.Input.Type {
	case "range":
		if o.Input.Range == nil {
			return fmt.Errorf("%w: a range without a request", ErrOperation)
		}
		describeRange(&op, o.Input.Range, raw)
	case "txn":
		if o.Input.Txn == nil {
			return fmt.Errorf("%w: a txn without a request", ErrOperation)
		}
		r.describeTxn(&op, o.Input.Txn, raw)
	case "leaseRevoke":
		op.F, op.Input = fLease, inputOf(raw)
	case "leaseGrant", "defragment", "compact":
		r.left++
		return nil
	default:
		return fmt.Errorf("%w: unknown request %q", ErrOperation, o.Input.Type)
	}
	if err := answer(&op, &o, raw); err != nil {
		return err
	}
	r.ops = append(r.ops, op)
	return nil
}

func describeRange(op *history.Operation, q *rangeRequest, raw json.RawMessage) {
	if !q.simple() {
		op.F, op.Input = fRange, inputOf(raw)
		return
	}
	op.F, op.Key = fRead, q.Start
}

func (r *reader) describeTxn(op *history.Operation, t *txn, raw json.RawMessage) {
	for _, s := range append(t.OperationsOnSuccess, t.OperationsOnFailure...) {
		if s.Put.LeaseID != 0 {
			r.leased++
		}
	}
	op.F, op.Input = fTxn, inputOf(raw)
	switch {
	case onlyReads(t.OperationsOnSuccess) && onlyReads(t.OperationsOnFailure):
		op.F = fRange
		reads := t.OperationsOnSuccess
		if len(reads) == 1 && len(t.Conditions) == 0 && reads[0].Range.simple() {
			op.F, op.Key, op.Input = fRead, reads[0].Range.Start, nil
		}
		return
	case len(t.OperationsOnSuccess) != 1 || !onlyReads(t.OperationsOnFailure):
		r.opaque++
		return
	}
	r.dropped += len(t.OperationsOnFailure)
	s := &t.OperationsOnSuccess[0]
	switch {
	case s.Type == "delete-operation":
		op.F, op.Key, op.Input = fDelete, s.Delete.Key, nil
	case t.expectsRevision(s.Put.Key):
		op.F, op.Key, op.Input = fCAS, s.Put.Key, content(s.Put.Value)
		op.Expect = uint64(t.Conditions[0].ExpectedRevision)
		return
	default:
		op.F, op.Key, op.Input = fWrite, s.Put.Key, content(s.Put.Value)
	}
	if len(t.Conditions) > 0 {
		r.unconditional++
	}
}

// expectsRevision reports whether the one condition is that the key has a revision; 0 means absent.
func (t *txn) expectsRevision(key string) bool {
	return len(t.Conditions) == 1 && t.Conditions[0].Key == key && t.Conditions[0].ExpectedVersion == 0 &&
		t.Conditions[0].ExpectedRevision >= 0
}

func onlyReads(steps []step) bool {
	for i := range steps {
		if steps[i].Type != "range-operation" {
			return false
		}
	}
	return true
}

// answer fills in the outcome.
func answer(op *history.Operation, o *operation, raw json.RawMessage) error {
	a := o.Output
	if a == nil {
		return nil
	}
	if a.Error != "" || a.Persisted || a.PartialResponse {
		op.Error = a.Error
		return nil
	}
	if err := json.Unmarshal(o.Return, &op.Return); err != nil || op.Return < op.Call {
		return fmt.Errorf("%w: call %d returns at %s", ErrOperation, op.Call, o.Return)
	}
	op.Outcome = history.OK
	if a.Revision > 0 {
		op.Rev = uint64(a.Revision)
	}
	switch {
	case a.ClientError != "":
		op.Outcome, op.Error = history.Fail, a.ClientError
	case op.F == fRange || op.F == fTxn || op.F == fLease:
		op.Output = member(raw, "Output")
	case op.F == fRead:
		return answerRead(op, a)
	case a.Txn == nil:
		return fmt.Errorf("%w: a txn is answered without a txn", ErrOperation)
	case op.F == fCAS && a.Txn.Failure:
		op.Outcome, op.Error, op.Rev = history.Fail, mismatch, 0
	case a.Txn.Failure:
		op.Outcome, op.Error, op.Rev = history.Fail, "condition", 0
	case op.F != fDelete:
		op.Mod = op.Rev
	}
	return nil
}

func answerRead(op *history.Operation, a *response) error {
	found := a.Range
	if found == nil && a.Txn != nil && len(a.Txn.Results) == 1 {
		found = &a.Txn.Results[0]
	}
	if found == nil {
		return fmt.Errorf("%w: a read is answered without a range", ErrOperation)
	}
	if len(found.KVs) > 1 {
		return fmt.Errorf("%w: a read of one key is answered with %d", ErrOperation, len(found.KVs))
	}
	for _, kv := range found.KVs {
		op.Output = content(kv.Value)
		if kv.ModRevision > 0 {
			op.Mod = uint64(kv.ModRevision)
		}
	}
	return nil
}

// content returns a value: its text, or for a long one {"hash": N}.
func content(raw json.RawMessage) json.RawMessage {
	var v struct {
		Value string
		Hash  uint64
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return raw
	}
	if v.Hash != 0 {
		return fmt.Appendf(nil, `{"hash":%d}`, v.Hash)
	}
	text, err := json.Marshal(v.Value)
	if err != nil {
		return raw
	}
	return text
}

func inputOf(raw json.RawMessage) json.RawMessage { return member(raw, "Input") }

// member returns one member of an object, compact.
func member(raw json.RawMessage, name string) json.RawMessage {
	var object map[string]json.RawMessage
	var compact bytes.Buffer
	if json.Unmarshal(raw, &object) != nil || json.Compact(&compact, object[name]) != nil {
		return nil
	}
	return compact.Bytes()
}

// finish leaves out the ends of leases if no key has one, and returns everything with its notes.
func (r *reader) finish() *Recording {
	found := &Recording{}
	for _, op := range r.ops {
		if op.F == fLease && r.leased == 0 {
			r.left++
			continue
		}
		op.Index = int64(len(found.Ops))
		found.Ops = append(found.Ops, op)
	}
	note := func(n int, text string) {
		if n > 0 {
			found.Notes = append(found.Notes, fmt.Sprintf("%s: %d", text, n))
		}
	}
	note(r.left, "requests left out because they change no key")
	note(r.dropped, "reads left out that a txn makes when its condition fails")
	note(r.unconditional, "writes and deletes of which the condition was not looked at")
	found.Missing = missing(found.Ops)
	if r.leased > 0 {
		r.opaque += countOf(found.Ops, fLease)
	}
	if r.opaque > 0 {
		found.Missing = fmt.Sprintf("%d requests change several keys at once or end a lease, which no model "+
			"here knows", r.opaque)
	}
	return found
}

func countOf(ops []history.Operation, f string) (n int) {
	for i := range ops {
		if ops[i].F == f {
			n++
		}
	}
	return n
}

// missing compares the newest revision with the number of requests that can have made one. etcd begins at
// revision 1, and each request that changes something makes the next one.
func missing(ops []history.Operation) string {
	newest, changes := uint64(1), uint64(0)
	for i := range ops {
		newest = max(newest, ops[i].Rev, ops[i].Mod)
		if ops[i].F != fRead && ops[i].F != fRange && ops[i].Outcome != history.Fail {
			changes++
		}
	}
	if newest-1 <= changes {
		return ""
	}
	return fmt.Sprintf("the answers show revision %d, but the file has only %d requests that can have "+
		"changed something; put the operations.json of all clients into one file", newest, changes)
}
