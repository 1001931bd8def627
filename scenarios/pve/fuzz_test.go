package pve_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/library"
	"github.com/holdfast-sim/holdfast/scenarios/pve"
)

// FuzzDecode: whatever the subject's part of a scenario contains, it is refused or can be composed, and
// what it drives real nodes with has answers too.
func FuzzDecode(f *testing.F) {
	for _, name := range []string{"ha-node-dies", "ha-storm", "ha-fence-second-device"} {
		data, err := library.Get(name)
		require.NoError(f, err)
		_, part, _ := strings.Cut(string(data), "\nsubject:\n")
		f.Add(part)
	}
	f.Add("  kind: pve\n  votes: {n1: 2}\n  token: 1s\n")
	f.Add("  kind: pve\n  ha: {services: {\"vm:100\": n1}, commands: [{at: 1s, on: n1, run: \"move vm:100 " +
		"n2\"}]}\n")
	const head = "name: fuzzed\nstory: s\nmachines: 3\nduration: 60s\nsubject:\n"
	f.Fuzz(func(t *testing.T, part string) {
		if strings.Contains(part, "corosync_conf") {
			t.Skip("it names a file of this computer")
		}
		_, subject, err := scenarios.Parse("fuzzed.yaml", []byte(head+part), kinds)
		if err != nil {
			return
		}
		if s, ok := subject.(*pve.Subject); ok {
			require.Len(t, s.NodeNames(), 3)
			require.NotEmpty(t, s.Builder().Processes(0))
			require.NotNil(t, s.Driver())
		}
	})
}

// FuzzDecodeRecord: a record is refused, or it is of the kind that was asked for.
func FuzzDecodeRecord(f *testing.F) {
	s := scenarios.New("fuzzed").Story("s").Machines(1).Duration(time.Minute).Subject(pve.Kind,
		pve.Spec{}).MustBuild()
	subject, err := pve.Decode(s)
	require.NoError(f, err)
	f.Add("operator", []byte(`{"what":"files in place"}`))
	f.Add("membership", []byte(`{"ring":{"seq":4}}`))
	f.Add("store-applied", []byte(`{"revision":-1}`))
	f.Fuzz(func(t *testing.T, kind string, data []byte) {
		if r, err := subject.Judge().DecodeRecord(kind, data); err == nil {
			require.Equal(t, kind, r.RecordKind())
		}
	})
}
