package measure

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Lines of a campaign's journal, as the programs of these tests write them.
const (
	validLine   = `{"scenario":"standard","seed":1,"verdict":"valid"}`
	unknownLine = `{"scenario":"standard","seed":2,"verdict":"unknown","checks":[{"checker":"store","verdict":"unknown"}]}`
	invalidLine = `{"scenario":"standard","strategy":"swarm","seed":7,"verdict":"invalid","folder":"F",` +
		`"checks":[{"checker":"trees","verdict":"valid"},{"checker":"store","verdict":"invalid","summary":"lost"},` +
		`{"checker":"epochs","verdict":"invalid","summary":"two"}]}`
	problemLine = `{"scenario":"standard","seed":3,"verdict":"unknown","problem":"the worker died"}`
)

// bench makes programs for a measurement, and measures with them.
type bench struct {
	*testing.T
	dir     string
	options Options
	// builds counts the programs that were built for the bugs.
	builds atomic.Int32
	found  []Record
}

func newBench(t *testing.T) *bench {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the programs of this test are shell scripts")
	}
	b := &bench{T: t, dir: t.TempDir()}
	b.options = Options{Limit: time.Minute, CanaryLimit: time.Minute, Starts: []uint64{1},
		Workers: 2, Processes: 1,
		Shrink: time.Second, Journal: filepath.Join(b.dir, "records.jsonl"), Scratch: b.dir,
		Progress: io.Discard,
		Found:    func(r *Record) { b.found = append(b.found, *r) }}
	return b
}

// target is a bug whose campaign writes these lines, and then does what the command says. A single run is
// like the last line.
func (b *bench) target(name, then string, lines ...string) Target {
	script := "#!/bin/sh\nif [ \"$1\" = shrink ]; then echo '" +
		`{"faults":2,"machines":3,"operations":4,"finished":true}` + "'; exit 0; fi\n" +
		"if [ \"$1\" = run ]; then echo '" + lines[len(lines)-1] + "'; exit 1; fi\n" +
		"while [ $# -gt 0 ]; do case $1 in --runs) runs=$2;; --seeds) echo $2 >\"" +
		filepath.Join(b.dir, "seeds") + "\";; esac; shift; done\n"
	for _, line := range lines {
		script += "echo '" + line + "' >>\"$runs/campaign.jsonl\"\n"
	}
	path := filepath.Join(b.dir, name)
	require.NoError(b, os.WriteFile(path, []byte(script+then+"\n"), 0o700))
	return Target{Name: name, HeldOut: true, Package: "engine/store",
		Build: func(context.Context) (string, func(), error) {
			if name != "none" {
				b.builds.Add(1)
			}
			return path, func() {}, nil
		}}
}

func (b *bench) run(unchanged Target, targets ...Target) ([]Record, error) {
	b.Helper()
	return Run(b.Context(), b.options, unchanged, targets)
}

func TestRun(t *testing.T) {
	b := newBench(t)
	none := b.target("none", "", validLine)
	// The first campaign would continue indefinitely, and is interrupted at the violation.
	records, err := b.run(none, b.target("bug", "exec sleep 60", validLine, unknownLine,
		invalidLine, validLine),
		b.target("missed", "", validLine, unknownLine), b.target("problem", "", problemLine))
	require.NoError(t, err)
	require.Len(t, records, 4)
	require.Len(t, b.found, 4)
	byName := map[string]Record{}
	for _, r := range records {
		require.NotEmpty(t, r.Program)
		byName[r.Bug] = r
	}
	r := byName["bug"]
	require.True(t, r.Found)
	require.Equal(t, []string{"store", "epochs"}, r.Checks)
	require.Equal(t, "standard swarm 7 store: lost",
		strings.Join([]string{r.Scenario, r.Strategy, "7", r.Why}, " "))
	require.Equal(t, 3, r.Runs)
	require.Equal(t, "2, 3, 4", r.Small.String())
	require.True(t, r.HeldOut)
	require.False(t, byName["missed"].Found)
	require.Equal(t, 2, byName["missed"].Runs)
	require.True(t, byName["problem"].Found)
	require.Nil(t, byName["problem"].Small)
	require.NoFileExists(t, filepath.Join(b.dir, "seeds"), "the default campaign has no seeds")
}

