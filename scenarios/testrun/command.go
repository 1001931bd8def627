// Package testrun holds what scenarios from go test have in common in every backend: the command that runs
// a test again, the seeds that flags ask for, and the counts of several runs.
//
// Package testrun runs nothing and never judges a history. Tests use sim/simtest and chaos/chaostest.
package testrun

import (
	"regexp"
	"runtime/debug"
	"strings"
	"testing"
)

// seedSubtest begins the name of the subtest of one seed.
const seedSubtest = "seed="

// SeedName is the name of the subtest of a seed.
func SeedName(seed string) string { return seedSubtest + seed }

// Command returns a shell command that runs a test of this binary again. name is that of the test, flags
// are those of the backend, and environment, such as "CHAOS_NODES=1", precedes the command. The subtest of a
// seed is left out of the name: the flags choose the seed.
func Command(environment, name string, flags ...string) string {
	words := []string{"go", "test"}
	if environment != "" {
		words = append([]string{environment}, words...)
	}
	info, _ := debug.ReadBuildInfo()
	words = append(words, buildWords(info)...)
	words = append(words, "-run", shellQuoted(Pattern(name)))
	if testing.Short() {
		words = append(words, "-short") // a test may choose a smaller scenario
	}
	return strings.Join(append(words, flags...), " ")
}

// buildWords are the words of the command that name the package under test and how it was built: without its
// build tags a package may not have the test.
func buildWords(info *debug.BuildInfo) []string {
	if info == nil {
		return nil
	}
	var words []string
	for _, s := range info.Settings {
		if s.Key == "-tags" && s.Value != "" {
			words = append(words, "-tags="+s.Value)
		}
	}
	if pkg, ok := strings.CutSuffix(info.Path, ".test"); ok {
		words = append(words, pkg)
	}
	return words
}

// Pattern is the value of -run that matches the test of a name and no other.
func Pattern(name string) string {
	parts := strings.Split(name, "/")
	if last := len(parts) - 1; last > 0 && strings.HasPrefix(parts[last], seedSubtest) {
		parts = parts[:last]
	}
	for i := range parts {
		parts[i] = "^" + regexp.QuoteMeta(parts[i]) + "$"
	}
	return strings.Join(parts, "/")
}

// shellQuoted puts a word into single quotes for a shell.
func shellQuoted(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }
