package models

import (
	"encoding/json"
	"fmt"

	"github.com/anishathalye/porcupine"

	"github.com/holdfast-sim/holdfast/linearizability/history"
)

func init() { constructors["versioned-kv"] = VersionedKV }

// VersionedKV is the model of independent keys, each with a value and the version that last changed it.
//
// write and delete always succeed; cas succeeds if the key's version equals the Mod of its invoke event
// (0: absent). A mutation is answered with its version in Mod, or in Rev if Mod is 0, or in neither;
// versions of one key rise but need not be consecutive. A read returns value and version (Mod 0: absent,
// or versions are not reported if there is a value). After a mutation with an unknown version, the first
// answer that names it fixes it; until then a refused cas is not questioned. There is no initial state
// other than nothing.
func VersionedKV(initial json.RawMessage) (*Model, error) {
	if len(initial) > 0 && string(initial) != "null" {
		return nil, fmt.Errorf("%w: versioned-kv starts empty; use the store model for an initial state",
			ErrOperation)
	}
	return &Model{
		Name:      "versioned-kv",
		Purpose:   "values with versions, one per key, absent at first",
		Keyed:     true,
		Blind:     true,
		Functions: versionedFunctions,
		Role:      versionedRole,
		Decode:    decodeStore,
		Values:    &Values{Of: versionedValues},

		Without: withoutVersioned,
		Unknown: func() any { return versionedState{any: true} },
		Model: porcupine.Model{
			Init:              func() any { return versionedState{known: true} },
			Step:              stepVersioned,
			Hash:              func(state any) uint64 { return state.(versionedState).hash() },
			DescribeOperation: describeStoreCall,
			DescribeState:     func(state any) string { return state.(versionedState).String() },
		},
	}, nil
}

var versionedFunctions = []Function{
	{Name: FRead, Answer: "value, with its version in mod (0: absent)"},
	{Name: FWrite, Value: "value"},
	{Name: FCAS, Value: "new value, with the expected version in mod"},
	{Name: FDelete},
	{Name: FReadLocal, Unjudged: true},
}

// versionedValues returns what an operation writes and what a read found. Nothing is said of no content,
// which reads of absent keys return as well.
func versionedValues(op *history.Operation) (written, found []string) {
	switch fn, local := storeFunction(op.F); {
	case local:
	case fn == fWrite || fn == fCAS:
		return []string{contentOf(op.Input)}, nil
	case fn == fRead && valueDigest(op.Output) != digest{}:
		return nil, []string{contentOf(op.Output)}
	}
	return nil, nil
}

// contentOf returns a text that is equal for equal contents, as [valueDigest] is.
func contentOf(value json.RawMessage) string {
	switch {
	case valueDigest(value) == digest{}:
		return ""
	case value[0] == '"':
		return "\"" + textOf(value) + "\""
	}
	return string(value)
}

// versionedState is the state of one key.
type versionedState struct {
	value   digest
	shown   string // the value for people, cut
	any     bool   // nothing is known, and nothing else here holds
	present bool
	known   bool   // version is what it is, not only a lower bound
	version uint64 // also the floor for the next version, when absent
}

func (s versionedState) hash() uint64 {
	return s.value.mix(s.version).mix(uint64(len(s.shown))).lo
}

func (s versionedState) String() string {
	switch {
	case s.any:
		return "anything"
	case !s.present:
		return "absent"
	case !s.known:
		return fmt.Sprintf("%s at a version above %d", s.shown, s.version)
	}
	return fmt.Sprintf("%s at %d", s.shown, s.version)
}

func versionedRole(op *history.Operation) Role {
	fn, local := storeFunction(op.F)
	switch {
	case local:
		return Ignored
	case op.Outcome == history.Fail:
		mismatch := op.Error == "" || op.Error == CodeMismatch || refusalOf(op.Error) == refusedMismatch
		if fn == fCAS && mismatch {
			return Observation
		}
		return Ignored
	case fn == fWrite || fn == fCAS || fn == fDelete:
		return Mutation
	case fn == fRead && op.Outcome == history.OK:
		return Observation
	}
	return Ignored
}

