// Package cireports writes the results of a campaign for continuous integration: a JUnit report, and
// annotations with a summary for GitHub Actions.
//
// Package cireports never decides whether a campaign failed.
package cireports

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/holdfast-sim/holdfast/reports/campaign"
	"github.com/holdfast-sim/holdfast/reports/github"
	"github.com/holdfast-sim/holdfast/reports/junit"
)

// To is where the reports go.
type To struct {
	Program   string // its name
	JUnitFile string // no JUnit report if it is empty
	// Env reads environment variables. When GitHub Actions runs the program, annotations go to Stderr and a
	// summary to that of the step.
	Env    func(string) string
	Stderr io.Writer
}

// Write writes the reports of outcomes, of which s is the summary.
func Write(s *campaign.Summary, outcomes []campaign.Outcome, to To) error {
	return errors.Join(writeJUnit(outcomes, to.Program, to.JUnitFile),
		writeGitHub(s, outcomes, to.Env, to.Stderr))
}

func writeJUnit(outcomes []campaign.Outcome, program, file string) error {
	if file == "" {
		return nil
	}
	out, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("writing the JUnit report: %w", err)
	}
	return errors.Join(junit.Write(out, program, outcomes), out.Close())
}

func writeGitHub(s *campaign.Summary, outcomes []campaign.Outcome, env func(string) string,
	stderr io.Writer) error {
	if env("GITHUB_ACTIONS") != "true" {
		return nil
	}
	if err := github.Annotations(stderr, outcomes); err != nil {
		return err
	}
	path := env("GITHUB_STEP_SUMMARY")
	if path == "" {
		return nil
	}
	out, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("opening the step's summary: %w", err)
	}
	return errors.Join(github.Summary(out, s), out.Close())
}
