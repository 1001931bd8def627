package jepsen

import (
	"encoding/json"

	"github.com/holdfast-sim/holdfast/linearizability/history"
)

// split turns the [key value] tuples of jepsen.independent into Key and Value, if the history has them.
// A tuple is written like any pair, so the whole history decides: see [Recording.independent].
func (r *Recording) split() {
	if !r.independent() {
		return
	}
	keys := make(map[string]bool)
	without := 0
	for i := range r.Events {
		e := &r.Events[i]
		if e.Process < 0 {
			continue
		}
		key, value, ok := tuple(e.Value)
		switch {
		case ok:
			e.Key, e.Value = key, value
			keys[key] = true
		case e.Type == history.Invoke && len(e.Value) > 0:
			without++
		}
	}
	r.Keys = len(keys)
	noun := "keys"
	if len(keys) == 1 {
		noun = "key"
	}
	r.note("split by key: %d %s", len(keys), noun)
	if without > 0 {
		r.note("calls with a value without a key, which form an object of their own: %d", without)
	}
}

// independent reports whether the values of a history are [key value] tuples. Most calls must have a pair, so
// that single calls without one do not matter, and some pairs must look as only a tuple does:
//
//   - a call that asks, such as a read, has [key nil] in a tuple and no value otherwise;
//   - a cas has [key [expected new]] in a tuple and [expected new] otherwise, a txn [key [operations]] and a
//     list of operations. Of these, more must have the form of a tuple than the other one.
func (r *Recording) independent() bool {
	calls, pairs, tuples, plain := 0, 0, 0, 0
	for i := range r.Events {
		e := &r.Events[i]
		if e.Process < 0 || e.Type != history.Invoke {
			continue
		}
		if e.Key != "" {
			return false
		}
		key, value, pair := tuple(e.Value)
		calls++
		if pair {
			pairs++
		}
		switch {
		case !pair || e.F == "write":
		case e.F == "cas" || e.F == "txn":
			if len(value) > 0 && value[0] == '[' && !list(key) {
				tuples++
			} else {
				plain++
			}
		case value == nil:
			tuples++
		}
	}
	if tuples > 0 && (tuples <= plain || 2*pairs <= calls) {
		r.note("not split by key: %d of %d calls have a pair, and %d of them look as [key value] does", pairs,
			calls, tuples)
		return false
	}
	return tuples > 0
}

// list reports whether the key of a pair is a collection itself.
func list(key string) bool { return key != "" && (key[0] == '[' || key[0] == '{') }

// tuple takes a pair apart. A key that is a word stays a word, any other becomes JSON; value is nil for null.
func tuple(raw json.RawMessage) (key string, value json.RawMessage, ok bool) {
	var parts []json.RawMessage
	if len(raw) == 0 || raw[0] != '[' || json.Unmarshal(raw, &parts) != nil || len(parts) != 2 {
		return "", nil, false
	}
	value = parts[1]
	if string(value) == "null" {
		value = nil
	}
	if json.Unmarshal(parts[0], &key) != nil {
		key = string(parts[0])
	}
	return key, value, true
}
