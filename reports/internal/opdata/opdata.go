// Package opdata lays the operations of a run out in columns, which the script of a page draws, filters and
// lists. Texts that repeat are in lists, and the columns have their positions.
//
// Package opdata never leaves an operation out. Texts are cut, and once they exceed a limit in total the rest
// is counted.
package opdata

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/reports/internal/words"
)

// MaxTextBytes is how many bytes of keys, values and identifiers are kept. A page of that size still opens in
// seconds.
const MaxTextBytes = 24 << 20

// maxNumber is the largest whole number that a script represents exactly.
const maxNumber = 1 << 53

// Source is what a run knows of its operations beside the operations themselves.
type Source struct {
	// Client returns the client behind a process of the history.
	Client func(process int) int
	// Violation maps the index of an operation to the number of the violation that it is part of.
	Violation map[int64]int
	// LatencyLow and LatencyHigh are the ends of the axis of latencies.
	LatencyLow, LatencyHigh time.Duration
	// MaxTextBytes replaces the constant of that name; 0 keeps it.
	MaxTextBytes int
}

// Columns are operations in the order of their calls. Element i of each column belongs to operation i.
type Columns struct {
	source Source
	lists  map[string]*list
	ids    []string
	ints   []column
	room   int
	// LeftOut is how many texts are replaced by one that states that they are not on the page.
	LeftOut int
}

// column is a list of numbers with a name.
type column struct {
	name   string
	values []int64
}

// list are texts without repetition.
type list struct {
	texts []string
	index map[string]int64
}

// The columns, in the order in which they are written. call and index are differences to the element before.
const (
	callColumn = iota
	tookColumn
	indexColumn
	clientColumn
	violationColumn
	outcomeColumn
	functionColumn
	keyColumn
	nodeColumn
	errorColumn
	inputColumn
	outputColumn
	expectColumn
	revisionColumn
	modifiedColumn
)

var columnNames = []string{"call", "took", "index", "client", "violation", "outcome", "function", "key",
	"node", "error", "input", "output", "expect", "revision", "modified"}

// listNames are the lists of texts. Position 0 of each is the empty text.
var listNames = []string{"functions", "keys", "nodes", "errors", "values", "revisions"}

// neverAnswered stands in the column took for an operation that its client never gave up. Other negative
// numbers are -2 minus the time after which it gave up.
const neverAnswered = -1

// notOnPage replaces a text for which there is no room.
const notOnPage = "(not on this page)"

// New lays operations out.
func New(ops []history.Operation, source Source) *Columns {
	c := &Columns{source: source, lists: map[string]*list{}, room: source.MaxTextBytes,
		ids: make([]string, 0, len(ops))}
	if c.room == 0 {
		c.room = MaxTextBytes
	}
	for _, name := range listNames {
		c.lists[name] = &list{texts: []string{""}, index: map[string]int64{"": 0}}
	}
	for _, name := range columnNames {
		c.ints = append(c.ints, column{name, make([]int64, 0, len(ops))})
	}
	var call, index int64
	for i := range ops {
		c.add(&ops[i], call, index)
		call, index = ops[i].Call, ops[i].Index
	}
	return c
}

// add appends an operation that follows one with the given call time and index.
func (c *Columns) add(op *history.Operation, call, index int64) {
	put := func(column int, value int64) { c.ints[column].values = append(c.ints[column].values, value) }
	put(callColumn, op.Call-call)
	put(tookColumn, tookOf(op))
	put(indexColumn, op.Index-index)
	put(clientColumn, int64(c.source.Client(op.Process)))
	put(violationColumn, int64(c.source.Violation[op.Index]))
	put(outcomeColumn, outcomeOf(op.Outcome))
	short := func(list, text string) int64 {
		return c.intern(list, words.Shorten(words.Clean(text), words.MaxValueChars))
	}
	put(functionColumn, short("functions", op.F))
	put(keyColumn, short("keys", op.Key))
	put(nodeColumn, short("nodes", op.Node))
	put(errorColumn, short("errors", op.Error))
	put(inputColumn, c.intern("values", words.Value(op.Input)))
	put(outputColumn, c.intern("values", words.Value(op.Output)))
	expect := int64(0)
	if op.F == "cas" {
		expect = c.revision(op.Expect)
	}
	put(expectColumn, expect)
	put(revisionColumn, c.answered(op.Rev))
	put(modifiedColumn, c.answered(op.Mod))
	id := words.Shorten(words.Clean(op.ID), words.MaxValueChars)
	if !c.fits(id) {
		id = ""
	}
	c.ids = append(c.ids, id)
}

// outcomeOf numbers the outcomes: ok, failed, unknown.
func outcomeOf(t history.Type) int64 {
	switch t {
	case history.OK:
		return 0
	case history.Fail:
		return 1
	}
	return 2
}

func tookOf(op *history.Operation) int64 {
	switch {
	case op.Return != history.Never:
		return op.Return - op.Call
	case op.Ended != 0:
		return -2 - max(0, op.Ended-op.Call)
	}
	return neverAnswered
}

// answered is a revision as [Columns.revision] writes it, or 0 for none.
func (c *Columns) answered(rev uint64) int64 {
	if rev == 0 {
		return 0
	}
	return c.revision(rev)
}

// revision is a revision plus one. One that a script cannot represent is minus the position of its text.
func (c *Columns) revision(rev uint64) int64 {
	if rev < maxNumber-1 {
		return int64(rev) + 1
	}
	return -c.intern("revisions", strconv.FormatUint(rev, 10))
}

// intern returns the position of a text in a list.
func (c *Columns) intern(name, text string) int64 {
	l := c.lists[name]
	if at, ok := l.index[text]; ok {
		return at
	}
	if !c.fits(text) {
		text = notOnPage
		if at, ok := l.index[text]; ok {
			return at
		}
	}
	at := int64(len(l.texts))
	l.texts, l.index[text] = append(l.texts, text), at
	return at
}

// fits takes room for a text, or counts it as left out.
func (c *Columns) fits(text string) bool {
	if len(text) > c.room {
		c.LeftOut++
		return false
	}
	c.room -= len(text)
	return true
}

// AppendJSON appends the columns as one JSON object, one column a line. It contains no character that ends a
// script element of HTML.
func (c *Columns) AppendJSON(b []byte) ([]byte, error) {
	b = append(b, `{"count":`...)
	b = strconv.AppendInt(b, int64(len(c.ids)), 10)
	b = append(b, `,"latency":[`...)
	b = strconv.AppendInt(b, int64(c.source.LatencyLow), 10)
	b = strconv.AppendInt(append(b, ','), int64(c.source.LatencyHigh), 10)
	b = append(b, ']')
	texts := map[string][]string{"ids": c.ids}
	names := []string{"ids"}
	for _, name := range listNames {
		texts[name], names = c.lists[name].texts, append(names, name)
	}
	for _, name := range names {
		data, err := json.Marshal(texts[name])
		if err != nil {
			return nil, err
		}
		b = append(append(append(b, ",\n\""...), name...), `":`...)
		b = append(b, data...)
	}
	for i := range c.ints {
		b = append(append(append(b, ",\n\""...), c.ints[i].name...), `":[`...)
		for j, v := range c.ints[i].values {
			if j > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendInt(b, v, 10)
		}
		b = append(b, ']')
	}
	return append(b, "}\n"...), nil
}
