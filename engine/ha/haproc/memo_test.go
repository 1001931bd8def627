package haproc

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

func TestMemoParsesAnewWhatIsNew(t *testing.T) {
	var m parsedFile[string]
	parsed := 0
	parse := func(data []byte) (string, error) {
		parsed++
		if len(data) == 0 {
			return "", errors.New("empty")
		}
		return string(data), nil
	}
	data := []byte("a")
	for _, step := range []struct {
		text   string
		parsed int
	}{{"a", 1}, {"a", 1}, {"b", 2}, {"a", 3}, {"", 4}, {"", 4}, {"a", 5}} {
		data = append(data[:0], step.text...) // the same memory every time
		value, err := m.parseCached(data, parse)
		require.Equal(t, step.text, value)
		require.Equal(t, step.text == "", err != nil)
		require.Equal(t, step.parsed, parsed)
	}
}

// TestPlacementRemembersNothingWrong: a placement with a memory returns what a new one returns.
func TestPlacementRemembersNothingWrong(t *testing.T) {
	nodes := []Node{{ID: 1, Name: "n1"}, {ID: 2, Name: "n2"}}
	rapid.Check(t, func(t *rapid.T) {
		var p placementCache
		texts := map[string]*resources{}
		for range rapid.IntRange(1, 8).Draw(t, "readings") {
			text := rapid.SampledFrom([]string{"vm: 1\n", "vm: 1\n\nvm: 2\n",
				"vm: 1\n\tstate stopped\n"}).Draw(t, "text")
			if texts[text] == nil {
				r, err := parseResources([]byte(text))
				require.NoError(t, err)
				texts[text] = r
			}
			names := []string{"nodes/n1/lrm_status"}
			for _, sid := range []string{"vm:1", "vm:2"} {
				if home := rapid.SampledFrom([]string{"", "n1", "n2"}).Draw(t, sid); home != "" {
					names = append(names, GuestPath(sid, home))
				}
			}
			var fresh placementCache
			want := fresh.placementsOf(texts[text], names, nodes)
			require.Equal(t, want, p.placementsOf(texts[text], names, nodes))
			for _, cd := range texts[text].services {
				require.Empty(t, cd.Node, "what was parsed stays as it was")
			}
		}
	})
}

func TestTheMastersCopyIsItsOwn(t *testing.T) {
	shared := map[string]*ha.ServiceConfig{"vm:1": {Node: "n1"}, "vm:2": {Node: "n2"}}
	own := cloneServices(shared)
	require.Equal(t, shared, own)
	own["vm:1"].Node = "n3"
	delete(own, "vm:2")
	require.Equal(t, "n1", shared["vm:1"].Node)
	require.Equal(t, "n2", shared["vm:2"].Node)
}
