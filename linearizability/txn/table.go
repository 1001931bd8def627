package txn

import (
	"math"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/txn/internal/jsonvalue"
)

// Numbers in tables: a transaction, a key and a version are positions in slices of the table.
const (
	none      int32 = -1
	ambiguous int32 = -2 // as a writer: more than one transaction may have written the version
)

// maxTableEntries bounds the micro-operations, and the elements of lists, that one history may hold.
const maxTableEntries = math.MaxInt32 - 1

// function is what a micro-operation does.
type function uint8

const (
	read function = iota + 1
	appendTo
	write
)

var functionNames = [...]string{read: "r", appendTo: "append", write: "w"}

// microOp is one step of a transaction.
type microOp struct {
	f   function
	key int32
	// version is what a write wrote or a read of a register returned; none is the initial state.
	version int32
	// external is set for a read of a key that its transaction has not written before.
	external bool
	// list and length are the position in table.elements of what a read of a list returned.
	list, length int32
}

// transaction is one operation of the history.
type transaction struct {
	op         int32 // position in table.ops
	first, end int32 // positions in table.micro
	outcome    history.Type
	// committed is set for ok, and for an unknown outcome that an ok transaction observed.
	committed bool
}

// version is one value of one key.
type version struct {
	key  int32
	atom int64
	// writer is the transaction that wrote it, or none, or ambiguous.
	writer int32
	// at is the position in table.micro of the write, if writer is a transaction.
	at int32
	// intermediate is set if its writer wrote the key again.
	intermediate bool
}

// table is the whole history with keys, values and transactions as numbers.
type table struct {
	kind     Kind
	ops      []history.Operation
	txns     []transaction
	micro    []microOp
	elements []int32 // versions
	keys     []int64 // atoms
	versions []version

	atoms *jsonvalue.Atoms

	// unknownFunctions counts operations that are not transactions, by function.
	unknownFunctions map[string]int
	// repeated counts writes of a value that another transaction, or the same one, wrote as well.
	repeated      int
	firstRepeated int32
}

// steps returns the micro-operations of a transaction.
func (t *table) steps(txn int32) []microOp {
	return t.micro[t.txns[txn].first:t.txns[txn].end]
}

// versionsRead returns the versions that a read of a list returned.
func (t *table) versionsRead(m *microOp) []int32 { return t.elements[m.list : m.list+m.length] }

// committedWriter returns the committed transaction that wrote v, or none.
func (t *table) committedWriter(v int32) int32 {
	if w := t.versions[v].writer; w >= 0 && t.txns[w].committed {
		return w
	}
	return none
}

// aborted reports whether v was written only by transactions that failed.
func (t *table) aborted(v int32) bool {
	w := t.versions[v].writer
	return w >= 0 && t.txns[w].outcome == history.Fail
}

// commitObserved marks transactions with an unknown outcome as committed if an ok transaction read
// something that they wrote. From read-committed on, every model demands that.
func (t *table) commitObserved() {
	seen := func(v int32) {
		if v < 0 {
			return
		}
		if w := t.versions[v].writer; w >= 0 && t.txns[w].outcome == history.Info {
			t.txns[w].committed = true
		}
	}
	for i := range t.txns {
		if t.txns[i].outcome != history.OK {
			continue
		}
		for j := range t.steps(int32(i)) {
			m := &t.micro[int(t.txns[i].first)+j]
			if m.f != read {
				continue
			}
			if t.kind == RWRegister {
				seen(m.version)
			}
			for _, v := range t.versionsRead(m) {
				seen(v)
			}
		}
	}
}

// committedTransactions returns the committed transactions in their order.
func (t *table) committedTransactions() []int32 {
	list := make([]int32, 0, len(t.txns))
	for i := range t.txns {
		if t.txns[i].committed {
			list = append(list, int32(i))
		}
	}
	return list
}

// operation returns the operation of a transaction.
func (t *table) operation(txn int32) *history.Operation { return &t.ops[t.txns[txn].op] }

func (t *table) keyText(key int32) string { return t.atoms.Text(t.keys[key]) }

// valueText returns a version's value; none is the initial state.
func (t *table) valueText(v int32) string {
	if v == none {
		return "null"
	}
	return t.atoms.Text(t.versions[v].atom)
}
