package linearizability_test

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	lin "github.com/holdfast-sim/holdfast/linearizability"
)

// corpus returns the folder of public histories, or skips.
func corpus(t testing.TB) string {
	t.Helper()
	roots := []string{os.Getenv("HOLDFAST_CORPORA")}
	for up := ".."; len(up) < 20; up += "/.." {
		roots = append(roots, filepath.Join(up, "shared", "corpora"))
	}
	for _, root := range roots {
		dir := filepath.Join(root, "porcupine-histories")
		if _, err := os.Stat(dir); root != "" && err == nil {
			return dir
		}
	}
	t.Skip("public histories not found: set HOLDFAST_CORPORA to the folder that holds porcupine-histories")
	return ""
}

type labelled struct {
	path, model string
	want        lin.Validity
}

func labelledHistories(t testing.TB) (all []labelled) {
	dir := corpus(t)
	labels, err := os.Open(filepath.Join(dir, "etcd-labels.txt"))
	require.NoError(t, err)
	defer labels.Close()
	lines := bufio.NewScanner(labels)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		want := map[string]lin.Validity{"linearizable": lin.Valid, "illegal": lin.Invalid}[fields[1]]
		all = append(all, labelled{filepath.Join(dir, "etcd", fields[0]), "register", want})
	}
	require.NoError(t, lines.Err())
	files, err := filepath.Glob(filepath.Join(dir, "kv", "*.txt"))
	require.NoError(t, err)
	for _, path := range files {
		want := lin.Valid
		if strings.Contains(filepath.Base(path), "bad") {
			want = lin.Invalid
		}
		all = append(all, labelled{path, "kv", want})
	}
	return all
}

// TestPublicHistories: every public history gets the verdict of its label.
func TestPublicHistories(t *testing.T) {
	all := labelledHistories(t)
	require.Greater(t, len(all), 50)
	start := time.Now()
	var sizes []int
	for _, l := range all {
		report, err := lin.CheckFile(context.Background(), l.path, l.model)
		require.NoError(t, err)
		require.Equal(t, l.want, report.Validity, "%s: %+v", l.path, report.Reason)
		if l.want == lin.Invalid {
			require.Len(t, report.Violations, 1)
			sizes = append(sizes, len(report.Violations[0].Ops))
			if len(sizes)%10 == 1 {
				t.Log(report.Violations[0].Explain)
			}
		}
		if report.Stats.Elapsed > 200*time.Millisecond {
			t.Logf("%s took %v", filepath.Base(l.path), report.Stats.Elapsed)
		}
	}
	slices.Sort(sizes)
	t.Logf("counterexamples: median %d operations, largest %d", sizes[len(sizes)/2], sizes[len(sizes)-1])
	t.Logf("%d histories in %v", len(all), time.Since(start))
}
