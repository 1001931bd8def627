package docstest

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/library"
)

const incidents = "docs/incidents.md"

var (
	quoted   = regexp.MustCompile("`([^`]+)`")
	incident = regexp.MustCompile(`\b(P1?[0-9]|H[12]?[0-9])\b`)
)

// incidentRow is a row of the table of incidents.
type incidentRow struct {
	id, seenBy, remarks string
	stories, bugs       []string
}

func incidentRows(doc string) (rows []incidentRow) {
	names := func(cell string) (out []string) {
		for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
			out = append(out, m[1])
		}
		return out
	}
	for line := range strings.Lines(doc) {
		cells := strings.Split(line, "|")
		if len(cells) != 8 || !incident.MatchString(cells[1]) {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, incidentRow{id: cells[1], stories: names(cells[3]), bugs: names(cells[4]),
			seenBy: cells[5], remarks: cells[6]})
	}
	return rows
}

// references are what a scenario is based on, in one text.
func references(t *testing.T, story string) string {
	t.Helper()
	data, err := library.Get(story)
	require.NoError(t, err)
	s, err := scenarios.ParseScenario(library.FileName(story), data)
	require.NoError(t, err)
	return strings.Join(s.References, "\n")
}

// TestIncidents verifies that each incident has a scenario and a planted bug that name it, or a reason, and
// that each scenario and planted bug that names an incident is in its row.
func TestIncidents(t *testing.T) {
	_, docs := documents(t)
	rows := incidentRows(docs[incidents])
	byID := map[string]incidentRow{}
	for _, row := range rows {
		require.NotContains(t, byID, row.id, "one row each")
		byID[row.id] = row
		if len(row.stories) == 0 || len(row.bugs) == 0 {
			require.NotEmpty(t, row.remarks, "%s: what is not here has a reason", row.id)
		}
		require.Equal(t, len(row.bugs) > 0, row.seenBy != "", row.id)
		for _, story := range row.stories {
			require.Contains(t, incident.FindAllString(references(t, story), -1), row.id, story)
		}
	}
	for n := range 15 {
		require.Contains(t, byID, fmt.Sprint("P", n+1))
	}
	for n := range 28 {
		require.Contains(t, byID, fmt.Sprint("H", n+1))
	}
	for _, story := range library.Names() {
		for _, id := range incident.FindAllString(references(t, story), -1) {
			require.Contains(t, byID[id].stories, story, "scenario %s refers to %s", story, id)
		}
	}
	checkPlanted(t, byID)
}

// checkPlanted compares the rows with the catalogue of planted bugs.
func checkPlanted(t *testing.T, rows map[string]incidentRow) {
	t.Helper()
	root, _ := documents(t)
	paths, err := fs.Glob(root, "scenarios/pve/mutants/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	named := map[string][]string{}
	for _, name := range paths {
		data, err := fs.ReadFile(root, name)
		require.NoError(t, err)
		bug := strings.TrimSuffix(path.Base(name), ".yaml")
		_, reference, found := strings.Cut(string(data), "\nreference: ")
		require.True(t, found, bug)
		reference, _, _ = strings.Cut(reference, "\n")
		for _, id := range incident.FindAllString(reference, -1) {
			named[id] = append(named[id], bug)
		}
	}
	for id, row := range rows {
		for _, bug := range row.bugs {
			require.Contains(t, named[id], bug, "%s: the planted bug says so itself", id)
		}
		for _, bug := range named[id] {
			require.True(t, slices.Contains(row.bugs, bug) || strings.HasPrefix(bug, "ha-invariant-"),
				"planted bug %s refers to %s", bug, id)
		}
	}
}