// A measurement that was interrupted makes the missing searches only, and those of which more is asked.
func TestResume(t *testing.T) {
	b := newBench(t)
	none, found := b.target("none", "", validLine), b.target("bug", "", invalidLine)
	missed := b.target("missed", "", validLine)
	_, err := b.run(none, found)
	require.NoError(t, err)
	// The line of a search that was not written whole is made again.
	file, err := os.OpenFile(b.options.Journal, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = file.WriteString(`{"bug":"mis`)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	_, err = b.run(none, found, missed)
	require.NoError(t, err)
	require.EqualValues(t, 2, b.builds.Load())
	b.options.Limit *= 2
	records, err := b.run(none, found, missed)
	require.NoError(t, err)
	require.EqualValues(t, 3, b.builds.Load(),
		"what was missed is searched for with the longer limit, what was found is not")
	require.Len(t, records, 3)

	b.options.Starts = []uint64{1001}
	_, err = b.run(none, found)
	require.NoError(t, err)
	require.EqualValues(t, 4, b.builds.Load())
	seeds, err := os.ReadFile(filepath.Join(b.dir, "seeds"))
	require.NoError(t, err)
	require.Equal(t, "1001-1001000\n", string(seeds))

	other := b.target("none", "# another build", validLine)
	_, err = b.run(other, found)
	require.ErrorIs(t, err, ErrOtherBuild)
	b.options.Restart = true
	records, err = b.run(other, found)
	require.NoError(t, err)
	require.Len(t, records, 2)
}

// A violation without a planted bug is reported, also when the measurement is made again. A run that is wrong
// without the bug is not the bug's.
func TestUnclean(t *testing.T) {
	b := newBench(t)
	for range 2 {
		records, err := b.run(b.target("none", "", validLine, invalidLine),
			b.target("bug", "", invalidLine, validLine, problemLine),
			b.target("missed", "", invalidLine, validLine))
		require.ErrorIs(t, err, ErrUnclean)
		require.ErrorContains(t, err, "store: lost")
		require.Len(t, records, 3)
		for _, r := range records {
			switch r.Bug {
			case "bug":
				require.Equal(t, "the worker died", r.Why)
				require.Equal(t, 1, r.Shared)
				require.Equal(t, 3, r.Runs)
			case "missed":
				require.False(t, r.Found)
				require.Equal(t, 1, r.Shared)
			}
		}
	}
	require.EqualValues(t, 2, b.builds.Load())
}

func TestProgramsThatDoNotWork(t *testing.T) {
	b := newBench(t)
	_, err := b.run(Target{Build: func(context.Context) (string, func(), error) {
		return "", nil,
			io.ErrClosedPipe
	}})
	require.ErrorIs(t, err, io.ErrClosedPipe)
	_, err = b.run(b.target("none", "rm \"$runs/campaign.jsonl\"; echo no disk >&2; exit 255", validLine))
	require.ErrorContains(t, err, "made no run")
	require.ErrorContains(t, err, "no disk")
	_, err = b.run(b.target("none", "", "{"))
	require.ErrorContains(t, err, "reading the campaign's journal")
}

// The limit is processor time where it is known: that of the program and its children.
func TestLimit(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("processor time of another process is not known on " + runtime.GOOS)
	}
	b := newBench(t)
	b.options.CanaryLimit = 50 * time.Millisecond
	records, err := b.run(b.target("none", "sh -c 'while :; do :; done' & trap 'kill $!; exit' INT; while "+
		":; do wait; done",
		validLine))
	require.NoError(t, err)
	require.Less(t, records[0].WallSeconds, 30.0)
	require.GreaterOrEqual(t, records[0].CPUSeconds, 0.04)
}

// A first run that takes longer than the limit still counts.
func TestTheFirstRunEnds(t *testing.T) {
	b := newBench(t)
	b.options.CanaryLimit = 50 * time.Millisecond
	const slowRun = `rm "$runs/campaign.jsonl"; i=0; while [ $i -lt 600000 ]; do i=$((i+1)); done; ` +
		"echo '" + validLine + `' >>"$runs/campaign.jsonl"; exec sleep 60`
	records, err := b.run(b.target("none", slowRun, validLine))
	require.NoError(t, err)
	require.Equal(t, 1, records[0].Runs)
}

func TestSummaries(t *testing.T) {
	records := []Record{{Bug: "none", Runs: 5},
		{Bug: "b", HeldOut: true, Package: "engine/totem", Runs: 9, CPUSeconds: 200},
		{Bug: "a", HeldOut: true, Found: true, Package: "engine/store", Scenario: "standard",
			Seed: 4, CPUSeconds: 3,
			Checks: []string{"store"}, Runs: 2, Small: &Small{Faults: 1, Machines: 3, Operations: 2}},
		{Bug: "c", Found: true, Scenario: "ha-storm", Strategy: "hunt", CPUSeconds: 8, Runs: 1}}
	var b strings.Builder
	require.NoError(t, WriteTable(&b, records, "none"))
	require.Equal(t,
		`Held out: 1 of 2 found, after 3.0 s of processor time in the median; small, they have 1 faults, 3 machines and 2 operations in the median

| bug | package | found by | seed | checks | runs | CPU s | faults, machines, operations |
|---|---|---|---|---|---|---|---|
| a | engine/store | standard, `+"`plain`"+` | 4 | store | 2 | 3.0 | 1, 3, 2 |
| b | engine/totem | missed | - | - | 9 | 200 | - |

With hunts: 1 of 1 found, after 8.0 s of processor time in the median

| bug | package | found by | seed | checks | runs | CPU s | faults, machines, operations |
|---|---|---|---|---|---|---|---|
| c |  | ha-storm, `+"`hunt`"+` | 0 | another outcome than expected | 1 | 8.0 | - |

`, b.String())
	require.Equal(t, 2.5, median([]float64{4, 1, 2, 3}))
	require.Contains(t, records[1].Text(), "missed   b ")
	require.Contains(t, records[2].Text(), "standard plain seed 4 (small: 1, 3, 2)")
}
