package reports

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/futures"
)

// WriteLikelihood writes what was measured of a run into its folder, and its page again.
func WriteLikelihood(dir string, r *futures.Result) error {
	err := writeFile(dir, LikelihoodFile, func(w io.Writer) error { return writeJSON(w, r) })
	if err != nil {
		return fmt.Errorf("writing the share of futures that fail: %w", err)
	}
	_, err = RewritePage(dir, "")
	return err
}

// Rewritten is a page that was written again.
type Rewritten struct {
	Page string `json:"page"` // its path
	// Difference describes the first difference to the other run, at the time FirstAt; empty without another
	// run. Same reports that the folders of the two runs hold the same.
	Difference string        `json:"difference,omitempty"`
	FirstAt    time.Duration `json:"first_at,omitempty"` // ns since the runs began
	Same       bool          `json:"same,omitempty"`
}

// RewritePage writes the page of a run's folder again, for example after the folder got a file that the page
// shows. If another folder is named, the page shows both runs side by side up to their first difference.
func RewritePage(dir, other string) (*Rewritten, error) {
	s, err := ReadRun(dir)
	if err != nil {
		return nil, err
	}
	o, out := s.Options(), &Rewritten{}
	if other != "" {
		second, err := ReadRun(other)
		if err != nil {
			return nil, err
		}
		o.against = compareRuns(s, second)
		out.Difference, out.Same = plainSpaces.Replace(o.against.summary()), o.against.difference == nil
		if !out.Same {
			out.FirstAt = o.against.difference.At
		}
	}
	o.recordsFile = filepath.Join(s.dir, RecordsFile)
	o.Picture = func(*scenarios.Run) ([]byte, error) {
		picture, err := os.ReadFile(filepath.Join(s.dir, PictureFile))
		if errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
		return picture, err
	}
	var page bytes.Buffer
	if err := o.Page(&page, s.Run); err != nil {
		return nil, fmt.Errorf("writing the page of %s: %w", dir, err)
	}
	out.Page = filepath.Join(s.dir, PageFile)
	temporary := out.Page + ".new"
	if err := os.WriteFile(temporary, page.Bytes(), 0o644); err != nil {
		return nil, fmt.Errorf("writing the page of %s: %w", dir, err)
	}
	return out, os.Rename(temporary, out.Page)
}
