package linearizability

import (
	"context"
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/history/formats"
	"github.com/holdfast-sim/holdfast/linearizability/models"
)

// Model is a sequential specification; package models has those that come with the project.
type Model = models.Model

// History is what [Check] judges: the operations, and the system's own log.
type History struct {
	// Header is that of the recording; Check does not need it.
	Header history.Header
	// Ops are the operations, as [history.Operations] derives them.
	Ops []history.Operation
	// Witness is the system's own log, nil if there is none.
	Witness *Witness
	// AnyStart means that the operations begin in an unknown state, as in what [Minimize] returns.
	// It takes a model with Unknown.
	AnyStart bool
	// Import is how a file was read; nil for a history that comes from no file. Only [CheckFile] needs it.
	Import *formats.Import
}

// Method is how a verdict was reached.
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
	// Reason is why the validity is Unknown; otherwise it is empty.
	Reason     string      `json:"reason,omitempty"`
	Violations []Violation `json:"violations,omitempty"`
	Stats      Stats       `json:"stats"`

	context     []history.Operation // around the first violation
	annotations []Annotation
	notes       []string // further details for the verdict
	summary     string   // of the verdict, if the method has its own
}

// Stats counts what a check did.
type Stats struct {
	Operations int `json:"operations"`
	// Resolved counts unknown outcomes that the witness decided, Open those that nothing decided.
	Resolved int `json:"resolved"`
	Open     int `json:"open"`
	// Checked counts operations replayed or searched.
	Checked int `json:"checked"`
	// Rejudged counts violations and histories that porcupine judged a second time.
	Rejudged int `json:"rejudged,omitempty"`
	// Dropped counts violations beyond those listed.
	Dropped int           `json:"dropped,omitempty"`
	Elapsed time.Duration `json:"elapsedNs"`
}

// Checker judges one history after the other with the same model and options, and keeps its memory. It
// must not be used by two goroutines at once. Small histories are then judged without allocating more than
// the report.
type Checker struct {
	model *Model
	o     *options
	c     certificate
	found findings
}

// NewChecker returns a Checker for a model.
func NewChecker(m *Model, opts ...Option) *Checker {
	return &Checker{model: m, o: newOptions(opts)}
}

// Check judges a history. The error is for input that makes no sense or that the model cannot decode; a
// history that is wrong gives a report.
func Check(ctx context.Context, m *Model, h *History, opts ...Option) (*Report, error) {
	return NewChecker(m, opts...).Check(ctx, h)
}

// Check judges a history, as the function [Check] does.
func (k *Checker) Check(ctx context.Context, h *History) (*Report, error) {
	start := time.Now()
	report := &Report{Model: k.model.Name, Stats: Stats{Operations: len(h.Ops)}}
	k.found = findings{ops: h.Ops}
	if h.Witness != nil {
		for _, v := range h.Witness.bad {
			k.found.add(v)
		}
	}
	var err error
	var others foreignOperations
	decided := false
	if k.model.Revisioned && !h.AnyStart {
		decided, err = k.certify(ctx, h, report)
		others = k.c.others
	} else {
		others = foreignTo(k.model, h.Ops)
	}
	k.found.list = others.keepProvable(k.found.list)
	switch {
	case err != nil:
	case decided:
		err = k.arbitrate(ctx, report)
	case h.Witness != nil && h.Witness.internal:
		report.Reason = "the log has gaps, and the system also writes by itself, so a missing write may " +
			"be its own"
	default:
		known := *h
		known.Ops = others.before(k.model, h.Ops)
		err = report.search(ctx, k.model, &known, k.o, &k.found)
	}
	if err != nil {
		return nil, fmt.Errorf("checking with model %s: %w", k.model.Name, err)
	}
	k.conclude(report, &others)
	report.Stats.Elapsed = elapsed(start)
	return report, nil
}

// certify tries to decide by revisions. It returns false if operations stay open that a search must place.
func (k *Checker) certify(ctx context.Context, h *History, report *Report) (bool, error) {
	c := &k.c
	c.reset(k.model, h, &k.found)
	if err := c.resolution.resolve(); err != nil {
		return false, err
	}
	report.Stats.Resolved, report.Stats.Open = c.resolved, len(c.unknown)
	report.Method = ByCertificate
	if len(k.found.list) > 0 && len(c.gaps) > 0 {
		return true, nil
	}
	if c.ackedWithoutRev > 0 || len(c.gaps) > len(c.unknown) {
		return false, nil
	}
	filled := len(c.gaps) > 0
	if filled {
		if decided, err := k.fillGaps(ctx); !decided || err != nil || len(k.found.list) > 0 {
			return decided, err
		}
	}
	whole, err := c.run()
	if err != nil {
		return false, err
	}
	c.checkNodeReads()
	if whole {
		c.checkOutOfRange()
	}
	report.Stats.Checked = c.checked
	if c.undecided && len(k.found.list) == 0 {
		return false, nil
	}
	if filled && c.hasUnplaced {
		k.found.list = k.found.list[:0] // another owner of a gap might explain it
		return false, nil
	}
	if whole && len(k.found.list) == 0 {
		report.Validity = Valid
	}
	return true, nil
}

