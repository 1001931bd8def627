package linearizability

import (
	"context"
	"fmt"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/models"
)

// ByRules means that rules of the model decided without a search, such as that a value read must have been
// written.
const ByRules Method = "rules"

// applyRules lets the model judge every piece without a search. It returns true if a piece is invalid. Pieces
// that the rules prove to be valid need no search.
func (report *Report) applyRules(ctx context.Context, m *Model, pieces []piece, o *options,
	found *findings) (refuted bool, err error) {
	for k := range pieces {
		p := &pieces[k]
		d, err := rulesFor(m, p.part)
		if err != nil {
			return false, err
		}
		for _, f := range d.Findings {
			v := Violation{Kind: Kind(f.Kind), Explain: f.Explain}
			for _, i := range f.Ops {
				v.Ops = append(v.Ops, p.part[i])
			}
			sortByCall(v.Ops)
			if list, err := toPorcupine(m, v.Ops); err == nil {
				v.picture = &picture{model: m.Model, ops: list}
			}
			found.add(v)
		}
		switch {
		case len(d.Findings) > 0:
			p.result, refuted = Invalid, true
		case d.Exact:
			p.result = Valid
		default:
			continue
		}
		report.Method = ByRules
		report.Stats.Checked += countJudged(m, p.part)
		if err := report.recheckPiece(ctx, m, p, o, found); err != nil {
			return false, err
		}
	}
	return refuted, nil
}

// rulesFor applies the rules of a model to one part of a history.
func rulesFor(m *Model, part []history.Operation) (models.Decision, error) {
	if m.Values != nil {
		if f := m.Values.Check(part); len(f) > 0 {
			return models.Decision{Findings: f}, nil
		}
	}
	if m.Decide != nil {
		return m.Decide(part)
	}
	return models.Decision{}, nil
}

// countJudged counts the operations that constrain the order.
func countJudged(m *Model, ops []history.Operation) int {
	n := 0
	for i := range ops {
		if role := m.Role(&ops[i]); role != models.Ignored && role != models.LocalObservation {
			n++
		}
	}
	return n
}

// recheckPiece lets porcupine judge a small piece again that rules have decided: every invalid one, and a
// sample of the valid ones.
func (report *Report) recheckPiece(ctx context.Context, m *Model, p *piece, o *options,
	found *findings) error {
	steps := arbiterSteps
	switch {
	case o.arbiter == ArbiterNever || len(p.part) > sampleOps:
		return nil
	case p.result == Valid && o.arbiter != ArbiterAlways:
		if steps = sampleSteps; !sampled(p.part, o.samplePpm) {
			return nil
		}
	}
	list, err := toPorcupine(m, p.part)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, arbiterTimeout, errSearchTime)
	defer cancel()
	b := &budget{ctx: ctx, memory: o.memory}
	report.Stats.Rejudged++
	if result, _ := b.search(&m.Model, list, steps); result != Unknown && result != p.result {
		found.add(Violation{Kind: CheckerDisagreement, Explain: fmt.Sprintf(
			"the rules of model %s find %d operations %s, but porcupine finds them %s", m.Name, len(p.part),
			p.result, result)})
	}
	return nil
}
