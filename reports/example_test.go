package reports_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/holdfast-sim/holdfast/reports"
)

// A run's folder appears whole, and can be read back.
func ExampleWriteRun() {
	dir, err := os.MkdirTemp("", "runs")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	run := smallSample().make() // as a backend's Run returns it
	if _, err := reports.WriteRun(filepath.Join(dir, "minority-partition", "42"), run); err != nil {
		panic(err)
	}
	saved, err := reports.ReadRun(filepath.Join(dir, "minority-partition", "latest"))
	if err != nil {
		panic(err)
	}
	fmt.Println(saved.Run.Scenario.Name, "seed", saved.Run.Seed, saved.Run.Verdict())
	fmt.Println(len(saved.Run.Events) == len(run.Events), saved.Run.Digest == run.Digest)
	// Output:
	// minority-partition seed 42 valid
	// true true
}

// ExampleSummarize prints the summary of a run.
func ExampleSummarize() {
	s := reports.Summarize(smallSample().make())
	fmt.Println(s.Scenario, s.Seed, s.Verdict, s.Faults)
	// Output: minority-partition 42 valid 1
}
