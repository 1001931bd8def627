package reports_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/reports"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/futures"
)

// TestRewritePage: a page that is written again from its folder is the same, and shows what was measured
// since.
func TestRewritePage(t *testing.T) {
	run := smallSample().make()
	picture := reports.Options{Picture: func(*scenarios.Run) ([]byte, error) { return []byte("<p>x"), nil }}
	paths, err := picture.WriteRun(filepath.Join(t.TempDir(), "sample", "42"), run)
	require.NoError(t, err)
	before := readFile(t, paths.Page)
	again, err := reports.RewritePage(paths.Dir, "")
	require.NoError(t, err)
	require.Equal(t, &reports.Rewritten{Page: paths.Page}, again)
	require.True(t, before == readFile(t, paths.Page), "the page has changed")

	result := futures.Result{Property: "store", Curve: futures.Curve{{At: time.Second, Runs: 8},
		{At: 5 * time.Second, Failed: 2, Runs: 8}, {At: 7 * time.Second, Failed: 8, Runs: 8}}}
	latest := filepath.Join(filepath.Dir(paths.Dir), reports.LatestLink)
	require.NoError(t, reports.WriteLikelihood(latest, &result))
	file := filepath.Join(paths.Dir, reports.LikelihoodFile)
	page := readFile(t, paths.Page)
	contains(t, page, "What happens between 5.000\u00a0s and 7.000\u00a0s makes the failure likely")
	contains(t, page, "from 5.000\u00a0s on 2 of 8 futures fail (25 %)")
	contains(t, page, "<td>end of fault</td><td>partition n1 | n2 n3</td>")
	require.NotContains(t, page, "<td>fault</td><td>partition", "it began before")

	require.NoError(t, os.WriteFile(file, []byte(`{"curve":[{"runs":0}]}`), 0o644))
	_, err = reports.RewritePage(paths.Dir, "")
	require.ErrorContains(t, err, "not a curve of futures that fail: point 1 has 0 of 0 futures")
	require.True(t, page == readFile(t, paths.Page), "the page was changed in spite of an error")
	_, err = reports.RewritePage(t.TempDir(), "")
	require.ErrorIs(t, err, reports.ErrNotRunFolder)
}

// TestSideBySide compares a run with itself, with a run of the same seed that differs from some time on, and
// with one of another seed.
func TestSideBySide(t *testing.T) {
	base := t.TempDir()
	write := func(name string, run *scenarios.Run) string {
		paths, err := reports.WriteRun(filepath.Join(base, name, "42"), run)
		require.NoError(t, err)
		return paths.Dir
	}
	first := write("first", smallSample().make())
	compare := func(other string) (*reports.Rewritten, string) {
		got, err := reports.RewritePage(first, other)
		require.NoError(t, err)
		return got, readFile(t, got.Page)
	}
	got, page := compare(write("same", smallSample().make()))
	require.True(t, got.Same)
	contains(t, page, "The folders of the two runs hold the same.")

	run := smallSample().make()
	middle := len(run.Events) / 2
	run.Events[middle].Key = "elsewhere"
	at := time.Duration(run.Events[middle].Time)
	got, page = compare(write("changed", run))
	require.False(t, got.Same)
	require.Equal(t, at, got.FirstAt)
	contains(t, got.Difference, "The runs are the same up to ")
	contains(t, page, `<tr class="same">`)
	contains(t, page, `<tr class="differs">`)
	contains(t, page, "&#34;k&#34;:&#34;elsewhere&#34;")
	contains(t, page, `clip-path="url(#against-inner)"`)
	require.Equal(t, 1, strings.Count(page, ` id="chart-title"`), "each chart has its own identifiers")

	other := smallSample()
	other.seed = 43
	got, page = compare(write("other", other.make()))
	contains(t, got.Difference, "Apart from times, ")
	contains(t, page, "B: minority-partition, seed 43")
	require.NotContains(t, page, "seed 43, seed")

	_, err := reports.RewritePage(first, base)
	require.ErrorIs(t, err, reports.ErrNotRunFolder)
	require.True(t, page == readFile(t, filepath.Join(first, reports.PageFile)))
}
