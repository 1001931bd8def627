package reports_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/reports"
	"github.com/holdfast-sim/holdfast/scenarios"
)

func pageOf(t testing.TB, o reports.Options, run *scenarios.Run) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, o.Page(&out, run))
	return out.String()
}

// samplePages are pages to look at, by file name.
func samplePages() map[string]*scenarios.Run {
	pages := map[string]*scenarios.Run{"valid.html": largeSample().make(), "small.html": smallSample().make()}
	s := largeSample()
	s.stale = true
	pages["invalid.html"] = s.make()
	return pages
}

// TestPagesForTheEye writes sample pages and pictures into the folder that the environment names.
func TestPagesForTheEye(t *testing.T) {
	dir := os.Getenv("HOLDFAST_SAMPLE_PAGES")
	if dir == "" {
		t.Skip("HOLDFAST_SAMPLE_PAGES names no folder to write sample pages to")
	}
	for file, run := range samplePages() {
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(pageOf(t, reports.Options{}, run)), 0o644))
		var picture bytes.Buffer
		require.NoError(t, reports.SVG(&picture, run))
		require.NoError(t, os.WriteFile(filepath.Join(dir, file+".svg"), picture.Bytes(), 0o644))
	}
}
