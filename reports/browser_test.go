package reports_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/reports"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// TestPageInBrowser opens pages in the Chromium-like browser that HOLDFAST_BROWSER names, from a
// file as a reader would, and looks at what their scripts made of them.
func TestPageInBrowser(t *testing.T) {
	browser := os.Getenv("HOLDFAST_BROWSER")
	if browser == "" {
		t.Skip("HOLDFAST_BROWSER names no browser, for example chromium: the page's script was not run")
	}
	dir := t.TempDir()
	open := func(page, hash string) (dom, console string) {
		path := filepath.Join(dir, "page.html")
		require.NoError(t, os.WriteFile(path, []byte(page), 0o644))
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		var out, log bytes.Buffer
		cmd := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu",
			"--disable-background-networking",
			"--disable-component-update", "--disable-sync", "--no-first-run", "--user-data-dir="+filepath.Join(dir, "profile"),
			"--enable-logging=stderr", "--virtual-time-budget=3000", "--window-size=900,4000", "--dump-dom", "file://"+path+hash)
		cmd.Stdout, cmd.Stderr = &out, &log
		require.NoError(t, cmd.Run(), log.String())
		for line := range strings.Lines(log.String()) {
			if strings.Contains(line, "CONSOLE") {
				console += line
			}
		}
		return out.String(), console
	}

	dom, console := open(pageOf(t, reports.Options{}, smallSample().make()), "#t=3.5-5.25")
	require.Empty(t, console, "no script error, and nothing that the page's policy forbids")
	contains(t, dom, `class="scripted"`)
	contains(t, dom, "3.5000 to 5.2500 s")
	contains(t, dom, ">4.0 s</text>")
	require.False(t, strings.Contains(dom, ">10 s</text>"), "what is out of sight has no tick")

	// A picture runs its own script in its frame, and cannot reach the page around it.
	picture := "<p id=p></p><script>p.textContent='drawn'; try { parent.document.title='owned' } catch (e) { console.log('shut in') }</script>"
	dom, console = open(pageOf(t, reports.Options{Picture: func(*scenarios.Run) ([]byte, error) { return []byte(picture), nil }},
		smallSample().make()), "#search")
	contains(t, console, "shut in")
	require.False(t, strings.Contains(dom, "<title>owned"))

	for _, s := range hostileTexts {
		asText := reports.Options{Scenario: func(*scenarios.Scenario) ([]byte, error) {
			return []byte(s),
				nil
		}}
		dom, console = open(pageOf(t, asText, hostile(s)), "")
		require.Empty(t, console, "%q", s)
		contains(t, dom, `class="scripted"`)
		require.False(t, strings.Contains(dom, "<x-evil"), "%q", s)
	}
}
