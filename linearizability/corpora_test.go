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
	"github.com/holdfast-sim/holdfast/linearizability/history/formats"
)

// corpus returns a folder of public histories, or skips.
func corpus(t testing.TB, name string) string {
	t.Helper()
	roots := []string{os.Getenv("HOLDFAST_CORPORA")}
	for up := ".."; len(up) < 20; up += "/.." {
		roots = append(roots, filepath.Join(up, "shared", "corpora"))
	}
	for _, root := range roots {
		dir := filepath.Join(root, name)
		if _, err := os.Stat(dir); root != "" && err == nil {
			return dir
		}
	}
	t.Skip("public histories not found: set HOLDFAST_CORPORA to the folder that holds " + name)
	return ""
}

type labelled struct {
	path, model string
	want        lin.Validity
}

func labelledHistories(t testing.TB) (all []labelled) {
	dir := corpus(t, "porcupine-histories")
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

// TestPublicHistoriesWithoutRefusals: the labels of porcupine's etcd histories hold as well if a failed call
// says nothing.
func TestPublicHistoriesWithoutRefusals(t *testing.T) {
	for i, l := range labelledHistories(t) {
		if i%5 > 0 && os.Getenv("HOLDFAST_LIN_HISTORIES") == "" {
			continue // make thorough checks all of them
		}
		report, err := lin.CheckFile(context.Background(), l.path, l.model,
			lin.WithFailed(formats.DidNotHappen))
		require.NoError(t, err)
		require.Equal(t, l.want, report.Validity, "%s: %+v", l.path, report.Reason)
	}
}

// TestKnossosHistories: the folder's name is the label. Of a file that is cut off only a violation is known,
// so there an unknown verdict is right.
func TestKnossosHistories(t *testing.T) {
	dir := corpus(t, "jepsen-histories")
	checked := map[lin.Validity]int{}
	for folder, want := range map[string]lin.Validity{"knossos-cas-register-good": lin.Valid,
		"knossos-cas-register-bad": lin.Invalid, "knossos-mutex-bad": lin.Invalid} {
		model := "cas-register"
		if strings.Contains(folder, "mutex") {
			model = "mutex"
		}
		files, err := filepath.Glob(filepath.Join(dir, folder, "*.edn"))
		require.NoError(t, err)
		for _, path := range files {
			report, err := lin.CheckFile(context.Background(), path, model)
			require.NoError(t, err, path)
			h, err := lin.ReadFile(path, "")
			require.NoError(t, err, path)
			if h.Import.Torn != "" {
				require.NotEqual(t, lin.Valid, report.Validity, path)
				continue
			}
			require.Equal(t, want, report.Validity, "%s: %s", path, report.Reason)
			checked[want]++
		}
	}
	require.Greater(t, checked[lin.Valid], 10)
	require.Positive(t, checked[lin.Invalid])
}

// TestJepsenHistoriesAreRead: every public history of other models is read, in EDN and JSON alike.
func TestJepsenHistoriesAreRead(t *testing.T) {
	dir := corpus(t, "jepsen-histories")
	calls := map[string]int{}
	for _, folder := range []string{"elle", "jepsen"} {
		files, err := filepath.Glob(filepath.Join(dir, folder, "*.*"))
		require.NoError(t, err)
		for _, path := range files {
			h, err := lin.ReadFile(path, "")
			require.NoError(t, err, path)
			require.Empty(t, h.Import.Torn, path)
			require.NotEmpty(t, h.Ops, path)
			name := strings.TrimSuffix(path, filepath.Ext(path))
			if before, twice := calls[name]; twice {
				require.Equal(t, before, len(h.Ops), "%s in EDN and JSON", name)
			}
			calls[name] = len(h.Ops)
		}
	}
	require.Greater(t, len(calls), 5)
}
