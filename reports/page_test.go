package reports_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

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

// contains checks a page for a text without printing the whole page.
func contains(t testing.TB, page, text string) {
	t.Helper()
	require.True(t, strings.Contains(page, text), "the page does not contain %q", text)
}

// samplePages are pages to look at, by file name.
func samplePages() map[string]*scenarios.Run {
	pages := map[string]*scenarios.Run{"valid.html": largeSample().make(), "small.html": smallSample().make()}
	s := largeSample()
	s.stale = true
	pages["invalid.html"] = s.make()
	pages["long-names.html"] = hostile(strings.Repeat("a-very-long-name-", 8) +
		" & <b>words</b> that go on and on")
	return pages
}

func TestPageGolden(t *testing.T) {
	s := smallSample()
	s.stale = true
	golden(t, "page.html", pageOf(t, reports.Options{}, s.make()))
	var picture bytes.Buffer
	require.NoError(t, reports.SVG(&picture, smallSample().make()))
	golden(t, "run.svg", picture.String())
}

// A page loads nothing: there is no address in it but the name of the SVG language.
func TestPageIsSelfContained(t *testing.T) {
	for file, run := range samplePages() {
		page := strings.ReplaceAll(pageOf(t, reports.Options{}, run), "http://www.w3.org/2000/svg", "")
		for _, word := range []string{"http:", "https:", "url(//", "@import", "src=", "<link", "fetch(",
			"XMLHttpRequest"} {
			require.False(t, strings.Contains(page, word), file)
		}
		for _, url := range regexp.MustCompile(`url\([^)]*\)`).FindAllString(page, -1) {
			require.True(t, strings.HasPrefix(url, "url(#"), url)
		}
	}
}

// The page allows its own script alone, by its hash; only a picture from elsewhere loosens that.
func TestPagePolicy(t *testing.T) {
	page := pageOf(t, reports.Options{}, smallSample().make())
	script := regexp.MustCompile(`(?s)<script>(.*)</script>`).FindStringSubmatch(page)[1]
	sum := sha256.Sum256([]byte(script))
	contains(t, page, "script-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
	contains(t, page, "default-src 'none'")
}

func TestPagePicture(t *testing.T) {
	run := smallSample().make()
	picture := func(data []byte, err error) string {
		return pageOf(t, reports.Options{Picture: func(*scenarios.Run) ([]byte, error) { return data, err }},
			run)
	}
	page := picture([]byte("<!doctype html><script>1 < 2 && \"3\"</script>"), nil)
	contains(t, page, `sandbox="allow-scripts"`)
	contains(t, page,
		`srcdoc="&lt;!doctype html&gt;&lt;script&gt;1 &lt; 2 &amp;&amp; &#34;3&#34;&lt;/script&gt;"`)
	contains(t, picture(make([]byte, 5<<20), nil), "too large for this page")
	contains(t, picture(nil, errors.New("no memory")), "could not be drawn: no memory")
	require.False(t, strings.Contains(picture(nil, nil), "<iframe"))

	paths, err := reports.Options{Picture: func(*scenarios.Run) ([]byte, error) {
		return []byte("<p>x"),
			nil
	}}.
		WriteRun(filepath.Join(t.TempDir(), "42"), run)
	require.NoError(t, err)
	require.Equal(t, "<p>x", readFile(t, filepath.Join(paths.Dir, reports.PictureFile)))
}

// However large a run is, its page stays small enough to open.
func TestPageIsBounded(t *testing.T) {
	s := largeSample()
	s.operations, s.clients, s.stale = 40_000, 200, true
	run := s.make()
	for i := range 60_000 {
		run.Logs = append(run.Logs, scenarios.LogLine{At: run.Duration, Machine: "n1", Level: "WARN",
			Text: strings.Repeat("x", i%3000)})
	}
	for range 2000 {
		run.Applied = append(run.Applied, run.Applied[0])
		run.Verdicts[0].Violations = append(run.Verdicts[0].Violations, run.Verdicts[0].Violations[0])
	}
	page := pageOf(t, reports.Options{}, run)
	require.Less(t, len(page), 6<<20)
	for _, word := range []string{"136 others", "more faults in faults.json",
		"more violations, all in verdicts.json",
		"more lines in logs.txt", "more in faults.json",
		fmt.Sprintf(`{"count":%d,`, len(run.Events)/2)} {
		contains(t, page, word)
	}
	contains(t, page, `class="bar ok alert"`)
}

// Runs that are broken or empty get a page all the same.
func TestPageOfUnusualRuns(t *testing.T) {
	empty := &scenarios.Run{Scenario: &scenarios.Scenario{}}
	page := pageOf(t, reports.Options{}, empty)
	contains(t, page, "Nothing was checked")
	contains(t, page, "No client asked for anything")

	broken := smallSample().make()
	broken.Events = broken.Events[1:]
	contains(t, pageOf(t, reports.Options{}, broken), "not well formed")

	odd := smallSample().make()
	odd.Duration = 0
	for i := range odd.Events {
		odd.Events[i].Time -= 1e12
	}
	odd.Applied[0].Ended = [2]time.Duration{}
	contains(t, pageOf(t, reports.Options{}, odd), "<svg")

	long := smallSample().make()
	long.Duration = 1 << 62
	contains(t, pageOf(t, reports.Options{}, long), "<svg")
}
