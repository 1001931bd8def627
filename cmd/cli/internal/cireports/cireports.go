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

// Write writes the JUnit report to a file, unless its name is empty. When GitHub Actions runs the program, it
// writes annotations to stderr and the summary of the step. env reads environment variables.
func Write(s *campaign.Summary, outcomes []campaign.Outcome, junitFile string, env func(string) string,
	stderr io.Writer) error {
	return errors.Join(writeJUnit(outcomes, junitFile), writeGitHub(s, outcomes, env, stderr))
}

func writeJUnit(outcomes []campaign.Outcome, file string) error {
	if file == "" {
		return nil
	}
	out, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("writing the JUnit report: %w", err)
	}
	return errors.Join(junit.Write(out, outcomes), out.Close())
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
