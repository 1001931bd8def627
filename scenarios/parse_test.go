package scenarios_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/strictyaml"
)

// TestBroken holds the message for every way in which a file can be wrong.
func TestBroken(t *testing.T) {
	datadriven.Walk(t, "testdata/broken", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			require.Equal(t, "parse", d.Cmd)
			input := strings.ReplaceAll(d.Input, "<TAB>", "\t")
			_, _, err := scenarios.Parse("story.yaml", []byte(input), toyKinds())
			require.Error(t, err, d.Pos)
			requirePlaced(t, err)
			return err.Error() + "\n"
		})
	})
}

// requirePlaced checks that every problem has its place.
func requirePlaced(t require.TestingT, err error) {
	var problems strictyaml.Problems
	require.ErrorAs(t, err, &problems)
	for _, p := range problems {
		require.NotEmpty(t, p.File)
		require.Positive(t, p.Line, p.Text)
		require.Positive(t, p.Column, p.Text)
	}
}

const wholeFile = `name: everything
story: |
  Two sentences
  on two lines.
references: [issue 7]
machines: [a, b, c]
network: {latency: 1ms, jitter: 2ms, loss: 0.5%}
disk: {write: 5us, sync: 1ms, capacity_bytes: 1000000}
warmup: 15s
duration: 1m30s
quiescence: 40s
workload:
  clients: 3
  operations: 30
  keys: 4
  value_bytes: 8
  pause: 100ms
  timeout: 2s
  mix: {read: 1, write: 2}
faults:
  - {kind: partition, at: 5s, for: 10s, groups: [[a], [b, c]]}
  - {kind: link, at: 20s, from: [a], to: [all], loss: 10%, latency: 30ms}
  - {kind: kill, at: 25s, for: 5s, machines: [b], process: store}
nemesis: {kinds: [pause, cut], every: 10s, for_min: 1s, for_max: 3s}
expect: {verdict: valid, succeeded: 40%, probes: [catch-up]}
subject:
  kind: toy
  votes: {n1: 2}
  policy: strict
`

func TestParseReadsEveryField(t *testing.T) {
	s, subject, err := scenarios.Parse("everything.yaml", []byte(wholeFile), toyKinds())
	require.NoError(t, err)
	require.Equal(t, "everything", s.Name)
	require.Equal(t, "Two sentences\non two lines.\n", s.Story)
	require.Equal(t, scenarios.Machines{"a", "b", "c"}, s.Machines)
	require.Equal(t, scenarios.Network{Latency: time.Millisecond, Jitter: 2 * time.Millisecond, Loss: 5000},
		s.Network)
	require.Equal(t, int64(1_000_000), s.Disk.CapacityBytes)
	require.Equal(t, 90*time.Second, s.Duration)
	require.Equal(t, map[string]int{"read": 1, "write": 2}, s.Workload.Mix)
	require.Equal(t, fault.Fault{Kind: fault.Link, At: 20 * time.Second, From: []string{"a"},
		To:   []string{"all"},
		Loss: 100_000, Latency: 30 * time.Millisecond}, s.Faults[1])
	require.Equal(t, 1, s.Nemesis.AtOnce)
	require.Equal(t, toyPart{Votes: map[string]int{"n1": 2}, Policy: "strict"}, subject.(*toy).part)
}

func TestParseFillsInDefaults(t *testing.T) {
	s, _, err := scenarios.Parse("x.yaml",
		[]byte("{name: x, story: s, machines: 3, duration: 60s, subject: {kind: toy}}"), toyKinds())
	require.NoError(t, err)
	require.Equal(t, scenarios.Count(3), s.Machines)
	require.Equal(t, scenarios.DefaultWarmup, s.Warmup)
	require.Equal(t, "valid", s.Expect.Verdict)
	require.Equal(t, 5, s.Workload.Clients)
	require.Positive(t, s.Workload.Pause)
}

func TestLoadNamesTheFile(t *testing.T) {
	fsys := fstest.MapFS{"dir/x.yaml": {Data: []byte("nonsense: 1")}}
	_, _, err := scenarios.Load(fsys, "dir/x.yaml", toyKinds())
	require.ErrorContains(t, err, "dir/x.yaml:1:1: ")
	_, _, err = scenarios.Load(fsys, "dir/y.yaml", toyKinds())
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestSubjectErrorWithoutPlaceGetsTheSubjects(t *testing.T) {
	kinds := scenarios.Kinds{"toy": func(*scenarios.Scenario) (scenarios.Subject, error) {
		return nil, errors.New("no such thing; write another")
	}}
	_, _, err := scenarios.Parse("x.yaml", []byte(wholeFile), kinds)
	require.EqualError(t, err, "x.yaml:27:3: subject: no such thing; write another")
}

func FuzzParse(f *testing.F) {
	f.Add(wholeFile)
	f.Add("{name: x, story: s, machines: 3, duration: 60s, subject: {kind: toy}}")
	f.Add("a: &a [*a]\n--- \n")
	f.Add("name: !!binary x\n<<: {}\n? [a]\n: b\n")
	f.Add("faults: [{kind: flap, at: 0s, from: [n1], to: [n2], up: 1ns, down: 1ns}]")
	f.Fuzz(func(t *testing.T, text string) {
		s, _, err := scenarios.Parse("f.yaml", []byte(text), toyKinds())
		if err != nil {
			requirePlaced(t, err)
			return
		}
		out, err := scenarios.Marshal(s)
		require.NoError(t, err)
		again, _, err := scenarios.Parse("f.yaml", out, toyKinds())
		require.NoError(t, err, "%s", out)
		requireSame(t, s, again)
	})
}
