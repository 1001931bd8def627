package quorum

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/corosync"
	"github.com/holdfast-sim/holdfast/engine/ring"
)

// TestTraces runs the stories in testdata. Commands:
//
//	cluster nodes=3 [votes=(1,1,2)]   start the nodes; input: lines for section quorum
//	split 1,2 3                       make one ring of each group and settle
//	sync 1 2                          make a ring and deliver nothing yet
//	settle                            deliver everything
//	kill 3 / boot 3                   stop and start a node
//	fire last-man-standing 1 2        let a timer expire
//	expected node=1 votes=2           the operator's command
//	leave 3                           a clean stop
//	register|unregister|master 1 2    the quorum device on these nodes
//	poll 1 [vote=false]               the device's poll for the present ring
//	status 1 2                        what the voters say
//
// Rewrite with: go test ./engine/quorum -run TestTraces -rewrite
func TestTraces(t *testing.T) {
	datadriven.Walk(t, "testdata/traces", func(t *testing.T, path string) {
		var w *world
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var lines []string
			if d.Cmd == "cluster" {
				w = emptyWorld(t)
			}
			w.log = func(line string) { lines = append(lines, line) }
			runCommand(t, w, d)
			if len(lines) == 0 {
				return "ok\n"
			}
			return strings.Join(lines, "\n") + "\n"
		})
	})
}

func runCommand(t *testing.T, w *world, d *datadriven.TestData) {
	switch d.Cmd {
	case "cluster":
		startCluster(t, w, d)
	case "split":
		var groups [][]ring.NodeID
		for _, g := range keysOf(d.CmdArgs) {
			groups = append(groups, idsOf(t, strings.Split(g, ",")))
		}
		w.split(groups...)
	case "sync":
		w.start(nodes(t, d)...)
	case "settle":
		w.settle()
	case "fire":
		timer := map[string]Timer{"last-man-standing": LastManStandingTimer,
			"device": DeviceTimer}[d.CmdArgs[0].Key]
		w.fire(timer, idsOf(t, keysOf(d.CmdArgs[1:]))...)
	case "expected":
		var id, votes int
		d.ScanArgs(t, "node", &id)
		d.ScanArgs(t, "votes", &votes)
		out, err := w.voters[ring.NodeID(id)].SetExpected(uint32(votes))
		w.try(ring.NodeID(id), out, err)
	default:
		for _, id := range nodes(t, d) {
			nodeCommand(t, w, d, id)
		}
	}
}

func nodeCommand(t *testing.T, w *world, d *datadriven.TestData, id ring.NodeID) {
	m := w.voters[id]
	switch d.Cmd {
	case "kill":
		w.kill(id)
	case "boot":
		w.boot(id)
	case "leave":
		w.do(id, m.Leave(), nil)
		w.settle()
	case "register":
		out, err := m.RegisterDevice(DeviceName)
		w.try(id, out, err)
	case "unregister":
		out, err := m.UnregisterDevice(DeviceName)
		w.try(id, out, err)
	case "master":
		out, err := m.DeviceMasterWins(DeviceName, true)
		w.try(id, out, err)
	case "poll":
		out, err := m.PollDevice(DeviceName, m.ring, !d.HasArg("vote"))
		w.try(id, out, err)
	case "status":
		s := m.Status()
		w.log(fmt.Sprintf("%d: quorate=%v votes=%d expected=%d highest=%d quorum=%d options=%v "+
			"device=%q/%d syncing=%v",
			id, s.Quorate, s.Votes, s.Expected, s.HighestExpected, s.Quorum, s.Options, s.DeviceName,
			s.DeviceVotes,
			m.Syncing()))
		for _, n := range s.Nodes {
			w.log(fmt.Sprintf("   node %d member=%v votes=%d %v", n.ID, n.Member, n.Votes, n.Flags))
		}
	default:
		d.Fatalf(t, "unknown command %q", d.Cmd)
	}
}

// try carries out what may be refused.
func (w *world) try(id ring.NodeID, out Output, err error) {
	w.do(id, out, nil)
	if err != nil && w.log != nil {
		w.log(fmt.Sprintf("%d: refused: %v", id, err))
	}
	w.settle()
}

func startCluster(t *testing.T, w *world, d *datadriven.TestData) {
	var n int
	d.ScanArgs(t, "nodes", &n)
	var conf strings.Builder
	conf.WriteString("totem {\nversion: 2\ncluster_name: test\nconfig_version: 1\n}\nnodelist {\n")
	for i := 1; i <= n; i++ {
		votes := "1"
		if d.HasArg("votes") {
			for _, a := range d.CmdArgs {
				if a.Key == "votes" {
					votes = a.Vals[i-1]
				}
			}
		}
		fmt.Fprintf(&conf, "node {\nnodeid: %d\nname: n%d\nring0_addr: 10.0.0.%d\nquorum_votes: %s\n}\n", i,
			i, i, votes)
	}
	conf.WriteString("}\nquorum {\nprovider: corosync_votequorum\n" + d.Input + "\n}\n")
	c, _, err := corosync.Parse("corosync.conf", []byte(conf.String()))
	require.NoError(t, err, conf.String())
	timers, err := corosync.DeriveTimers(c)
	require.NoError(t, err)
	for _, id := range c.NodeIDs() {
		cfg, err := FromCorosync(c, timers, id)
		require.NoError(t, err)
		w.configs[id] = cfg
		w.boot(id)
	}
}

func keysOf(args []datadriven.CmdArg) []string {
	var keys []string
	for _, a := range args {
		if len(a.Vals) == 0 {
			keys = append(keys, a.Key)
		}
	}
	return keys
}

func nodes(t *testing.T, d *datadriven.TestData) []ring.NodeID { return idsOf(t, keysOf(d.CmdArgs)) }

func idsOf(t *testing.T, fields []string) []ring.NodeID {
	var ids []ring.NodeID
	for _, f := range fields {
		n, err := strconv.Atoi(f)
		require.NoError(t, err)
		ids = append(ids, ring.NodeID(n))
	}
	slices.Sort(ids)
	return ids
}
