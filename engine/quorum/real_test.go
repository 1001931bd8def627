package quorum_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/corosync"
	"github.com/holdfast-sim/holdfast/engine/quorum"
	"github.com/holdfast-sim/holdfast/engine/ring"
)

// realAnswer is what the real Corosync made of a file: of its first node, 198.18.0.1, started alone.
type realAnswer struct {
	accepted bool
	output   string
	values   map[string]string // of corosync-cmapctl and corosync-quorumtool -s
}

var (
	cmapLine   = regexp.MustCompile(`(?m)^(\S+) \(\w+\) = (.*)$`)
	linkKey    = regexp.MustCompile(`^runtime.config.totem.interface.(\d).knet_ping_timeout$`)
	statusLine = regexp.MustCompile(`(?m)^(Expected votes|Highest expected|Total votes|Quorum|Flags):(.*)$`)
)

func readReal(output string) realAnswer {
	r := realAnswer{accepted: strings.Contains(output, "rc_start=0"), output: output,
		values: map[string]string{}}
	for _, m := range cmapLine.FindAllStringSubmatch(output, -1) {
		r.values[m[1]] = m[2]
	}
	for _, m := range statusLine.FindAllStringSubmatch(output, -1) {
		r.values[m[1]] = strings.Join(strings.Fields(m[2]), " ")
	}
	return r
}

var keyFileRefused = regexp.MustCompile(`Could not open \S*authkey|Could only read`)

var machineRefused = regexp.MustCompile(`is not found in /etc/|Cannot chdir`)

// knownDifferences are the differences that engine/corosync/DESIGN.md and DESIGN.md list, by the id there.
// Every other difference fails the test.
var knownDifferences = []struct {
	id      string
	applies func(r realAnswer, c *corosync.Config, difference string) bool
}{
	{"S0 stricter on purpose", func(_ realAnswer, _ *corosync.Config, d string) bool {
		return strings.HasPrefix(d, "stricter: ")
	}},
	{"D1 key file", func(r realAnswer, _ *corosync.Config, d string) bool {
		return d == "accepted" && keyFileRefused.MatchString(r.output)
	}},
	{"D2 host name", func(r realAnswer, _ *corosync.Config, d string) bool {
		return d == "accepted" && strings.Contains(r.output, "failed to parse node address")
	}},
	{"D6 users and folders", func(r realAnswer, _ *corosync.Config, d string) bool {
		return d == "accepted" && machineRefused.MatchString(r.output)
	}},
	{"D3 device votes", func(_ realAnswer, c *corosync.Config, d string) bool {
		return c != nil && c.Quorum.Device != nil && c.Quorum.Device.VoteCount.Set && isQuorumValue(d)
	}},
	{"D7 list of tie-breakers", func(_ realAnswer, c *corosync.Config, d string) bool {
		side, _, _ := corosync.ParseTieBreakerNode(quorumOf(c).AutoTieBreakerNode)
		return side == corosync.SideOfFirstListed && isQuorumValue(d)
	}},
	{"D4 votes above 255", func(_ realAnswer, c *corosync.Config, d string) bool {
		return c != nil && c.ExpectedVotes() > 255 && isQuorumValue(d)
	}},
	{"D5 echo of priority 0", func(_ realAnswer, _ *corosync.Config, d string) bool {
		return strings.HasSuffix(d, "knet_link_priority: real 0, here 1")
	}},
}

func quorumOf(c *corosync.Config) corosync.Quorum {
	if c == nil {
		return corosync.Quorum{}
	}
	return c.Quorum
}

func isQuorumValue(difference string) bool {
	name, _, _ := strings.Cut(difference, ":")
	return slices.Contains([]string{"Expected votes", "Highest expected", "Quorum", "Flags"}, name)
}

// differences compares everything that can be compared. It returns the configuration, nil if it is refused.
func differences(name string, conf []byte, real realAnswer) (*corosync.Config, []string) {
	c, _, err := corosync.Parse(name, conf)
	if err != nil {
		var out []string
		for _, p := range err.(*corosync.Problems).List {
			switch {
			case real.accepted && p.Stricter:
				out = append(out, "stricter: "+p.Error())
			case real.accepted:
				out = append(out, "refused: "+p.Error())
			}
		}
		if !real.accepted && err.(*corosync.Problems).Stricter() {
			out = append(out, "refused with reasons that are called stricter: "+err.Error())
		}
		return nil, out
	}
	self := selfOf(c, real)
	timers, err := corosync.DeriveTimers(c)
	if err != nil {
		return c, []string{"no timers: " + err.Error()}
	}
	config, err := quorum.FromCorosync(c, timers, self)
	switch {
	case err != nil && real.accepted:
		return c, []string{"no votequorum: " + err.Error()}
	case err != nil:
		return c, nil
	case !real.accepted:
		return c, []string{"accepted"}
	}
	var out []string
	for key, here := range valuesOf(c, timers, config) {
		if there, ok := real.values[key]; ok && there != here {
			out = append(out, fmt.Sprintf("%s: real %s, here %s", key, there, here))
		}
	}
	for key := range real.values {
		if m := linkKey.FindStringSubmatch(key); m != nil {
			if link, _ := strconv.Atoi(m[1]); !slices.Contains(c.Links(), link) {
				out = append(out, fmt.Sprintf("link %d: real has it", link))
			}
		}
	}
	slices.Sort(out)
	return c, out
}

