package words

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

var plainSpaces = strings.NewReplacer("\u00a0", " ", "\u202f", " ")

func TestTimesInWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 ns", 999: "999 ns", 1000: "1 µs", 1_540: "1.54 µs", 12_345_678: "12.3 ms",
		999_999_999: "999 ms",
		time.Second: "1 s", 61 * time.Second: "61 s", 1_500 * time.Millisecond: "1.5 s",
		-2 * time.Millisecond: "-2 ms",
	} {
		require.Equal(t, want, plainSpaces.Replace(Duration(d)))
	}
	require.Equal(t, "-0.001", Seconds(-1500*time.Microsecond, 3))
	require.Equal(t, "12", Seconds(12_999*time.Millisecond, 0))
	require.Equal(t, "1 234 567", plainSpaces.Replace(GroupDigits(1234567)))
	require.Equal(t, "999", GroupDigits(uint64(999)))
}

func TestFaultWords(t *testing.T) {
	all, one := []string{"all"}, []string{"n1"}
	for _, c := range []struct {
		fault fault.Fault
		want  string
	}{
		{fault.Fault{Kind: fault.Partition, Groups: [][]string{{"n1", "n2"}, {"n3"}}},
			"partition n1 n2 | n3"},
		{fault.Fault{Kind: fault.Cut, From: one, To: []string{"n3"}, OneWay: true}, "cut n1 → n3"},
		{fault.Fault{Kind: fault.Link, From: one, To: all, Loss: 2500, Jitter: time.Millisecond},
			"link n1 ↔ all: loss 0.25%, jitter 1 ms"},
		{fault.Fault{Kind: fault.Flap, From: one, To: all, Up: time.Second, Down: 2 * time.Second},
			"flap n1 ↔ all: 2 s down, 1 s up"},
		{fault.Fault{Kind: fault.Kill, Machines: one, Process: "store"}, "kill n1 (store)"},
		{fault.Fault{Kind: fault.PowerCut, Machines: []string{"n1", "n2"}}, "power cut n1 n2"},
		{fault.Fault{Kind: fault.DiskError, Machines: one, Operation: "sync"}, "disk error n1: EIO on sync"},
		{fault.Fault{Kind: fault.ClockStep, Machines: one, Step: -time.Second}, "clock step n1: -1 s"},
		{fault.Fault{Kind: fault.ClockDrift, Machines: one, DriftPPM: 200}, "clock drift n1: +200 ppm"},
	} {
		require.Equal(t, c.want, plainSpaces.Replace(Fault(&c.fault)))
	}
}

func TestOperationWords(t *testing.T) {
	op := history.Operation{F: "cas", Key: "k1", Input: json.RawMessage(`"v"`), Expect: 7, Call: 1e9,
		Return:  1e9 + 5e6,
		Outcome: history.Fail, Error: "revision_mismatch", Rev: 9, Mod: 8}
	require.Equal(t, `cas k1 = "v" if at revision 7`, Call(&op))
	require.Equal(t, "failed (revision_mismatch), revision 9, last changed at 8", Outcome(&op))
	require.Equal(t, "at 1.000 s, took 5 ms", plainSpaces.Replace(When(&op)))
	op = history.Operation{F: "rename", Key: "a", Input: json.RawMessage(`"b"`), Return: history.Never,
		Outcome: history.Info}
	require.Equal(t, `rename a to "b"`, Call(&op))
	require.Equal(t, "outcome unknown", Outcome(&op))
	require.Equal(t, "at 0.000 s, never answered", plainSpaces.Replace(When(&op)))
	op.Ended = int64(time.Second)
	require.Equal(t, "at 0.000 s, given up after 1 s", plainSpaces.Replace(When(&op)))
}

func FuzzClean(f *testing.F) {
	f.Add("plain")
	f.Add("\x1b[2J\n\xff\u202e\u200b\U0010ffff")
	f.Fuzz(func(t *testing.T, s string) {
		out := Clean(s)
		require.True(t, utf8.ValidString(out))
		require.False(t, strings.ContainsFunc(out, func(r rune) bool {
			return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029'
		}), "%q", out)
		require.Equal(t, out, Clean(out))
	})
}

func TestFlowingJoinsTheLinesOfAParagraph(t *testing.T) {
	for text, want := range map[string]string{
		"one":                          "one",
		"a line\nand its end.\n":       "a line and its end.",
		"first\r\nline\n\nsecond\none": "first line\n\nsecond one",
		"two things:\n- a\n- b\n  b2":  "two things:\n- a\n- b\n  b2",
		"":                             "",
	} {
		require.Equal(t, want, JoinLines(text))
	}
}
