package fullstack

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/conformance"
)

// Result is the judgement of one folder.
type Result struct {
	Name string `json:"name"`
	// Inexpressible is why a real cluster cannot do what the scenario describes; the folder then
	// counts for nothing else.
	Inexpressible string `json:"inexpressible,omitempty"`
	// Device is why the folder was replayed with a fence device; "" if it was not.
	Device string `json:"device,omitempty"`
	// Differences are the deliberate differences of decisions for which the expected log was replaced by
	// that of the decisions alone.
	Differences []ha.Difference `json:"differences,omitempty"`
	// T1 and T2 report whether the folder passed these tiers; Exact, that it passed T1 without any rule.
	T1    bool `json:"t1"`
	T2    bool `json:"t2"`
	Exact bool `json:"exact"`
	// Rules are those that T1 needed, by name.
	Rules []string `json:"rules,omitempty"`
	// T1Differences and T2Differences are what is different on these tiers.
	T1Differences []string `json:"t1_differences,omitempty"`
	T2Differences []string `json:"t2_differences,omitempty"`
	// Error is set when the folder could not be replayed.
	Error string `json:"error,omitempty"`
	// Log is the run's log in the form of expected logs.
	Log string `json:"-"`
}

// Report is the judgement of all folders.
type Report struct {
	Results []Result `json:"results"`
	// Rules are where a real cluster may differ on T1, and why.
	Rules []Rule `json:"rules"`
	// Total counts the folders, Expressible those that a real cluster can express; T1, T2 and
	// Exact count of these.
	Total       int `json:"total"`
	Expressible int `json:"expressible"`
	T1          int `json:"t1"`
	T2          int `json:"t2"`
	Exact       int `json:"exact"`
}

// Passed reports whether every folder that can be expressed passed both tiers.
func (r *Report) Passed() bool {
	return r.Expressible > 0 && r.T1 == r.Expressible && r.T2 == r.Expressible
}

// add counts a folder.
func (r *Report) add(result Result) {
	r.Results = append(r.Results, result)
	r.Total++
	if result.Inexpressible != "" {
		return
	}
	r.Expressible++
	for _, tier := range []struct {
		passed bool
		count  *int
	}{{result.T1, &r.T1}, {result.T2, &r.T2}, {result.Exact, &r.Exact}} {
		if tier.passed {
			*tier.count++
		}
	}
}

// WriteText writes the report for people: differences first, then what cannot be expressed, the
// rules, and the sums last.
func (r *Report) WriteText(out io.Writer) error {
	var b strings.Builder
	mark := map[bool]string{true: "ok", false: "FAIL"}
	for _, result := range r.Results {
		if result.Inexpressible != "" || result.T1 && result.T2 {
			continue
		}
		fmt.Fprintf(&b, "%s: T1 %s, T2 %s\n", result.Name, mark[result.T1], mark[result.T2])
		if result.Error != "" {
			fmt.Fprintf(&b, "  error: %s\n", result.Error)
		}
		for _, line := range result.T2Differences {
			fmt.Fprintf(&b, "  %s\n", line)
		}
		for _, line := range result.T1Differences {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	r.writeInexpressible(&b)
	r.writeDevices(&b)
	r.writeDifferences(&b)
	r.writeRules(&b)
	fmt.Fprintf(&b, "full stack: %d folders, %d expressible: T2 %d/%d, T1 %d/%d (%d without any rule)\n",
		r.Total, r.Expressible, r.T2, r.Expressible, r.T1, r.Expressible, r.Exact)
	_, err := io.WriteString(out, b.String())
	return err
}

func (r *Report) writeInexpressible(b *strings.Builder) {
	if r.Total == r.Expressible {
		return
	}
	b.WriteString("not expressible by a real cluster:\n")
	for _, result := range r.Results {
		if result.Inexpressible != "" {
			fmt.Fprintf(b, "  %s: %s\n", result.Name, result.Inexpressible)
		}
	}
}

func (r *Report) writeDevices(b *strings.Builder) {
	title := "with a fence device, where the virtual hardware tells the master that a node is off:\n"
	for _, result := range r.Results {
		if result.Device != "" {
			fmt.Fprintf(b, "%s  %s: %s\n", title, result.Name, result.Device)
			title = ""
		}
	}
}

func (r *Report) writeDifferences(b *strings.Builder) {
	title := "compared with strict decisions alone, see docs/ha-decisions.md:\n"
	for _, result := range r.Results {
		if len(result.Differences) > 0 {
			reasons := strings.Trim(fmt.Sprint(result.Differences), "[]")
			fmt.Fprintf(b, "%s  %s: %s\n", title, result.Name, reasons)
			title = ""
		}
	}
}

func (r *Report) writeRules(b *strings.Builder) {
	needed := map[string]int{}
	for _, result := range r.Results {
		for _, name := range result.Rules {
			needed[name]++
		}
	}
	if len(needed) == 0 {
		return
	}
	b.WriteString("tolerated on T1:\n")
	for _, rule := range r.Rules {
		if n := needed[rule.Name]; n > 0 {
			fmt.Fprintf(b, "  %s (%d folders): %s\n", rule.Name, n, rule.Why)
		}
	}
}

// judge compares a run with the expected log.
func (result *Result) judge(expected string, o *observed) {
	want := conformance.ParseLog(expected)
	wantEnd, gotEnd := conformance.ExtractOutcome(want), conformance.ExtractOutcome(o.log)
	gotEnd.Running, gotEnd.Double = o.runningNodes, o.doubleRuns // as the machines had it
	result.T2Differences = append(result.T2Differences, conformance.CompareOutcomes(wantEnd, gotEnd)...)
	result.T2 = len(result.T2Differences) == 0
	w, g := conformance.ExtractTransitions(want), conformance.ExtractTransitions(o.log)
	differences := conformance.CompareTransitions(w, g)
	result.Exact = len(differences) == 0
	for i := range Rules {
		if len(differences) == 0 {
			break
		}
		w, g = Rules[i].removeAllowed(w), Rules[i].removeAllowed(g)
		after := conformance.CompareTransitions(w, g)
		if !slices.Equal(after, differences) {
			result.Rules = append(result.Rules, Rules[i].Name)
		}
		differences = after
	}
	result.T1Differences, result.T1 = differences, len(differences) == 0
	result.Log = conformance.FormatLog(o.log)
}
