package models

import (
	"fmt"
	"strings"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/internal/order"
	"github.com/holdfast-sim/holdfast/linearizability/internal/prose"
)

// explainer describes the findings of package order.
type explainer struct {
	ops     []history.Operation
	element func(number int32) string
	isQueue bool
}

// spanOf returns the interval of an operation.
func spanOf(ops []history.Operation, i int) order.Span {
	return order.Span{Op: i, Call: ops[i].Call, Return: ops[i].Return}
}

func (n *explainer) decision(findings []order.Finding, exact bool) Decision {
	d := Decision{Exact: exact}
	for i := range findings {
		d.Findings = append(d.Findings, n.describe(&findings[i]))
	}
	return d
}

// fromStart stands for the initial state in the positions of a finding.
const fromStart = -1

func (n *explainer) name(i int) string {
	if i == fromStart {
		return "the initial state"
	}
	return nameWithKey(&n.ops[i])
}

func (n *explainer) called(i int) string {
	if i == fromStart {
		return "the start"
	}
	return prose.Seconds(n.ops[i].Call)
}

func (n *explainer) returned(i int) string {
	if i == fromStart {
		return "the start"
	}
	return prose.Seconds(n.ops[i].Return)
}

func (n *explainer) answer(i int) string { return prose.Shorten(string(n.ops[i].Output)) }

func (n *explainer) describe(f *order.Finding) Finding {
	out := Finding{Kind: kindImpossible}
	for _, op := range f.Ops { // one operation can take several values
		if op != fromStart && (len(out.Ops) == 0 || out.Ops[len(out.Ops)-1] != op) {
			out.Ops = append(out.Ops, op)
		}
	}
	first, last := f.Ops[0], f.Ops[len(f.Ops)-1]
	called, returned := n.called(last), n.returned(first)
	switch f.Reason {
	case order.Low, order.High:
		out.Explain = fmt.Sprintf("%s returned %s between %s and %s, when only values from %d to %d were "+
			"possible", n.name(first), n.answer(first), n.called(first), returned, f.Least, f.Most)
	case order.Between:
		out.Explain = n.between(f)
	case order.Apart:
		out.Kind = kindNotLinearizable
		out.Explain = fmt.Sprintf("%s returned %s and %s did not, although it returned something else "+
			"that the other lacks; neither of them can be first", n.name(first), n.element(f.Element),
			n.name(last))
	case order.Gone:
		out.Kind = kindStale
		out.Explain = fmt.Sprintf("%s had returned %s at %s; %s, called at %s, returned %s, which is older",
			n.name(first), n.answer(first), returned, n.name(last), called, n.answer(last))
	case order.Missing:
		out.Kind = kindLost
		out.Explain = fmt.Sprintf("%s of %s had returned at %s; %s, called at %s, does not have it",
			n.name(first), n.element(f.Element), returned, n.name(last), called)
		if first == last {
			out.Explain = fmt.Sprintf("%s lacks %s, which was there from the start", n.name(first),
				n.element(f.Element))
		}
	default:
		n.describeElement(f, &out)
	}
	return out
}

// describeElement describes what is wrong with one element.
func (n *explainer) describeElement(f *order.Finding, out *Finding) {
	first, last := f.Ops[0], f.Ops[len(f.Ops)-1]
	returned := n.returned(first)
	switch f.Reason {
	case order.Unwritten:
		out.Kind = kindUnwritten
		out.Explain = fmt.Sprintf("%s returned %s at %s, which no operation of the history had put there",
			n.name(first), n.element(f.Element), returned)
	case order.Early:
		out.Kind = kindFuture
		out.Explain = fmt.Sprintf("%s returned %s at %s; %s, the first to put it there, was called at %s",
			n.name(first), n.element(f.Element), returned, n.name(last), n.called(last))
	case order.Twice:
		out.Explain = fmt.Sprintf("%s returned %s twice", n.name(first), n.element(f.Element))
		if n.isQueue {
			out.Kind = kindTakenTwice
		}
		if first != last {
			out.Explain = fmt.Sprintf("%s and %s both took %s, more often than it was put there",
				n.name(first), n.name(last), n.element(f.Element))
		}
	case order.Overtaken:
		out.Kind = kindNotLinearizable
		out.Explain = n.overtaken(f)
	case order.NotEmpty:
		out.Kind = kindLost
		out.Explain = fmt.Sprintf("%s found the queue empty between %s and %s, but it held something at "+
			"every instant in between, last that of %s", n.name(first), n.called(first), returned,
			n.name(last))
	}
}

func (n *explainer) overtaken(f *order.Finding) string {
	text := fmt.Sprintf("%s returned at %s, before %s was called at %s; but ", n.name(f.Ops[0]),
		n.returned(f.Ops[0]), n.name(f.Ops[1]), n.called(f.Ops[1]))
	third := n.name(f.Ops[2])
	switch {
	case !n.isQueue:
		return text + third + " has the second and lacks the first"
	case len(f.Ops) == 3:
		return text + third + " took the second while the first was in front of it"
	}
	return text + fmt.Sprintf("%s took the second and returned at %s, before %s was called at %s and took "+
		"the first", third, n.returned(f.Ops[2]), n.name(f.Ops[3]), n.called(f.Ops[3]))
}

// between describes two reads of a counter with more adds between them than their values differ.
func (n *explainer) between(f *order.Finding) string {
	a, b := f.Ops[0], f.Ops[1]
	adds := make([]string, 0, len(f.Ops))
	for _, op := range f.Ops[2:] {
		adds = append(adds, n.name(op))
	}
	return fmt.Sprintf("%s had returned %s at %s and %s, called at %s, returned %s: that is %d adds, "+
		"but at least %d took effect between them, such as %s", n.name(a), n.answer(a), n.returned(a),
		n.name(b), n.called(b), n.answer(b), f.Most, f.Least, strings.Join(adds, ", "))
}
