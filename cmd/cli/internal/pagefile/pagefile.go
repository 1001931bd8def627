// Package pagefile keeps the page of a campaign in a file, and writes it again from time to time while the
// campaign runs.
//
// Package pagefile never changes a summary.
package pagefile

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/holdfast-sim/holdfast/cmd/cli/internal/search"
	"github.com/holdfast-sim/holdfast/reports/campaign"
)

const (
	// leastPause is the least time from one page to the next.
	leastPause = 10 * time.Second
	// shareOfTime is how many times as long as it took to write a page nothing is written.
	shareOfTime = 100
)

// File is the page of a campaign.
type File struct {
	Path    string
	Summary *campaign.Summary
	// Earlier is the summary of an earlier campaign to compare with; nil for none.
	Earlier *campaign.Summary

	next time.Time // not before this is the page written again
}

// Update writes the page of a campaign that goes on, unless that was done a moment ago.
func (f *File) Update() error {
	begin := time.Now()
	if begin.Before(f.next) {
		return nil
	}
	err := f.write(true)
	f.next = time.Now().Add(max(leastPause, shareOfTime*time.Since(begin)))
	return err
}

// Finish writes the page of a campaign that has ended.
func (f *File) Finish() error { return f.write(false) }

// write replaces the file, so that a reader never sees half a page.
func (f *File) write(running bool) error {
	var page bytes.Buffer
	if err := f.Summary.Page(&page, campaign.PageOptions{Earlier: f.Earlier, Dir: filepath.Dir(f.Path),
		Running: running, RepeatedWith: search.OtherSettings}); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o755); err != nil {
		return fmt.Errorf("creating the folder of the campaign's page: %w", err)
	}
	temporary := f.Path + ".new"
	if err := os.WriteFile(temporary, page.Bytes(), 0o644); err != nil {
		return fmt.Errorf("writing the campaign's page: %w", err)
	}
	if err := os.Rename(temporary, f.Path); err != nil {
		return fmt.Errorf("writing the campaign's page: %w", err)
	}
	return nil
}
