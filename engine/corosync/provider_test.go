package corosync

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const threeNodes = `totem {
  version: 2
  cluster_name: lab
}
nodelist {
  node {
    name: n1
    nodeid: 1
    ring0_addr: 198.18.0.1
  }
  node {
    name: n2
    nodeid: 2
    ring0_addr: 198.18.0.2
  }
  node {
    name: n3
    nodeid: 3
    ring0_addr: 198.18.0.3
  }
}
quorum {
  provider: corosync_votequorum
}
`

// TestWhatCorosyncPassesOver: Corosync starts with these files, as was seen with version 3.1.7, so the error
// must
// tell that the reader is stricter.
func TestWhatCorosyncPassesOver(t *testing.T) {
	const device = "  device {\n    model: net\n    votes: 1\n    net {\n      host: 198.18.0.9\n" +
		"      algorithm: lms\n    }\n  }\n"
	for name, c := range map[string]struct {
		old, new, want string
		stricter       bool
	}{
		"another node without any address": {"    ring0_addr: 198.18.0.3\n", "",
			`node "n3" has no ring0_addr`, true},
		"an address of the next link only": {"ring0_addr: 198.18.0.3", "ring1_addr: 198.18.1.3",
			`node "n3" has no ring0_addr`, false},
		"the first node without address": {"    ring0_addr: 198.18.0.1\n", "", `node "n1" has no ring0_addr`,
			false},
		"rules of votequorum without provider": {"  provider: corosync_votequorum\n",
			"  last_man_standing: 1\n" + device, "last_man_standing and a quorum device", true},
		"rules of votequorum": {"corosync_votequorum\n", "corosync_votequorum\n  last_man_standing: 1\n" +
			device,
			"last_man_standing and a quorum device", false},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := Parse("corosync.conf", []byte(strings.Replace(threeNodes, c.old, c.new, 1)))
			require.ErrorContains(t, err, c.want)
			require.Equal(t, c.stricter, err.(*Problems).Stricter(), "%v", err)
		})
	}
}
