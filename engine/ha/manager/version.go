package manager

import "strings"

// compareVersions orders package versions as Debian's package managers do, and returns -1, 0 or 1. An
// epoch (before a colon) and a revision (after the last dash) count separately; ~ sorts before the end.
func compareVersions(a, b string) int {
	epochA, restA := splitEpoch(a)
	epochB, restB := splitEpoch(b)
	if c := compareRun(epochA, epochB); c != 0 {
		return c
	}
	upstreamA, revisionA := splitRevision(restA)
	upstreamB, revisionB := splitRevision(restB)
	if c := compareRun(upstreamA, upstreamB); c != 0 {
		return c
	}
	return compareRun(revisionA, revisionB)
}

func splitEpoch(v string) (epoch, rest string) {
	if before, after, found := strings.Cut(v, ":"); found {
		return before, after
	}
	return "0", v
}

func splitRevision(v string) (upstream, revision string) {
	if i := strings.LastIndexByte(v, '-'); i >= 0 {
		return v[:i], v[i+1:]
	}
	return v, "0"
}

// compareRun compares alternating runs of non-digits and digits.
func compareRun(a, b string) int {
	for a != "" || b != "" {
		for (a != "" && !isDigit(a[0])) || (b != "" && !isDigit(b[0])) {
			if c := charWeight(a) - charWeight(b); c != 0 {
				return sign(c)
			}
			a, b = a[1:], b[1:]
		}
		digitsA, digitsB := leadingDigits(a), leadingDigits(b)
		a, b = a[len(digitsA):], b[len(digitsB):]
		digitsA, digitsB = strings.TrimLeft(digitsA, "0"), strings.TrimLeft(digitsB, "0")
		if c := len(digitsA) - len(digitsB); c != 0 {
			return sign(c)
		}
		if c := strings.Compare(digitsA, digitsB); c != 0 {
			return c
		}
	}
	return 0
}

// charWeight ranks the first character in a run of non-digits: ~ before the end, letters before the rest.
func charWeight(s string) int {
	switch {
	case s == "" || isDigit(s[0]):
		return 0
	case s[0] == '~':
		return -1
	case s[0] >= 'a' && s[0] <= 'z' || s[0] >= 'A' && s[0] <= 'Z':
		return int(s[0])
	}
	return int(s[0]) + 256
}

func leadingDigits(s string) string {
	i := 0
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return s[:i]
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func sign(x int) int {
	switch {
	case x < 0:
		return -1
	case x > 0:
		return 1
	}
	return 0
}
