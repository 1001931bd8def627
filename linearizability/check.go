package linearizability

import (
	"context"
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/models"
)

// Model is a sequential specification; package models has those that come with the project.
type Model = models.Model

// History is what [Check] judges: the operations, and what the system says about itself.
type History struct {
	// Header is that of the recording; Check does not need it.
	Header history.Header
	// Ops are the operations, as [history.Operations] derives them.
	Ops []history.Operation
	// Witness is the system's own log, nil if there is none.
	Witness *Witness
}

// Method says how a verdict was reached.
type Method string

const (
	// ByCertificate means that an order taken from revisions was replayed and compared with real time.
	ByCertificate Method = "certificate"
	// BySearch means that porcupine searched for an order.
	BySearch Method = "search"
)

// Report is what [Check] found.
type Report struct {
	Model    string   `json:"model"`
	Validity Validity `json:"validity"`
	Method   Method   `json:"method"`
	// Reason says why the validity is Unknown, or is empty.
	Reason     string      `json:"reason,omitempty"`
	Violations []Violation `json:"violations,omitempty"`
	Stats      Stats       `json:"stats"`
}

// Stats counts what a check did.
type Stats struct {
	Operations int `json:"operations"`
	// Resolved counts unknown outcomes that the witness decided, Open those that nothing decided.
	Resolved int `json:"resolved"`
	Open     int `json:"open"`
	// Checked counts operations replayed or searched.
	Checked int `json:"checked"`
	// Dropped counts violations beyond those listed.
	Dropped int           `json:"dropped,omitempty"`
	Elapsed time.Duration `json:"elapsedNs"`
}

// Check judges a history. The error is for input that makes no sense or that the model cannot decode; a
// history that is wrong gives a report.
func Check(ctx context.Context, m *Model, h *History, opts ...Option) (*Report, error) {
	start := time.Now()
	o := newOptions(opts)
	report := &Report{Model: m.Name, Stats: Stats{Operations: len(h.Ops)}}
	found := &findings{}
	if h.Witness != nil {
		for _, v := range h.Witness.bad {
			found.add(v)
		}
	}
	var err error
	decided := false
	if m.Revisioned {
		decided, err = certify(m, h, report, found)
	}
	if err == nil && !decided {
		err = report.search(ctx, m, h, o, found)
	}
	if err != nil {
		return nil, fmt.Errorf("checking with model %s: %w", m.Name, err)
	}
	report.Violations, report.Stats.Dropped = found.list, found.dropped
	if len(found.list) > 0 {
		report.Validity, report.Reason = Invalid, ""
	}
	report.Stats.Elapsed = elapsed(start)
	return report, nil
}

// certify tries to decide by revisions. It returns false if operations stay open that a search must place.
func certify(m *Model, h *History, report *Report, found *findings) (bool, error) {
	r := newResolution(m, h, found)
	if err := r.run(); err != nil {
		return false, err
	}
	for i := range h.Ops {
		if h.Ops[i].Outcome == history.Info && r.place[i].rev != 0 {
			report.Stats.Resolved++
		}
	}
	report.Stats.Open = len(r.unknown)
	report.Method = ByCertificate
	if len(r.gaps) > 0 {
		return len(found.list) > 0, nil
	}
	c := &certificate{resolution: r}
	whole, err := c.run()
	if err != nil {
		return false, err
	}
	c.judgeNodes()
	if whole {
		c.judgeStrays()
	}
	report.Stats.Checked = c.checked
	if whole && len(found.list) == 0 {
		report.Validity = Valid
	}
	return true, nil
}

// search lets porcupine decide.
func (report *Report) search(ctx context.Context, m *Model, h *History, o *options, found *findings) error {
	report.Method = BySearch
	pieces, err := splitByKey(m, h.Ops)
	if err != nil {
		return err
	}
	searchAll(ctx, m, pieces, o)
	report.Validity = Valid
	for i := range pieces {
		p := &pieces[i]
		report.Stats.Checked += len(p.ops)
		switch p.result {
		case Invalid:
			found.add(Violation{Kind: NotLinearizable, Ops: originals(p), Explain: fmt.Sprintf(
				"no order of these %d operations explains their answers", len(p.ops))})
			return nil
		case Unknown:
			report.Validity = Unknown
			if p.reason != nil {
				report.Reason = p.reason.Error()
			}
		}
	}
	return nil
}

func originals(p *piece) []history.Operation {
	ops := make([]history.Operation, 0, len(p.ops))
	for i := range p.ops {
		ops = append(ops, *p.ops[i].Metadata.(*history.Operation))
	}
	sortByCall(ops)
	return ops
}

// Verdict turns the report into the project's common form.
func (r *Report) Verdict() Verdict {
	v := Verdict{Checker: r.Model, Validity: r.Validity, Violations: r.Violations}
	switch r.Validity {
	case Valid:
		v.Summary = fmt.Sprintf("%d operations are linearizable (by %s)", r.Stats.Operations, r.Method)
	case Invalid:
		first := r.Violations[0]
		v.Summary = fmt.Sprintf("%s: %s", first.Kind.Title(), first.Explain)
		v.Evidence = first.Ops
	default:
		v.Summary = "not decided: " + r.Reason
	}
	v.Details = append(v.Details, fmt.Sprintf("%d operations, %d checked by %s in %v", r.Stats.Operations,
		r.Stats.Checked, r.Method, r.Stats.Elapsed))
	if r.Stats.Resolved+r.Stats.Open > 0 {
		v.Details = append(v.Details, fmt.Sprintf("unknown outcomes: %d resolved from the witness, %d left open",
			r.Stats.Resolved, r.Stats.Open))
	}
	if more := len(r.Violations) + r.Stats.Dropped - 1; more > 0 {
		v.Details = append(v.Details, fmt.Sprintf("%d more violations", more))
	}
	return v
}
