package corosync

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// key is one known key of a section S: how to read its value and how to write it.
type key[S any] struct {
	name string
	// parseInto stores the value, or returns why it is refused.
	parseInto func(s *S, value string) refusal
	// formatFrom returns the value; false if the key is absent.
	formatFrom func(s *S) (string, bool)
	// emptyAllowed is set if Corosync accepts the key without a value.
	emptyAllowed bool
	// ignoredReason is the reason why a known key has no effect; "" if it has one.
	ignoredReason string
}

// refusal is why a value is refused. The zero value means that it is accepted.
type refusal struct {
	what, remedy string
	stricter     bool // Corosync accepts the value
}

// accepted is the answer for a value that is stored.
var accepted = refusal{}

// number is a key with a whole number from lo to hi. example is shown when a value is refused.
func number[S any](name string, lo, hi uint32, ptr func(*S) *Opt[uint32], example string) key[S] {
	return key[S]{
		name: name,
		parseInto: func(s *S, value string) refusal {
			n, what := parseNumber(value, uint64(lo), uint64(hi))
			if what != "" {
				_, whatThere := parseNumber(value, 0, storedUpTo(name))
				if name == "ip_dscp" && isWhole(value) {
					whatThere = ""
				}
				return refusal{what, fmt.Sprintf(
					"write a whole number from %d to %d, for example \"%s: %s\"", lo, hi, name, example),
					whatThere == ""}
			}
			*ptr(s) = Some(uint32(n))
			return accepted
		},
		formatFrom: func(s *S) (string, bool) {
			o := *ptr(s)
			return strconv.FormatUint(uint64(o.Value), 10), o.Set
		},
	}
}

// millis is a timer in milliseconds. The floor of the timer refuses zero, not this.
func millis[S any](name string, ptr func(*S) *Opt[uint32], example string) key[S] {
	return number(name, 0, maxTimerMs, ptr, example)
}

// isWhole reports whether a value is a whole number, also a negative one.
func isWhole(value string) bool {
	_, err := strconv.ParseInt(value, 10, 32)
	return err == nil
}

// storedUpTo returns the largest number that Corosync stores for a key: most have 32 bits.
func storedUpTo(name string) uint64 {
	switch name {
	case "ttl", "knet_link_priority", "two_node", "wait_for_all", "last_man_standing", "auto_tie_breaker",
		"allow_downscale", "expected_votes_tracking", "master_wins":
		return math.MaxUint8
	case "mcastport":
		return math.MaxUint16
	case "token_warning":
		return 100
	}
	return math.MaxUint32
}

// version is a number of 64 bits.
func version[S any](name string, ptr func(*S) *Opt[uint64]) key[S] {
	return key[S]{
		name: name,
		parseInto: func(s *S, value string) refusal {
			n, what := parseNumber(value, 0, math.MaxUint64)
			if what != "" {
				return refusal{what, fmt.Sprintf("write a whole number, for example \"%s: 1\"", name),
					value != "-" && strings.Trim(value, "0123456789") == "-"}
			}
			*ptr(s) = Some(n)
			return accepted
		},
		formatFrom: func(s *S) (string, bool) {
			o := *ptr(s)
			return strconv.FormatUint(o.Value, 10), o.Set
		},
	}
}

// boolKey is a key with 0 or 1.
func boolKey[S any](name string, ptr func(*S) *Opt[bool]) key[S] {
	return key[S]{
		name: name,
		parseInto: func(s *S, value string) refusal {
			switch value {
			case "0", "1":
				*ptr(s) = Some(value == "1")
				return accepted
			}
			_, whatThere := parseNumber(value, 0, storedUpTo(name))
			return refusal{"is neither 0 nor 1",
				fmt.Sprintf("write \"%s: 1\" to turn it on or \"%s: 0\"", name, name), whatThere == ""}
		},
		formatFrom: func(s *S) (string, bool) {
			o := *ptr(s)
			if o.Value {
				return "1", o.Set
			}
			return "0", o.Set
		},
	}
}

