package txn

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/txn/internal/jsonvalue"
)

// ErrTransaction reports an operation whose value is not a list of micro-operations of its model.
var ErrTransaction = errors.New("not a transaction")

// parser reads operations into a table.
type parser struct {
	*table
	keyOf     map[int64]int32
	versionOf map[versionName]int32
	// lastWrite is, for each key, the last transaction that wrote it and the version that it wrote.
	lastWrite []written
}

type written struct{ txn, version int32 }

type versionName struct {
	key  int32
	atom int64
}

func newParser(kind Kind, ops []history.Operation) *parser {
	t := &table{kind: kind, ops: ops, atoms: jsonvalue.NewAtoms(), txns: make([]transaction, 0, len(ops)),
		unknownFunctions: map[string]int{}}
	return &parser{table: t, keyOf: map[int64]int32{}, versionOf: make(map[versionName]int32, len(ops))}
}

func (t *parser) keyNumber(raw []byte) int32 {
	atom := t.atoms.Of(raw)
	key, ok := t.keyOf[atom]
	if !ok {
		key = int32(len(t.keys))
		t.keyOf[atom] = key
		t.keys = append(t.keys, atom)
		t.lastWrite = append(t.lastWrite, written{none, none})
	}
	return key
}

func (t *parser) versionNumber(key int32, raw []byte) int32 {
	name := versionName{key, t.atoms.Of(raw)}
	v, ok := t.versionOf[name]
	if !ok {
		v = int32(len(t.versions))
		t.versionOf[name] = v
		t.versions = append(t.versions, version{key: key, atom: name.atom, writer: none})
	}
	return v
}

// wrote records that the transaction number txn wrote v. A writer that failed gives way to any other.
func (t *parser) wrote(txn, v int32) {
	version, at := &t.versions[v], int32(len(t.micro))
	if last := t.lastWrite[version.key]; last.txn == txn {
		t.versions[last.version].intermediate = true
	}
	t.lastWrite[version.key] = written{txn, v}
	failed := t.txns[txn].outcome == history.Fail
	switch {
	case version.writer == none:
		version.writer, version.at = txn, at
	case failed && (version.writer == ambiguous || t.txns[version.writer].outcome != history.Fail):
	case failed:
	case version.writer != ambiguous && t.txns[version.writer].outcome == history.Fail:
		version.writer, version.at = txn, at
	default:
		if t.repeated++; t.repeated == 1 {
			t.firstRepeated = v
		}
		version.writer = ambiguous
	}
}

// parse reads all operations. Operations of other functions than txn are counted and left out.
func parse(kind Kind, ops []history.Operation) (*table, error) {
	t := newParser(kind, ops)
	for i := range ops {
		op := &ops[i]
		if op.Process < 0 {
			continue
		}
		if op.F != "" && op.F != Function {
			t.unknownFunctions[op.F]++
			continue
		}
		if err := t.addTransaction(int32(i), op); err != nil {
			return nil, fmt.Errorf("reading operation %d of process %d: %w", op.Index, op.Process, err)
		}
	}
	return t.table, nil
}

func (t *parser) addTransaction(position int32, op *history.Operation) error {
	if len(op.Input) == 0 && len(op.Output) == 0 {
		return fmt.Errorf("%w: it has no value; write a list of micro-operations, such as "+
			`[["r","x",null]]`, ErrTransaction)
	}
	value := op.Input
	if op.Outcome == history.OK {
		value = op.Output
		if absent(value) {
			return fmt.Errorf("%w: its ok event has no value; write what it read", ErrTransaction)
		}
	} else if absent(value) {
		value = op.Output
	}
	outcome := op.Outcome
	if outcome != history.OK && outcome != history.Fail {
		outcome = history.Info
	}
	t.txns = append(t.txns, transaction{op: position, first: int32(len(t.micro)), outcome: outcome,
		committed: outcome == history.OK})
	asked, err := split(op.Input)
	if err != nil {
		return err
	}
	parts, err := split(value)
	if err != nil {
		return err
	}
	if asked != nil && len(asked) != len(parts) {
		return fmt.Errorf("%w: invoked with %d micro-operations and completed with %d", ErrTransaction,
			len(asked), len(parts))
	}
	if len(t.micro)+len(parts) > maxTableEntries {
		return fmt.Errorf("%w: the history has more than %d micro-operations; check it in parts",
			ErrTransaction, maxTableEntries)
	}
	for i, part := range parts {
		if err := t.addMicroOp(part, outcome == history.OK); err != nil {
			return fmt.Errorf("micro-operation %d, %s: %w", i, shorten(string(part)), err)
		}
		if outcome == history.OK && asked != nil {
			if err := t.sameRequest(asked[i], part); err != nil {
				return fmt.Errorf("micro-operation %d: %w", i, err)
			}
		}
	}
	t.txns[len(t.txns)-1].end = int32(len(t.micro))
	return nil
}

