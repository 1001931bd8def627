package testrun

import (
	"flag"
	"fmt"
	"strconv"
	"strings"
)

// Seeds are the seeds of a test, from First to Last.
type Seeds struct{ First, Last uint64 }

// ParseSeeds reads the value of a flag such as -sim.seeds: a range such as 1-200, or a number of seeds.
func ParseSeeds(flagName, text string) (Seeds, error) {
	from, to, isRange := strings.Cut(text, "-")
	if !isRange {
		from, to = "1", from
	}
	first, err1 := strconv.ParseUint(from, 0, 64)
	last, err2 := strconv.ParseUint(to, 0, 64)
	if err1 != nil || err2 != nil || last < first {
		return Seeds{}, fmt.Errorf("-%s %q: write a range such as 1-200, or a number of seeds", flagName,
			text)
	}
	return Seeds{first, last}, nil
}

// Single reports whether there is one seed.
func (s Seeds) Single() bool { return s.First == s.Last }

// String is the range in the form that ParseSeeds reads.
func (s Seeds) String() string { return fmt.Sprintf("%d-%d", s.First, s.Last) }

// ChoosesSeeds reports whether -run chooses single seeds.
func ChoosesSeeds() bool {
	run := flag.Lookup("test.run")
	if run == nil {
		return false
	}
	_, asked, ok := strings.Cut(run.Value.String(), "/")
	return ok && strings.Contains(asked, seedSubtest)
}

// NoneChosen returns an error if the flag -run asks for the subtest of a seed that is not among these seeds,
// so that no subtest was run: go test would report success. seedFlag is the flag that chooses a seed.
func (s Seeds) NoneChosen(seedFlag string) error {
	if !ChoosesSeeds() {
		return nil
	}
	return fmt.Errorf("-run %q matches none of the seeds %s; choose a seed with -%s instead",
		flag.Lookup("test.run").Value, s, seedFlag)
}
