package reports

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/futures"
)

// WriteLikelihood writes what was measured of a run into its folder, and its page again.
func WriteLikelihood(dir string, r *futures.Result) error {
	err := writeFile(dir, LikelihoodFile, func(w io.Writer) error { return writeJSON(w, r) })
	if err != nil {
		return fmt.Errorf("writing the share of futures that fail: %w", err)
	}
	_, err = RewritePage(dir)
	return err
}

// RewritePage writes the page of a run's folder again, for example after the folder got a file that the page
// shows. It returns the page's path.
func RewritePage(dir string) (string, error) {
	s, err := ReadRun(dir)
	if err != nil {
		return "", err
	}
	o := s.Options()
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
		return "", fmt.Errorf("writing the page of %s: %w", dir, err)
	}
	path := filepath.Join(s.dir, PageFile)
	temporary := path + ".new"
	if err := os.WriteFile(temporary, page.Bytes(), 0o644); err != nil {
		return "", fmt.Errorf("writing the page of %s: %w", dir, err)
	}
	return path, os.Rename(temporary, path)
}