func absent(value json.RawMessage) bool {
	return len(value) == 0 || string(bytes.TrimSpace(value)) == "null"
}

// split returns the elements of a list of micro-operations; nil if there is no value.
func split(value json.RawMessage) ([][]byte, error) {
	if absent(value) {
		return nil, nil
	}
	if !json.Valid(value) {
		return nil, fmt.Errorf("%w: %s is not JSON", ErrTransaction, shorten(string(value)))
	}
	return array(value)
}

// array returns the elements of valid JSON that must be an array.
func array(value []byte) ([][]byte, error) {
	value = bytes.TrimSpace(value)
	if value[0] != '[' {
		return nil, fmt.Errorf("%w: %s is not an array", ErrTransaction, shorten(string(value)))
	}
	parts := make([][]byte, 0, 4)
	err := jsonvalue.Elements(value, func(part []byte) error {
		parts = append(parts, part)
		return nil
	})
	return parts, err
}

func (t *parser) addMicroOp(raw []byte, ok bool) error {
	parts, err := array(raw)
	if err != nil {
		return err
	}
	if len(parts) == 2 && !ok {
		parts = append(parts, []byte("null"))
	}
	if len(parts) != 3 {
		return fmt.Errorf("%w: a micro-operation has three parts: function, key, value", ErrTransaction)
	}
	f, err := t.functionOf(parts[0])
	if err != nil {
		return err
	}
	m := microOp{f: f, key: t.keyNumber(parts[1]), version: none}
	txn := int32(len(t.txns) - 1)
	switch {
	case f != read:
		if f == write && string(parts[2]) == "null" {
			return fmt.Errorf("%w: null is the initial state of a register; write another value",
				ErrTransaction)
		}
		m.version = t.versionNumber(m.key, parts[2])
		t.wrote(txn, m.version)
	case !ok:
	case t.kind == ListAppend:
		if err := t.addList(&m, parts[2]); err != nil {
			return err
		}
	case string(parts[2]) != "null":
		m.version = t.versionNumber(m.key, parts[2])
	}
	t.micro = append(t.micro, m)
	return nil
}

// addList records what a read of a list returned. null is the empty list.
func (t *parser) addList(m *microOp, raw []byte) error {
	m.list = int32(len(t.elements))
	if string(raw) == "null" {
		return nil
	}
	if raw[0] != '[' {
		return fmt.Errorf("%w: a read of a list returns an array; for registers use model %s", ErrTransaction,
			RWRegister)
	}
	err := jsonvalue.Elements(raw, func(element []byte) error {
		if len(t.elements) == maxTableEntries {
			return fmt.Errorf("%w: the history has more than %d elements in lists; check it in parts",
				ErrTransaction, maxTableEntries)
		}
		t.elements = append(t.elements, t.versionNumber(m.key, element))
		return nil
	})
	m.length = int32(len(t.elements)) - m.list
	return err
}

func (t *table) functionOf(raw []byte) (function, error) {
	var name string
	if json.Unmarshal(raw, &name) != nil {
		return 0, fmt.Errorf("%w: %s is no function; use %s", ErrTransaction, shorten(string(raw)),
			t.kind.functionNames())
	}
	for f := read; f <= write; f++ {
		if name != functionNames[f] && name != ":"+functionNames[f] {
			continue
		}
		switch {
		case f == appendTo && t.kind == RWRegister:
			return 0, fmt.Errorf("%w: append belongs to model %s", ErrTransaction, ListAppend)
		case f == write && t.kind == ListAppend:
			return 0, fmt.Errorf("%w: w belongs to model %s", ErrTransaction, RWRegister)
		}
		return f, nil
	}
	return 0, fmt.Errorf("%w: function %q is not known; use %s", ErrTransaction, shorten(name),
		t.kind.functionNames())
}

// sameRequest compares a micro-operation of the invoke event with that of the ok event. What a read
// returned may differ, and nothing else.
func (t *parser) sameRequest(asked, done []byte) error {
	before, err := array(asked)
	if err != nil {
		return err
	}
	after, err := array(done)
	if err != nil {
		return err
	}
	mismatch := func() error {
		return fmt.Errorf("%w: invoked as %s and completed as %s", ErrTransaction, shorten(string(asked)),
			shorten(string(done)))
	}
	n := 3
	if t.micro[len(t.micro)-1].f == read {
		n = 2
	}
	if len(before) < n {
		return mismatch()
	}
	for i := range n {
		if !bytes.Equal(before[i], after[i]) &&
			!bytes.Equal(jsonvalue.Canonical(before[i]), jsonvalue.Canonical(after[i])) {
			return mismatch()
		}
	}
	return nil
}

// maxShown bounds the bytes of a value in a message.
const maxShown = 80

func shorten(text string) string {
	if len(text) <= maxShown {
		return text
	}
	end := maxShown
	for end > 0 && text[end]&0xc0 == 0x80 {
		end--
	}
	return fmt.Sprintf("%s… (%d bytes)", text[:end], len(text))
}
