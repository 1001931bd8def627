package reports_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/reports"
	"github.com/holdfast-sim/holdfast/reports/campaign"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// hostileCampaign puts a text everywhere where a campaign holds one.
func hostileCampaign(t testing.TB, s string) string {
	t.Helper()
	failed := campaign.Outcome{Scenario: s, Strategy: s, Seed: 7, Verdict: linearizability.Invalid,
		CPU: time.Second,
		Checks: []reports.CheckSummary{{Checker: s, Verdict: linearizability.Invalid, Summary: s,
			Kind: linearizability.Kind(s)}},
		Reproduce: s, Folder: s, Probes: map[string]int{s: 1}, NewBehaviour: []uint32{1},
		NotCarriedOut: []scenarios.NotCarriedOut{{Setting: s, Effect: s}}}
	note := failed
	note.Small = &campaign.Small{File: s, Reproduce: s}
	other := failed
	other.Strategy = s + "2"
	all, earlier := campaign.New(), campaign.New()
	all.Expect(s, []string{s + "2"})
	broken := campaign.Outcome{Scenario: s + "3", Problem: s, CPU: time.Second}
	for _, o := range []campaign.Outcome{failed, note, other, broken} {
		all.Add(o)
	}
	gone := failed
	gone.Checks = []reports.CheckSummary{{Checker: s + "2", Verdict: linearizability.Invalid}}
	earlier.Add(gone)
	var out bytes.Buffer
	require.NoError(t, all.Page(&out, campaign.PageOptions{Earlier: earlier, RepeatedWith: []string{s}}))
	return out.String()
}

// TestHostileCampaign: no text of a campaign adds an element to its page.
func TestHostileCampaign(t *testing.T) {
	tags, err := shape(hostileCampaign(t, "plain"))
	require.NoError(t, err)
	known := map[string]bool{}
	for _, tag := range tags {
		known[tag] = true
	}
	for _, s := range hostileTexts {
		page := hostileCampaign(t, s)
		tags, err := shape(page)
		require.NoError(t, err, "%.80q", s)
		for _, tag := range tags {
			require.True(t, known[tag], "an element that no page has: %q", tag)
		}
		require.False(t, strings.Contains(page, "ZgotmplZ"), "%.80q", s)
		require.False(t, strings.Contains(page, `href="javascript:`), "%.80q", s)
	}
}

// TestCampaignPageInBrowser opens pages of campaigns and uses them as a reader would.
func TestCampaignPageInBrowser(t *testing.T) {
	b := openBrowser(t)
	b.open(hostileCampaign(t, "plain"), "")
	require.Empty(t, b.console, "no script error, and nothing that the page's policy forbids")
	require.Equal(t, "scripted", b.text("document.documentElement.className"))
	rows := "[...document.querySelectorAll('#unit-rows tr')].filter(r => !r.hidden).length"
	require.Equal(t, "3", b.text(rows))
	b.eval(`(function (e) { e.value = 'plain3'; e.dispatchEvent(new Event('input')); })
		(document.querySelector('#units .filter'))`, nil)
	require.Equal(t, "1", b.text(rows))
	require.Equal(t, "1 of 3", b.text("document.querySelector('#units .range').textContent"))
	b.eval("document.querySelector('.copy').click()", nil)
	contains(t, "Copied, or Press Ctrl+C", b.text(`await new Promise(done =>
		setTimeout(() => done(document.querySelector('.copy').textContent), 300))`))
	require.Equal(t, "true", b.text(`[...document.querySelectorAll('a, button, input, summary')]
		.filter(e => e.checkVisibility()).every(e => { e.focus(); return document.activeElement === e; })`))
	background := "getComputedStyle(document.body).backgroundColor"
	b.view(1280, 900, "light")
	light := b.text(background)
	b.view(1280, 900, "dark")
	require.NotEqual(t, light, b.text(background))
	b.view(420, 900, "light")
	require.Equal(t, "true", b.text("document.documentElement.scrollWidth <= innerWidth"),
		"no sideways scrolling")
	for _, s := range hostileTexts {
		b.open(hostileCampaign(t, s), "")
		require.Empty(t, b.console, "%q", s)
		require.Equal(t, "0", b.text("document.querySelectorAll('x-evil').length"), "%q", s)
	}
}
