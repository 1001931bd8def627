package txn

// Anomaly names a way in which a history differs from one of transactions that ran one after the other.
// The names are those of Adya's thesis ("Weak Consistency", 1999) and of the Elle paper (VLDB 2020).
type Anomaly string

// Anomalies that need no cycle.
const (
	// G1a, an aborted read: a transaction read what a failed transaction wrote.
	G1a Anomaly = "G1a"
	// G1b, an intermediate read: a transaction read a version that its writer overwrote itself.
	G1b Anomaly = "G1b"
	// DirtyUpdate means that a transaction built on a version that a failed transaction wrote.
	DirtyUpdate Anomaly = "dirty-update"
	// GarbageRead means that a transaction read a value that no transaction wrote.
	GarbageRead Anomaly = "garbage-read"
	// DuplicateElements means that a read returned a list with an element twice.
	DuplicateElements Anomaly = "duplicate-elements"
	// IncompatibleOrder means that two reads of a list are no versions of one list, since none is a prefix of
	// the other, or that a list shows appends of one transaction in another order than it made them.
	IncompatibleOrder Anomaly = "incompatible-order"
	// CyclicVersions means that the versions of a register cannot be ordered. With a suffix, the order
	// of processes or of real time is part of the contradiction.
	CyclicVersions Anomaly = "cyclic-versions"
	// Internal means that a read contradicts an earlier read or write of its own transaction.
	Internal Anomaly = "internal"
	// FutureRead means that a transaction read what it wrote itself only later.
	FutureRead Anomaly = "future-read"
	// LostUpdate means that two transactions read the same version of a key and both wrote the key.
	LostUpdate Anomaly = "lost-update"
)

// Anomalies that are cycles of dependencies between values. Those with the suffixes -process and -realtime
// also need the order of one process, or of returns and calls.
const (
	// G0, a write cycle: all edges are ww.
	G0 Anomaly = "G0"
	// G1c, circular information flow: edges are ww and wr, at least one is wr.
	G1c Anomaly = "G1c"
	// GSingle, read skew: exactly one edge is rw.
	GSingle Anomaly = "G-single"
	// GNonadjacent: several edges are rw, and no two of them meet.
	GNonadjacent Anomaly = "G-nonadjacent"
	// G2Item, write skew on items: several edges are rw, and two of them meet.
	G2Item Anomaly = "G2-item"
)

// cycleClasses are the cycles from the strongest contradiction to the weakest: every consistency model that
// forbids one forbids those before it.
var cycleClasses = [...]Anomaly{G0, G1c, GSingle, GNonadjacent, G2Item}

// suffixes are those of anomalies by the order that they need besides that of values.
var suffixes = [...]string{"", "-process", "-realtime"}

var titles = map[Anomaly]string{
	G1a:               "a transaction read what an aborted transaction wrote",
	G1b:               "a transaction read a version that its writer overwrote",
	DirtyUpdate:       "a transaction built on a version that an aborted transaction wrote",
	GarbageRead:       "a transaction read a value that no transaction wrote",
	DuplicateElements: "a read returned an element twice",
	IncompatibleOrder: "reads show elements of a list in contradictory orders",
	CyclicVersions:    "the versions of a register cannot be ordered",
	Internal:          "a read contradicts its own transaction",
	FutureRead:        "a transaction read what it wrote only later",
	LostUpdate:        "two transactions read one version and both overwrote it",
	G0:                "a cycle of writes",
	G1c:               "circular information flow",
	GSingle:           "read skew: a cycle with one anti-dependency",
	GNonadjacent:      "a cycle whose anti-dependencies are not adjacent",
	G2Item:            "write skew: a cycle with adjacent anti-dependencies",
}

// suffixTitles are what the suffixes add to a title.
var suffixTitles = [...]string{"", ", with the order of a process", ", with the order in real time"}

// Title returns the anomaly in words.
func (a Anomaly) Title() string {
	for i := len(suffixes) - 1; i >= 0; i-- {
		if base, ok := cutSuffix(a, suffixes[i]); ok {
			return titles[base] + suffixTitles[i]
		}
	}
	return string(a)
}

func cutSuffix(a Anomaly, suffix string) (Anomaly, bool) {
	n := len(a) - len(suffix)
	if n < 0 || string(a[n:]) != suffix || titles[a[:n]] == "" {
		return "", false
	}
	return a[:n], true
}

// Anomalies lists every anomaly that [Check] can report, the strongest contradictions first.
func Anomalies() []Anomaly {
	list := []Anomaly{GarbageRead, DuplicateElements, CyclicVersions, IncompatibleOrder, G1a, G1b,
		DirtyUpdate, FutureRead, Internal, LostUpdate}
	for i, suffix := range suffixes {
		if i > 0 {
			list = append(list, CyclicVersions+Anomaly(suffix))
		}
		for _, class := range cycleClasses {
			list = append(list, class+Anomaly(suffix))
		}
	}
	return list
}