// selfOf returns the node that the real Corosync was.
func selfOf(c *corosync.Config, real realAnswer) ring.NodeID {
	if id, err := strconv.ParseUint(real.values["runtime.votequorum.this_node_id"], 10, 32); err == nil {
		return ring.NodeID(id)
	}
	for _, n := range c.Nodes {
		if n.Addrs[0] == "198.18.0.1" {
			return n.ID
		}
	}
	return 0
}

// valuesOf returns the computed values under the names of the real ones.
func valuesOf(c *corosync.Config, t corosync.Timers, config quorum.Config) map[string]string {
	out := map[string]string{}
	set := func(key string, value any) { out[key] = fmt.Sprint(value) }
	const totem = "runtime.config.totem."
	set(totem+"token", t.Token.Milliseconds())
	set(totem+"token_retransmit", t.TokenRetransmit.Milliseconds())
	set(totem+"hold", t.Hold.Milliseconds())
	set(totem+"consensus", t.Consensus.Milliseconds())
	set(totem+"join", t.Join.Milliseconds())
	set(totem+"send_join", t.SendJoin.Milliseconds())
	set(totem+"merge", t.Merge.Milliseconds())
	set(totem+"downcheck", t.Downcheck.Milliseconds())
	set(totem+"max_network_delay", t.MaxNetworkDelay.Milliseconds())
	set(totem+"token_warning", c.Totem.TokenWarningPct.Or(75))
	set(totem+"token_retransmits_before_loss_const", t.RetransmitsBeforeLoss)
	set(totem+"fail_recv_const", t.FailRecvConst)
	set(totem+"seqno_unchanged_const", t.SeqnoUnchangedConst)
	set(totem+"miss_count_const", t.MissCountConst)
	set(totem+"window_size", t.WindowSize)
	set(totem+"max_messages", t.MaxMessages)
	set(totem+"heartbeat_failures_allowed", c.Totem.HeartbeatFailures.Value)
	set(totem+"knet_mtu", c.Totem.KnetMTU.Value)
	set(totem+"knet_pmtud_interval", int(t.PMTUDInterval.Seconds()))
	for _, l := range t.Links {
		set(fmt.Sprintf("%sinterface.%d.knet_ping_interval", totem, l.Link), l.PingInterval.Milliseconds())
		set(fmt.Sprintf("%sinterface.%d.knet_ping_timeout", totem, l.Link), l.PingTimeout.Milliseconds())
		if l.Priority != 1 {
			set(fmt.Sprintf("totem.interface.%d.knet_link_priority", l.Link), l.Priority)
		}
		if l.Port != uint16(5405+l.Link) {
			set(fmt.Sprintf("totem.interface.%d.mcastport", l.Link), l.Port)
		}
	}
	machine, _, err := quorum.New(config)
	if err != nil {
		set("Expected votes", err)
		return out
	}
	alone(machine, config.Self)
	s := machine.Status()
	set("Expected votes", s.Expected)
	set("Highest expected", s.HighestExpected)
	set("Total votes", s.Votes)
	set("Quorum", s.Quorum)
	if !s.Quorate {
		set("Quorum", fmt.Sprint(s.Quorum, " Activity blocked"))
	}
	set("Flags", strings.Join(s.Options, " "))
	return out
}

// alone lets a node form the ring of itself.
func alone(machine *quorum.Votequorum, self ring.NodeID) {
	messages := machine.StartRing(ring.ID{Rep: self, Seq: 5}, []ring.NodeID{self}).Multicast
	for len(messages) > 0 {
		out, err := machine.Deliver(self, messages[0])
		if err != nil {
			panic(err)
		}
		messages = append(messages[1:], out.Multicast...)
	}
}

// unexplained returns the differences that no known one explains, and counts those that are explained.
func unexplained(real realAnswer, c *corosync.Config, found []string, known map[string]int) []string {
	var rest []string
	for _, d := range found {
		explained := false
		for _, k := range knownDifferences {
			if k.applies(real, c, d) {
				known[k.id]++
				explained = true
				break
			}
		}
		if !explained {
			rest = append(rest, d)
		}
	}
	return rest
}

// TestRecordedAnswersOfCorosync compares with recorded answers: refused or accepted, timers, links, votes and
// options in force.
func TestRecordedAnswersOfCorosync(t *testing.T) {
	files := recordedFiles(t)
	require.NotEmpty(t, files)
	known, equal := map[string]int{}, 0
	for _, file := range files {
		conf, err := os.ReadFile(file)
		require.NoError(t, err)
		output, err := os.ReadFile(strings.TrimSuffix(file, ".conf") + ".real")
		require.NoError(t, err)
		real := readReal(string(output))
		c, found := differences(filepath.Base(file), conf, real)
		if len(found) == 0 {
			equal++
		}
		require.Empty(t, unexplained(real, c, found, known), "%s", file)
	}
	t.Logf("%d files, %d equal in everything; the rest by reason: %v", len(files), equal, known)
}

// recordedFiles returns the files of the corpus corosync-conf, which is not part of the project.
func recordedFiles(t *testing.T) []string {
	t.Helper()
	roots := []string{os.Getenv("HOLDFAST_CORPORA"), filepath.Join("..", "..", "..", "shared", "corpora")}
	for _, root := range roots {
		files, err := filepath.Glob(filepath.Join(root, "corosync-conf", "*.conf"))
		require.NoError(t, err)
		if root != "" && len(files) > 0 {
			return files
		}
	}
	t.Skip("corpus corosync-conf not found: set HOLDFAST_CORPORA to the folder that holds it")
	return nil
}
