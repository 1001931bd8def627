package scenarios_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// TestFileAndGoAreTheSame writes one story in both spellings.
func TestFileAndGoAreTheSame(t *testing.T) {
	made, err := scenarios.New("everything").Story("Two sentences\non two lines.\n").References("issue 7").
		Named("a", "b", "c").
		Network(scenarios.Network{Latency: time.Millisecond, Jitter: 2 * time.Millisecond, Loss: 5000}).
		Disk(scenarios.Disk{Write: 5 * time.Microsecond, Sync: time.Millisecond, CapacityBytes: 1_000_000}).
		Warmup(15*time.Second).Duration(90*time.Second).Quiescence(40*time.Second).
		Workload(workload.Spec{Clients: 3, Operations: 30, Keys: 4, ValueBytes: 8,
			Pause:   100 * time.Millisecond,
			Timeout: 2 * time.Second, Mix: map[string]int{"read": 1, "write": 2}}).
		At(5*time.Second).Partition([]string{"a"}, []string{"b", "c"}).For(10*time.Second).
		At(20*time.Second).Degrade([]string{"a"}, []string{fault.All},
		fault.Condition{Loss: 100_000, Latency: 30 * time.Millisecond}).
		At(25*time.Second).KillProcess("store").On("b").For(5*time.Second).
		Nemesis(scenarios.Nemesis{Kinds: []fault.Kind{fault.Pause, fault.Cut}, Every: 10 * time.Second,
			ForMin: time.Second, ForMax: 3 * time.Second}).
		Expect(scenarios.Expect{Verdict: "valid", Succeeded: new(fault.PPM(400_000)),
			Probes: []string{"catch-up"}}).
		Subject("toy", toyPart{Votes: map[string]int{"n1": 2}, Policy: "strict"}).
		Build()
	require.NoError(t, err)
	read, _, err := scenarios.Parse("everything.yaml", []byte(wholeFile), toyKinds())
	require.NoError(t, err)
	requireSame(t, read, made)

	text, err := scenarios.Marshal(read)
	require.NoError(t, err)
	again, err := scenarios.Marshal(made)
	require.NoError(t, err)
	require.Equal(t, string(text), string(again), "one canonical file for both")
}

func TestBuildersOfEveryKind(t *testing.T) {
	a, b := []string{"n1"}, []string{"n2"}
	s, err := scenarios.New("x").Story("s").Subject("toy", nil).Machines(3).Duration(time.Minute).
		At(1).Partition(a, b).At(2).Isolate("n1").For(5).At(3).Cut(a, b).At(4).CutOneWay(a, b).
		At(5).Degrade(a, b, fault.Condition{Loss: 1}).At(6).Flap(a, b, time.Second, time.Second).
		At(7).KillProcess("store").On("n1").For(5).At(15).PauseMachine("n1").For(5).At(
		25).PowerCut("n1").For(5).
		At(31).PowerOn("n1").
		At(35).DiskStall("n1").At(35).DiskSlow(time.Millisecond, "n1").At(35).DiskFull("n1").
		At(35).DiskError("sync", "n1").At(35).ClockStep(-time.Hour, "n1").At(35).ClockDrift(-7, "n1").
		At(40).PowerOn("n2").At(41).DiskLoss(fault.DiskWipe, "n2").For(4).
		At(46).DiskLoss(fault.DiskRollback, "n2").For(3).
		At(50).DiskLoss(fault.DiskCut, "n2").For(1).
		At(51).Fault(fault.Fault{Kind: fault.Slow, Machines: []string{"n3"}, Times: 7}).For(1).
		At(51).Fault(fault.Fault{Kind: fault.Freeze, Machines: []string{"n3"}}).For(1).
		At(51).Fault(fault.Fault{Kind: fault.Clog, From: a, To: b}).
		At(51).Fault(fault.Fault{Kind: fault.Bandwidth, From: a, To: b, BytesPerSecond: 1000}).
		At(51).Fault(fault.Fault{Kind: fault.MTU, From: a, To: b, MTUBytes: 600}).
		At(51).Fault(fault.Fault{Kind: fault.Corrupt, From: a, To: b, Share: 1}).
		At(51).DiskLoss(fault.DiskCorrupt, "n2").At(51).DiskLoss(fault.DiskLatent, "n2").
		At(51).DiskLoss(fault.DiskLostWrite, "n2").At(51).DiskLoss(fault.DiskMisdirect, "n2").
		At(53).PauseMachine().AtRole("serving").For(1).At(54).PowerCut("n1").AtDiskCall(3, true).For(1).
		At(54).PauseMachine("n3").OnTrigger("store-installed", 2).For(1).
		At(55).Fault(fault.Fault{Kind: fault.Buggify, Machines: []string{"n2"}}).For(1).
		Fault(fault.Fault{Kind: fault.Kill, At: 50, Machines: []string{"n3"}}).Build()
	require.NoError(t, err)
	seen := map[fault.Kind]bool{}
	for _, f := range s.Faults {
		seen[f.Kind] = true
	}
	require.Len(t, seen, len(fault.Kinds()))
}

