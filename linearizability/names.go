package linearizability

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/models"
	"github.com/holdfast-sim/holdfast/linearizability/txn"
)

// Names of interval checks that [CheckFile] takes in place of a model.
const (
	LocksModel        = "locks"
	LeaseModel        = "lease"
	SingleRunnerModel = "single-runner"
)

// ByIntervals means that sure and possible intervals were compared.
const ByIntervals Method = "intervals"

// intervalNames lists the interval checks.
var intervalNames = []string{LeaseModel, LocksModel, SingleRunnerModel}

// ModelNames lists what [CheckFile] takes as a model, sorted.
func ModelNames() []string {
	names := append(models.Names(), intervalNames...)
	for _, kind := range txn.Kinds() {
		names = append(names, string(kind))
	}
	slices.Sort(names)
	return names
}

// Description describes a model for people.
type Description struct {
	Name string
	// Purpose is what the model specifies and what its initial state is.
	Purpose string
	// Functions are those that it knows.
	Functions []models.Function
}

// Describe describes a model of [ModelNames].
func Describe(modelName string) (Description, error) {
	d := Description{Name: modelName}
	switch modelName {
	case LocksModel:
		d.Purpose = "locks and leases with fencing tokens, one per key, judged by intervals"
		d.Functions = lockFunctions
	case LeaseModel:
		d.Purpose = `locks of which every hold ends with its lease; initial: {"ttl_ns":n}, the usual length`
		d.Functions = lockFunctions
	case SingleRunnerModel:
		d.Purpose = "services of which each runs on one machine, judged by intervals"
		d.Functions = runnerFunctions
	case string(txn.ListAppend):
		d.Purpose = "transactions on lists, judged by their dependencies"
		d.Functions = []models.Function{{Name: txn.Function, Value: `[["append", k, v], ["r", k, null], ...]`,
			Answer: "the same with what was read"}}
	case string(txn.RWRegister):
		d.Purpose = "transactions on registers whose values are written once, judged by their dependencies"
		d.Functions = []models.Function{{Name: txn.Function, Value: `[["w", k, v], ["r", k, null], ...]`,
			Answer: "the same with what was read"}}
	default:
		m, err := modelByName(modelName, nil)
		if err != nil {
			return d, err
		}
		d.Purpose, d.Functions = m.Purpose, m.Functions
	}
	d.Functions = slices.Clone(d.Functions)
	return d, nil
}

// modelByName is [models.ByName] with an error that lists the interval checks as well.
func modelByName(name string, initial json.RawMessage) (*Model, error) {
	if !slices.Contains(models.Names(), name) {
		return nil, fmt.Errorf("%w %q: use one of %s", models.ErrUnknownModel, name,
			strings.Join(ModelNames(), ", "))
	}
	return models.ByName(name, initial)
}

// intervalCheck returns the interval check of that name, or nil. Only leases have something initial: their
// usual length, as {"ttl_ns":n}.
func intervalCheck(name string, initial json.RawMessage) (func([]history.Operation) Verdict, error) {
	switch name {
	case LocksModel:
		return CheckLocks, nil
	case SingleRunnerModel:
		return CheckSingleRunner, nil
	case LeaseModel:
		ttl := ttlOf(&history.Operation{Input: initial})
		if ttl == 0 && len(initial) > 0 && string(initial) != "null" {
			return nil, fmt.Errorf(`model lease: %w: its initial state is {"ttl_ns":n}, not %s`,
				models.ErrOperation, shorten(string(initial)))
		}
		return func(ops []history.Operation) Verdict { return CheckLeases(ops, time.Duration(ttl)) }, nil
	}
	return nil, nil
}

// reportOf turns the verdict of an interval check into a report.
func reportOf(v Verdict, ops int) *Report {
	r := &Report{Model: v.Checker, Validity: v.Validity, Method: ByIntervals, Violations: v.Violations,
		notes: v.Details, Stats: Stats{Operations: ops}}
	if v.Validity == Unknown {
		r.Reason = strings.TrimPrefix(v.Summary, undecided)
	} else {
		r.Stats.Checked = ops
	}
	return r
}