// enumKey is a key with one of a few words, or any text if no words are given. Corosync refuses other words
// as well.
func enumKey[S any](name string, ptr func(*S) *string, allowed ...string) key[S] {
	return wordKey(name, ptr, false, allowed)
}

// laxKey is a key with one of a few words, for which Corosync takes any other word for the default, and a
// typing mistake for "off".
func laxKey[S any](name string, ptr func(*S) *string, allowed ...string) key[S] {
	return wordKey(name, ptr, true, allowed)
}

func wordKey[S any](name string, ptr func(*S) *string, lax bool, allowed []string) key[S] {
	return key[S]{
		name:         name,
		emptyAllowed: lax || len(allowed) == 0,
		parseInto: func(s *S, value string) refusal {
			if len(allowed) > 0 && !slices.Contains(allowed, value) {
				r := refusal{"is not one of the possible values",
					"write one of: " + strings.Join(allowed, ", "), lax}
				if near := nearestKey(strings.ToLower(value), allowed); near != "" {
					r.remedy = fmt.Sprintf("write \"%s: %s\"", name, near)
				}
				return r
			}
			*ptr(s) = value
			return accepted
		},
		formatFrom: func(s *S) (string, bool) { return *ptr(s), *ptr(s) != "" },
	}
}

// ignoredKeys are keys that real files have and that have no effect here. Their values are kept.
func ignoredKeys[S any](why string, names ...string) []key[S] {
	keys := make([]key[S], len(names))
	for i, name := range names {
		keys[i] = key[S]{name: name, emptyAllowed: true, ignoredReason: why}
	}
	return keys
}

// ignoredWord is an ignored key whose value Corosync checks: refused returns what to write instead, "" if the
// value is accepted.
func ignoredWord[S any](name, why string, refused func(value string) string) key[S] {
	return key[S]{name: name, ignoredReason: why, parseInto: func(_ *S, value string) refusal {
		if remedy := refused(value); remedy != "" {
			return refusal{what: "is not one of the possible values", remedy: remedy}
		}
		return accepted
	}}
}

// oneOf returns a check for ignoredWord.
func oneOf(words ...string) func(string) string {
	return func(value string) string {
		if slices.Contains(words, value) {
			return ""
		}
		return "write one of: " + strings.Join(words, ", ")
	}
}

// wholeNumber is a check for ignoredWord.
func wholeNumber(value string) string {
	if isWhole(value) {
		return ""
	}
	return "write a whole number"
}

// parseNumber reads a decimal number. what is not empty if the value is none between lo and hi.
func parseNumber(value string, lo, hi uint64) (n uint64, what string) {
	n, err := strconv.ParseUint(strings.TrimPrefix(value, "+"), 10, 64)
	switch {
	case err == nil && n >= lo && n <= hi:
		return n, ""
	case err == nil || strings.Trim(value, "0123456789") == "":
		return 0, fmt.Sprintf("is not between %d and %d", lo, hi)
	case strings.Contains(value, "#"):
		return 0, "is not a whole number (a comment needs a line of its own)"
	case strings.HasPrefix(value, "-"):
		return 0, "is negative"
	default:
		return 0, "is not a whole number"
	}
}

// maxTypoDistance is how many single-character mistakes still count as a misspelt key.
const maxTypoDistance = 2

// nearestKey returns the candidate that name is most likely a misspelling of; "" if none is near.
func nearestKey(name string, candidates []string) string {
	best, bestDistance := "", maxTypoDistance+1
	for _, c := range candidates {
		if d := editDistance(strings.ToLower(name), c); d < bestDistance && d*3 <= len(c) {
			best, bestDistance = c, d
		}
	}
	return best
}

// editDistance counts the insertions, deletions, replacements and swaps of neighbours between a and b
// (optimal string alignment distance).
func editDistance(a, b string) int {
	if len(a)-len(b) > maxTypoDistance || len(b)-len(a) > maxTypoDistance {
		return maxTypoDistance + 1
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range len(b) + 1 {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}
