package linearizability

import (
	"errors"
	"fmt"
	"html"
	"io"
	"sort"

	"github.com/anishathalye/porcupine"

	"github.com/holdfast-sim/holdfast/linearizability/history"
)

// maxContext bounds the operations that a picture shows beside those that prove the violation.
const maxContext = 200

// ErrNothingToShow reports a report without a violation.
var ErrNothingToShow = errors.New("the report has no violation to show")

// picture is what porcupine's page shows.
type picture struct {
	model porcupine.Model
	ops   []porcupine.Operation
}

func operationOf(op *porcupine.Operation) *history.Operation {
	original, _ := op.Metadata.(*history.Operation)
	return original
}

// longestOrder returns the longest legal beginning that porcupine finds for ops, and the state after it.
func longestOrder(m *Model, ops []history.Operation) ([]*history.Operation, string) {
	list, err := toPorcupine(m, ops)
	if err != nil || m.DescribeState == nil {
		return nil, ""
	}
	guarded := m.Model
	guarded.Partition = nil
	_, info := porcupine.CheckOperationsVerbose(guarded, list, arbiterTimeout)
	var best []porcupine.Operation
	for _, partial := range info.PartialLinearizationsOperations()[0] {
		if len(partial) > len(best) || (len(partial) == len(best) && callsBefore(partial, best)) {
			best = partial
		}
	}
	state := m.Init()
	longest := make([]*history.Operation, 0, len(best))
	for i := range best {
		_, state = m.Step(state, best[i].Input, best[i].Output)
		longest = append(longest, operationOf(&best[i]))
	}
	return longest, m.DescribeState(state)
}

// callsBefore orders partial orders of one length, so that the choice does not depend on a map.
func callsBefore(a, b []porcupine.Operation) bool {
	for i := range a {
		if a[i].Call != b[i].Call {
			return a[i].Call < b[i].Call
		}
	}
	return false
}

// contextOf picks operations that overlap a violation, without those that are part of it.
func contextOf(ops []history.Operation, v *Violation) []history.Operation {
	if len(v.Ops) == 0 {
		return nil
	}
	from, to := v.Ops[0].Call, v.Ops[0].Call
	part := make(map[int64]bool)
	for i := range v.Ops {
		part[v.Ops[i].Index] = true
		from, to = min(from, v.Ops[i].Call), max(to, v.Ops[i].Call)
		if v.Ops[i].Return != history.Never {
			to = max(to, v.Ops[i].Return)
		}
	}
	var near []history.Operation
	for i := range ops {
		if ops[i].Call <= to && ops[i].Return >= from && !part[ops[i].Index] {
			if near = append(near, ops[i]); len(near) == maxContext {
				break
			}
		}
	}
	return near
}

// WriteHTML writes porcupine's page of the first violation that it can show: the operations that prove it,
// operations around them in grey, and the annotations given to [Check]. A violation that is a statement about
// the log alone is written as text.
func (r *Report) WriteHTML(w io.Writer) error {
	if len(r.Violations) == 0 {
		return ErrNothingToShow
	}
	shown := 0
	for i := range r.Violations {
		if r.Violations[i].picture != nil {
			shown = i
			break
		}
	}
	v := &r.Violations[shown]
	if v.picture == nil {
		return r.writeText(w)
	}
	rows := newRows(v, r.context)
	ops := make([]porcupine.Operation, len(v.picture.ops))
	for i, op := range v.picture.ops {
		op.ClientId, op.Metadata = rows.rowOf(operationOf(&op).Process), nil
		ops[i] = op
	}
	_, info := porcupine.CheckOperationsVerbose(v.picture.model, ops, arbiterTimeout)
	info.AddAnnotations(append(rows.contextAnnotations(r.context), r.marks(v)...))
	if err := porcupine.Visualize(v.picture.model, info, w); err != nil {
		return fmt.Errorf("writing the picture of a violation: %w", err)
	}
	return nil
}

// rows gives every process of a picture a small number, in the order of process numbers.
type rows map[int]int

func newRows(v *Violation, context []history.Operation) rows {
	var processes []int
	for i := range v.Ops {
		processes = append(processes, v.Ops[i].Process)
	}
	for i := range context {
		processes = append(processes, context[i].Process)
	}
	sort.Ints(processes)
	r := make(rows)
	for _, p := range processes {
		if _, ok := r[p]; !ok {
			r[p] = len(r)
		}
	}
	return r
}

func (r rows) rowOf(process int) int { return r[process] }

// contextAnnotations shows the context as annotations, so that it costs no search.
func (r rows) contextAnnotations(context []history.Operation) []porcupine.Annotation {
	notes := make([]porcupine.Annotation, 0, len(context))
	for i := range context {
		op := &context[i]
		end := op.Return
		if end == history.Never {
			end = max(op.Ended, op.Call)
		}
		notes = append(notes, porcupine.Annotation{ClientId: r.rowOf(op.Process), Start: op.Call, End: end,
			Description: opName(op), Details: describe(op), TextColor: "#444444", BackgroundColor: "#e4e4e4"})
	}
	return notes
}

// marks are the faults of the run and the explanation itself.
func (r *Report) marks(v *Violation) []porcupine.Annotation {
	var notes []porcupine.Annotation
	for _, a := range r.annotations {
		notes = append(notes, porcupine.Annotation{Tag: a.Tag, Start: a.Start, End: a.End,
			Description: a.Text, Details: a.Details, BackgroundColor: "#ffd9b3"})
	}
	if len(v.Ops) > 0 {
		last := v.Ops[len(v.Ops)-1]
		notes = append(notes, porcupine.Annotation{Tag: "verdict", Start: last.Call, End: last.Call,
			Description: v.Kind.Title(), Details: v.Explain, BackgroundColor: "#ffb3b3"})
	}
	return notes
}

func (r *Report) writeText(w io.Writer) error {
	_, err := fmt.Fprintf(w, "<!doctype html><meta charset=utf-8><title>%s</title><h1>%s</h1><ul>",
		html.EscapeString(r.Model), html.EscapeString(r.Violations[0].Kind.Title()))
	for i := range r.Violations {
		if err == nil {
			_, err = fmt.Fprintf(w, "<li>%s: %s", html.EscapeString(r.Violations[i].Kind.Title()),
				html.EscapeString(r.Violations[i].Explain))
		}
	}
	if err == nil {
		_, err = fmt.Fprint(w, "</ul>\n")
	}
	if err != nil {
		return fmt.Errorf("writing the violations: %w", err)
	}
	return nil
}
