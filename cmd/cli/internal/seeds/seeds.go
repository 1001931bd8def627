// Package seeds reads ranges of seeds from command lines.
//
// Package seeds never runs anything.
package seeds

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// own is a scenario with a range of seeds behind it.
var own = regexp.MustCompile(`^(.+):([0-9]+(?:-[0-9]+)?)$`)

// Split divides words such as ha-storm:1-8000 into the names of scenarios and their own ranges of seeds, ""
// where there is none. haveOwn reports whether any has one.
func Split(words []string) (names, ranges []string, haveOwn bool) {
	names, ranges = slices.Clone(words), make([]string, len(words))
	for i, word := range words {
		if found := own.FindStringSubmatch(word); found != nil {
			names[i], ranges[i], haveOwn = found[1], found[2], true
		}
	}
	return names, ranges, haveOwn
}

// Max is the most seeds of one range.
const Max = 1_000_000

// ErrRange means that a text is no range of seeds; its text has an example of one.
var ErrRange = errors.New("--seeds")

// Parse reads a range of seeds: 1-200, or 200 for the same. Its errors wrap [ErrRange].
func Parse(text string) (first, last uint64, err error) {
	from, to, isRange := strings.Cut(text, "-")
	if !isRange {
		from, to = "1", text
	}
	first, err1 := strconv.ParseUint(from, 10, 64)
	last, err2 := strconv.ParseUint(to, 10, 64)
	if err1 != nil || err2 != nil || last < first {
		return 0, 0, fmt.Errorf("%w %q: write a range such as 1-200, or 200 for the same", ErrRange, text)
	}
	if last-first >= Max {
		return 0, 0, fmt.Errorf("%w %s: at most %d seeds a run", ErrRange, text, Max)
	}
	if last == math.MaxUint64 {
		return 0, 0, fmt.Errorf("%w %s: the last seed is %d at most", ErrRange, text,
			uint64(math.MaxUint64-1))
	}
	return first, last, nil
}
