package txn

import (
	"cmp"
	"slices"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/txn/internal/depgraph"
)

// addProcessOrder adds an edge between consecutive transactions of each process. A transaction with an
// unknown outcome may take effect later, so it precedes nothing.
func addProcessOrder(t *table, b *depgraph.Builder) {
	last := map[int]int32{}
	for i := range t.txns {
		if !t.txns[i].committed {
			continue
		}
		op := t.operation(int32(i))
		if before, ok := last[op.Process]; ok {
			b.Add(before, int32(i), depgraph.Process)
		}
		if t.txns[i].outcome == history.OK {
			last[op.Process] = int32(i)
		}
	}
}

// moment is a call or a return of a transaction.
type moment struct {
	time    int64
	returns bool
	txn     int32
}

// moments returns the calls of committed transactions and the returns of ok ones in the order of time.
// At equal times calls come first, because the transactions are then concurrent.
func moments(t *table, txns []int32) []moment {
	list := make([]moment, 0, 2*len(txns))
	for _, i := range txns {
		op := t.operation(i)
		list = append(list, moment{op.Call, false, i})
		if t.txns[i].outcome == history.OK && op.Return != history.Never {
			list = append(list, moment{op.Return, true, i})
		}
	}
	slices.SortFunc(list, func(a, b moment) int {
		if c := cmp.Compare(a.time, b.time); c != 0 {
			return c
		}
		if a.returns != b.returns {
			if b.returns {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.txn, b.txn)
	})
	return list
}

// addRealtime adds realtime edges through a chain of barriers. A barrier collects returns until the next
// call, which comes after it; each barrier comes after the previous one. The number of edges is
// linear, and every pair that did not overlap is connected.
//
// It reports whether the times tell any transactions apart.
func addRealtime(t *table, b *depgraph.Builder) bool {
	barrier, open := none, false
	list := moments(t, t.committedTransactions())
	for _, m := range list {
		if m.returns {
			if !open {
				previous := barrier
				barrier, open = b.Helper(), true
				if previous != none {
					b.Add(previous, barrier, depgraph.Pass)
				}
			}
			b.Add(m.txn, barrier, depgraph.Realtime)
			continue
		}
		open = false
		if barrier != none {
			b.Add(barrier, m.txn, depgraph.Pass)
		}
	}
	return len(list) == 0 || list[0].time != list[len(list)-1].time
}
