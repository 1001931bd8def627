package campaign_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/reports/campaign"
)

var rewrite = flag.Bool("rewrite", false, "write the golden page anew")

func pageOf(t testing.TB, s *campaign.Summary, o campaign.PageOptions) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, s.Page(&out, o))
	return out.String()
}

// contains checks a page for a text without printing the whole page.
func contains(t testing.TB, page, text string) {
	t.Helper()
	require.True(t, strings.Contains(page, text), "the page does not contain %q", text)
}

// night is a campaign in which everything happens that a page shows.
func night() *campaign.Summary {
	s := campaign.New()
	s.Expect("pair-cut", []string{"recovery", "lost-lock"})
	for i := range 40 {
		o := outcome("pair-cut", uint64(i+1), linearizability.Valid)
		if i%3 == 0 {
			o = outcome("flapping-link", uint64(i+1), linearizability.Valid)
			o.Strategy = "churn"
		}
		o.CPU, o.AfterCanary, o.Repeated = time.Duration(20+i)*time.Millisecond, true, i%25 == 24
		if i < 20 {
			o.NewBehaviour = []uint32{uint32(i), uint32(2 * i)}
		}
		s.Add(o)
	}
	bad := outcome("flapping-link", 77, linearizability.Invalid)
	bad.Strategy, bad.CPU, bad.AfterCanary = "churn", 31*time.Millisecond, true
	bad.Folder = "runs/flapping-link/77-churn"
	s.Add(bad)
	bad.Small = &campaign.Small{File: bad.Folder + "/small.yaml", Seed: 3, Faults: 1, Operations: 2,
		Machines: 3, Reproduce: "holdfast run runs/flapping-link/77-churn/small.yaml --seed 3"}
	s.Add(bad)
	s.Add(campaign.Outcome{Scenario: "pair-cut", Seed: 99, Problem: "no such machine", CPU: time.Millisecond})
	return s
}

// TestPageGolden: the same runs give the same page, byte for byte.
func TestPageGolden(t *testing.T) {
	earlier := campaign.New()
	gone := outcome("pair-cut", 5, linearizability.Invalid)
	gone.Checks[1].Kind = linearizability.StaleRead
	earlier.Add(gone)
	page := pageOf(t, night(), campaign.PageOptions{Dir: "runs", Earlier: earlier,
		RepeatedWith: []string{"GOMAXPROCS=1"}})
	file := filepath.Join("testdata", "campaign.html")
	if *rewrite {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(file, []byte(page), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err, "make it with: go test ./reports/campaign -rewrite")
	require.Equal(t, strings.ReplaceAll(string(want), "\r\n", "\n"), page,
		"if the change is meant, write it anew: go test ./reports/campaign -rewrite")
}

// TestPageTells what a page must answer about a failure, a probe and the campaign itself.
func TestPageTells(t *testing.T) {
	page := pageOf(t, night(), campaign.PageOptions{Dir: "runs"})
	for _, text := range []string{
		"store: lost-write", "seen in 1 of 15 runs of flapping-link, strategy churn",
		`href="./flapping-link/77-churn/report.html"`, "holdfast run flapping-link.yaml --seed 77",
		"made small: 1 fault, 2 operations, 3 machines", `href="./flapping-link/77-churn/small.yaml"`,
		"44 runs without it show (95 %)", `never reached</span> although expected: pair-cut (27 runs)`,
		"Before 41 of the 42 runs the campaign ran a register that forgets writes",
		"1 of the runs were made again", "no such machine",
	} {
		contains(t, page, text)
	}
	require.Less(t, strings.Index(page, "<code>lost-lock</code>"),
		strings.Index(page, "<code>recovery</code>"))
	require.NotContains(t, page, "No longer seen")
	require.NotContains(t, page, "still running")
	contains(t, pageOf(t, night(), campaign.PageOptions{Running: true}), "still running")
	empty := pageOf(t, campaign.New(), campaign.PageOptions{})
	contains(t, empty, "No run was made.")
	contains(t, empty, "nothing shows that a violation would have been found")
}

// TestPageComparesWithAnEarlierCampaign: new, seen again, and no longer seen.
func TestPageComparesWithAnEarlierCampaign(t *testing.T) {
	earlier := campaign.New()
	earlier.Add(outcome("flapping-link", 1, linearizability.Invalid))
	gone := outcome("pair-cut", 5, linearizability.Invalid)
	gone.Checks[1].Kind = linearizability.StaleRead
	earlier.Add(gone)
	page := pageOf(t, night(), campaign.PageOptions{Earlier: earlier})
	contains(t, page, `store: lost-write <span class="tag">ongoing</span>`)
	contains(t, page, `no such machine <span class="tag">new</span>`)
	contains(t, page, "<li>store: stale-read ")
}

// TestPageIsBounded: a page of 100,000 runs with failures of many kinds is small, and counts what it left
// out.
func TestPageIsBounded(t *testing.T) {
	s := campaign.New()
	long := strings.Repeat("long words ", 300)
	for i := range 100_000 {
		o := campaign.Outcome{Scenario: fmt.Sprintf("scenario-%d", i%700), Seed: uint64(i), CPU: time.Second,
			NewBehaviour: []uint32{uint32(i)}}
		switch {
		case i < 150:
			letters := strings.Map(func(r rune) rune { return r - '0' + 'g' }, fmt.Sprint(i))
			o.Problem, o.Reproduce, o.Folder = letters+" "+long, long, "runs/a/"+letters
		case i < 8000:
			o.Verdict, o.Probes = linearizability.Valid, map[string]int{fmt.Sprintf("probe-%d", i): 1}
		default:
			o.Verdict = linearizability.Valid
		}
		s.Add(o)
	}
	page := pageOf(t, s, campaign.PageOptions{})
	require.Less(t, len(page), 1<<20)
	for _, text := range []string{"and 50 more groups of failures", "and 7450 more that more runs reached",
		"and 300 more, those without failures first"} {
		contains(t, page, text)
	}
	require.LessOrEqual(t, strings.Count(page, `<rect class="b`), 300)
}