func stepVersioned(state, _, output any) (bool, any) {
	s, c := state.(versionedState), output.(*StoreCall)
	if s.any {
		return stepAnyVersion(c)
	}
	switch c.fn {
	case fRead:
		return s.read(c)
	case fCAS:
		return s.compareAndSet(c)
	}
	next, ok := s.afterMutation(c)
	return ok, next
}

// stepAnyVersion steps from a key about which nothing is known.
func stepAnyVersion(c *StoreCall) (bool, any) {
	after := versionedState{}
	switch {
	case c.fn == fRead:
		after = versionedState{value: c.value, shown: shorten(c.content), version: c.mod, known: c.mod != 0}
		after.present = c.mod != 0 || c.value != digest{}
		if !after.present {
			return true, versionedState{any: true} // absent, with an unknown floor
		}
		return true, after
	case c.outcome == history.OK || c.fn != fCAS:
		next, ok := after.afterMutation(c)
		return ok, next
	}
	return true, versionedState{any: true}
}

// withVersion returns the state with its version fixed, or false if it cannot be that.
func (s versionedState) withVersion(version uint64) (versionedState, bool) {
	if s.known {
		return s, s.version == version
	}
	ok := version > s.version
	s.version, s.known = version, true
	return s, ok
}

func (s versionedState) read(c *StoreCall) (bool, any) {
	if !s.present {
		return c.mod == 0 && c.value == digest{}, s
	}
	if c.value != s.value {
		return false, s
	}
	if c.mod == 0 {
		return c.value != digest{}, s
	}
	next, ok := s.withVersion(c.mod)
	return ok, next
}

func (s versionedState) compareAndSet(c *StoreCall) (bool, any) {
	version := s.version
	if !s.present {
		version = 0
	}
	before, hit := s, version == c.expect
	if s.present && !s.known {
		if c.outcome == history.Fail {
			return true, s
		}
		before, hit = s.withVersion(c.expect)
	}
	switch {
	case c.outcome == history.Fail:
		return !hit && (c.mod == 0 || c.mod == version), s
	case hit:
		next, ok := before.afterMutation(c)
		return ok, next
	}
	return c.outcome == history.Info, s
}

// afterMutation returns the state after a mutation that succeeds.
func (s versionedState) afterMutation(c *StoreCall) (versionedState, bool) {
	version := c.mod
	if version == 0 {
		version = c.rev
	}
	if c.outcome == history.Info || version == 0 {
		s.known = false
	} else {
		if version <= s.version {
			return s, false
		}
		s.version, s.known = version, true
	}
	s.present = c.fn != fDelete
	s.value, s.shown = c.value, shorten(c.content)
	if !s.present {
		s.value, s.shown = digest{}, ""
	}
	return s, true
}

// versionOf returns the version that an acknowledged mutation was answered with, 0 if none.
func versionOf(op *history.Operation) uint64 {
	if op.Outcome != history.OK {
		return 0
	}
	if op.Mod != 0 {
		return op.Mod
	}
	return op.Rev
}

// withoutVersioned is withoutRegister for values with versions: no remaining operation may read the value
// or the version, or expect the version, or expect any version if that of the mutation is not known.
func withoutVersioned(ops []history.Operation, i int) ([]history.Operation, bool) {
	target := &ops[i]
	version, written := versionOf(target), valueDigest(target.Input)
	rest := make([]history.Operation, 0, len(ops)-1)
	for j := range ops {
		if j == i {
			continue
		}
		op := &ops[j]
		rest = append(rest, *op)
		if op.Key != target.Key {
			continue
		}
		switch op.F {
		case FCAS:
			if op.Outcome == history.Fail || version == 0 || op.Expect == version ||
				(op.Expect == 0 && target.F == FDelete) {
				return nil, false
			}
		case FRead:
			absent := op.Mod == 0 && valueDigest(op.Output) == digest{}
			if (version != 0 && op.Mod == version) || (target.F == FDelete && absent) ||
				(target.F != FDelete && !absent && valueDigest(op.Output) == written) {
				return nil, false
			}
		}
	}
	return rest, true
}