// conclude turns what was found into the report's verdict. Where our own methods contradict each other, and
// nothing else is wrong, nothing is proved.
func (k *Checker) conclude(report *Report, others *foreignOperations) {
	report.Violations, report.Stats.Dropped = k.found.list, k.found.dropped
	disputed := 0
	for i := range report.Violations {
		if report.Violations[i].Kind == CheckerDisagreement {
			disputed++
		}
	}
	switch {
	case len(report.Violations) == 0:
		switch {
		case others.total > 0:
			report.Validity = Unknown
			report.Reason = others.reason("model "+k.model.Name, len(k.found.ops))
		case report.Validity == Valid && report.Stats.Checked == 0:
			report.Validity, report.Reason = Unknown, whyNothingChecked(len(k.found.ops))
		}
		return
	case len(report.Violations) > 2*disputed || (disputed == 0):
		report.Validity, report.Reason = Invalid, ""
	default:
		report.Validity, report.Reason = Unknown, report.Violations[len(report.Violations)-1].Explain
	}
	report.annotations = k.o.annotations
	for i := range report.Violations {
		if v := &report.Violations[i]; v.picture != nil || i == len(report.Violations)-1 {
			report.context = contextOf(k.found.ops, v)
			break
		}
	}
}

// search lets porcupine decide.
func (report *Report) search(ctx context.Context, m *Model, h *History, o *options, found *findings) error {
	report.Method, report.Stats.Checked = BySearch, 0
	if h.AnyStart {
		if m.Unknown == nil {
			return fmt.Errorf("the history starts in an unknown state, which model %s does not have", m.Name)
		}
		m = fromAnything(m)
	}
	pieces := splitByKey(m, h.Ops)
	if !h.AnyStart { // the rules begin with the initial state
		if refuted, err := report.applyRules(ctx, m, pieces, o, found); refuted || err != nil {
			return err
		}
	}
	if err := decodePieces(m, pieces); err != nil {
		return err
	}
	searchAll(ctx, m, pieces, o)
	report.Validity = Valid
	for i := range pieces {
		p := &pieces[i]
		if len(p.ops) > 0 {
			report.Method = BySearch
			report.Stats.Checked += countOperations(p)
		}
		switch p.result {
		case Invalid:
			return report.addRefutation(ctx, m, originalOps(p), h.AnyStart, o, found)
		case Unknown:
			report.Validity = Unknown
			if p.reason != nil {
				report.Reason = p.reason.Error()
			}
		}
	}
	return nil
}

// addRefutation records operations that have no order, minimised. anyStart means that m starts from anything.
func (report *Report) addRefutation(ctx context.Context, m *Model, ops []history.Operation, anyStart bool,
	o *options, found *findings) error {
	if o.minimise {
		s := newMinimiser(ctx, m, o)
		s.anyStart = anyStart
		ops = s.minimise(ops)
		m, anyStart = s.m, s.anyStart
	}
	list, err := toPorcupine(m, ops)
	if err != nil {
		return err
	}
	v := Violation{Kind: NotLinearizable, Ops: ops, Explain: explainSteps(m, ops, anyStart),
		picture: &picture{model: m.Model, ops: list}}
	found.add(v)
	if o.arbiter == ArbiterNever {
		return nil
	}
	b := &budget{ctx: ctx, memory: o.memory}
	report.Stats.Rejudged++
	if result, _ := b.search(&m.Model, list, arbiterSteps); result == Valid {
		found.add(Violation{Kind: CheckerDisagreement, Ops: ops, Explain: fmt.Sprintf(
			"the search finds no order (%s), but porcupine finds one", v.Explain)})
	}
	return nil
}

func originalOps(p *piece) []history.Operation {
	ops := make([]history.Operation, 0, len(p.ops))
	for i := range p.ops {
		if p.startsOperation(i) {
			ops = append(ops, *p.ops[i].Metadata.(*history.Operation))
		}
	}
	sortByCall(ops)
	return ops
}

// startsOperation reports whether call i is the first that its operation stands for.
func (p *piece) startsOperation(i int) bool {
	return i == 0 || p.ops[i].Metadata != p.ops[i-1].Metadata
}

// countOperations counts the operations in a piece.
func countOperations(p *piece) int {
	n := 0
	for i := range p.ops {
		if p.startsOperation(i) {
			n++
		}
	}
	return n
}

// Verdict turns the report into the project's common form.
func (r *Report) Verdict() Verdict {
	v := Verdict{Checker: r.Model, Validity: r.Validity, Violations: r.Violations}
	switch r.Validity {
	case Valid:
		v.Summary = fmt.Sprintf("%d operations linearizable (%s)", r.Stats.Checked, r.Method)
	case Invalid:
		first := r.Violations[0]
		v.Summary = fmt.Sprintf("%s: %s", first.Kind.Title(), first.Explain)
		v.Evidence = first.Ops
	default:
		v.Summary = undecided + r.Reason
	}
	if r.summary != "" {
		v.Summary = r.summary
	}
	v.Details = append(v.Details, fmt.Sprintf("%d operations, %d checked by %s", r.Stats.Operations,
		r.Stats.Checked, r.Method))
	v.Details = append(v.Details, r.notes...)
	if r.Stats.Resolved+r.Stats.Open > 0 {
		v.Details = append(v.Details,
			fmt.Sprintf("unknown outcomes: %d resolved from the witness, %d left open", r.Stats.Resolved,
				r.Stats.Open))
	}
	if more := len(r.Violations) + r.Stats.Dropped - 1; more > 0 {
		v.Details = append(v.Details, fmt.Sprintf("%d more violations", more))
	}
	return v
}
