package measure

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// WriteTable writes the records as Markdown: what was found and what was missed, first of the bugs that are
// held out, then of the others, with the medians of each part. The unchanged program's records are left out.
func WriteTable(w io.Writer, records []Record, unchanged string) error {
	var b strings.Builder
	for _, heldOut := range []bool{true, false} {
		part := slices.DeleteFunc(slices.Clone(records), func(r Record) bool {
			return r.Bug == unchanged || r.HeldOut != heldOut
		})
		if len(part) == 0 {
			continue
		}
		slices.SortStableFunc(part, func(a, c Record) int { return cmp.Compare(a.Bug, c.Bug) })
		fmt.Fprintf(&b, "%s: %s\n\n", map[bool]string{true: "Held out", false: "With hunts"}[heldOut],
			Summarize(part))
		b.WriteString(tableHead)
		for i := range part {
			b.WriteString(part[i].row())
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

const tableHead = "| bug | package | found by | seed | checks | runs | CPU s | " +
	"faults, machines, operations |\n|---|---|---|---|---|---|---|---|\n"

// row is the record as a row of the table.
func (r *Record) row() string {
	if !r.Found {
		return fmt.Sprintf("| %s | %s | missed | - | - | %d | %.0f | - |\n", r.Bug, r.Package, r.Runs,
			r.CPUSeconds)
	}
	return fmt.Sprintf("| %s | %s | %s, `%s` | %d | %s | %d | %.1f | %s |\n", r.Bug, r.Package, r.Scenario,
		cmp.Or(r.Strategy, "plain"), r.Seed, r.noticedBy(), r.Runs, r.CPUSeconds, r.Small)
}

// noticedBy names the checks.
func (r *Record) noticedBy() string {
	return cmp.Or(strings.Join(r.Checks, ", "), "another outcome than expected")
}

// String returns the three sizes.
func (s *Small) String() string {
	if s == nil {
		return "-"
	}
	return fmt.Sprintf("%d, %d, %d", s.Faults, s.Machines, s.Operations)
}

// Text is the record on one line.
func (r *Record) Text() string {
	if !r.Found {
		return fmt.Sprintf("missed   %-34s from %d: %d runs, %.0f s cpu, %.0f s", r.Bug, r.Start, r.Runs,
			r.CPUSeconds, r.WallSeconds)
	}
	small := ""
	if r.Small != nil {
		small = fmt.Sprintf(" (small: %v)", r.Small)
	}
	return fmt.Sprintf("found    %-34s from %d: %d runs, %.1f s cpu, %.0f s; %s %s seed %d%s: %.120s", r.Bug,
		r.Start, r.Runs, r.CPUSeconds, r.WallSeconds, r.Scenario, cmp.Or(r.Strategy, "plain"), r.Seed, small,
		r.Why)
}

// Summarize returns the share that was found and the medians.
func Summarize(records []Record) string {
	var times, faults, machines, operations []float64
	found := 0
	for i := range records {
		r := &records[i]
		if !r.Found {
			continue
		}
		found++
		times = append(times, r.CPUSeconds)
		if r.Small != nil {
			faults = append(faults, float64(r.Small.Faults))
			machines = append(machines, float64(r.Small.Machines))
			operations = append(operations, float64(r.Small.Operations))
		}
	}
	text := fmt.Sprintf("%d of %d found", found, len(records))
	if found > 0 {
		text += fmt.Sprintf(", after %.1f s of processor time in the median", median(times))
	}
	if len(faults) > 0 {
		text += fmt.Sprintf("; small, they have %.0f faults, %.0f machines and %.0f operations in the median",
			median(faults), median(machines), median(operations))
	}
	return text
}

// median returns the middle of some values, of an even number the mean of the two middle ones.
func median(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}