// TestAPowerButtonIsPressedAgain: a press is over at once, whatever its duration, so another one may follow
// it.
func TestAPowerButtonIsPressedAgain(t *testing.T) {
	s, err := scenarios.New("x").Story("s").Subject("toy", nil).Machines(3).Duration(time.Minute).
		At(10 * time.Second).PowerOn("n1").At(20 * time.Second).PowerOn("n1").Build()
	require.NoError(t, err)
	require.Len(t, s.Faults, 2)
}

func TestBuildRefuses(t *testing.T) {
	_, err := scenarios.New("x").Story("s").Subject("toy", nil).Machines(3).Duration(time.Minute).
		At(2 * time.Minute).KillMachine("n1").Build()
	require.EqualError(t, err, "building scenario x: faults[0].at: 2m is not before the end of the faults, "+
		"which last 1m; times count from the end of the warm-up")
	require.Panics(t, func() { scenarios.New("x").MustBuild() })
}

// TestRoundTrip writes generated scenarios as files and reads them back.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anyScenario(t)
		text, err := scenarios.Marshal(s)
		require.NoError(t, err)
		read, _, err := scenarios.Parse("any.yaml", text, toyKinds())
		require.NoError(t, err, "%s", text)
		requireSame(t, s, read)
		again, err := scenarios.Marshal(read)
		require.NoError(t, err)
		require.Equal(t, string(text), string(again))
	})
}

func anyScenario(t *rapid.T) *scenarios.Scenario {
	ms := func(name string, most int) time.Duration {
		return time.Duration(rapid.IntRange(1, most).Draw(t, name)) * time.Microsecond
	}
	story := rapid.StringMatching(`[a-z]([^\x00-\x08\x0b-\x1f]{0,60}[^\s\x00-\x1f])?`)
	b := scenarios.New(rapid.StringMatching(`[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?`).Draw(t, "name")).
		Story(story.Draw(t, "story")).
		References(rapid.SliceOfN(story, 0, 3).Draw(t, "references")...).
		Machines(rapid.IntRange(2, 9).Draw(t, "machines")).
		Network(scenarios.Network{Latency: ms("latency", 1e6), Jitter: ms("jitter", 1e6),
			Loss: fault.PPM(rapid.IntRange(0, 999_999).Draw(t, "loss"))}).
		Warmup(ms("warmup", 1e9)).Duration(10*time.Second+ms("duration", 1e9)).
		Quiescence(ms("quiescence", 1e9)).
		Workload(workload.Spec{Clients: rapid.IntRange(1, 9).Draw(t, "clients"), Timeout: ms("timeout", 1e7),
			Mix: map[string]int{"read": 1, "write": rapid.IntRange(0, 9).Draw(t, "writes")}}).
		Subject("toy", toyPart{Policy: story.Draw(t, "policy")})
	if rapid.Bool().Draw(t, "nemesis") {
		b.Nemesis(scenarios.Nemesis{Kinds: fault.Kinds(), Every: time.Second, ForMin: time.Second,
			ForMax: 2 * time.Second})
	}
	s, err := b.Build()
	require.NoError(t, err)
	if s.Nemesis != nil && rapid.Bool().Draw(t, "resolve") {
		s = s.Resolved(nil, func(_, label string) draw.Chooser { return drawn{t, label} })
	}
	if len(s.References) == 0 {
		s.References = nil
	}
	return s
}

func TestScaled(t *testing.T) {
	s, _, err := scenarios.Parse("everything.yaml", []byte(wholeFile), toyKinds())
	require.NoError(t, err)
	fifth, err := s.Scaled(timescale.Ratio{Num: 1, Den: 5})
	require.NoError(t, err)
	require.Equal(t, 18*time.Second, fifth.Duration)
	require.Equal(t, 3*time.Second, fifth.Warmup)
	require.Equal(t, 8*time.Second, fifth.Quiescence)
	require.Equal(t, time.Second, fifth.Faults[0].At)
	require.Equal(t, 2*time.Second, fifth.Faults[0].For)
	require.Equal(t, 6*time.Millisecond, fifth.Faults[1].Latency)
	require.Equal(t, 400*time.Millisecond, fifth.Workload.Timeout)
	require.Equal(t, 2*time.Second, fifth.Nemesis.Every)
	require.Equal(t, s.Network, fifth.Network, "the surroundings stay as they are")
	require.Equal(t, s.Disk, fifth.Disk)
	require.Equal(t, 90*time.Second, s.Duration, "the original stays as it is")
	require.Equal(t, 5*time.Second, s.Faults[0].At)
	require.Equal(t, 10*time.Second, s.Nemesis.Every)
	require.NoError(t, fifth.Validate())

	same, err := s.Scaled(timescale.Ratio{})
	require.NoError(t, err)
	requireSame(t, s, same)

	_, err = s.Scaled(timescale.Ratio{Num: 1, Den: 100})
	require.ErrorIs(t, err, scenarios.ErrTimescale)
	require.EqualError(t, err, "scaling scenario everything: timescale is too small: "+
		"warmup of 15s times 1/100 is less than 500ms; write a larger timescale")
	_, err = s.Scaled(timescale.Ratio{Num: 1, Den: 0})
	require.Error(t, err)
	_, err = s.Scaled(timescale.Ratio{Num: 5000, Den: 1})
	require.Error(t, err)
}
