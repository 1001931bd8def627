package totem_test

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/envtest"
	"github.com/holdfast-sim/holdfast/engine/ring"
	. "github.com/holdfast-sim/holdfast/engine/totem"
	"github.com/holdfast-sim/holdfast/engine/totem/evs"
	"github.com/holdfast-sim/holdfast/engine/wire"
)

// TestGoldenTraces replays the stories in testdata: commands, and behind each what the nodes did. Every
// story is also held against extended virtual synchrony.
//
//	cluster n=3 [mtu=1400] [window=50] [max=17] [fail-recv=2500] [token-ms=1000]
//	start NODE...        kill NODE...      pause NODE...     resume NODE...    wipe NODE...
//	leave NODE           reform NODE       cut A-B | A>B ... heal              run DURATION
//	multicast node=1 text=hello [safe] [count=1] [bytes=0]
//	drop kind=token [from=1] [to=2] [count=1]     the next packets of that kind
//	show packets | states                        trace them from here on
func TestGoldenTraces(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		s := &story{t: t}
		datadriven.RunTest(t, path, s.command)
		if s.cluster != nil {
			require.Empty(t, s.check.Finish())
		}
	})
}

type story struct {
	*cluster
	t       *testing.T
	check   *evs.Checker
	out     strings.Builder
	cutOff  map[[2]env.MachineID]bool
	drops   []*dropRule
	packets bool
	states  bool
	burst   map[env.MachineID]int
}

type dropRule struct {
	kind     byte
	from, to env.MachineID // -1: any
	left     int
}

var kindNames = map[string]byte{"token": 0, "mcast": 1, "merge": 2, "join": 3, "commit": 4, "hold-cancel": 5}

func (s *story) command(t *testing.T, d *datadriven.TestData) string {
	s.out.Reset()
	if d.Cmd == "cluster" {
		s.begin(d)
		return ""
	}
	require.NotNil(t, s.cluster, "a story begins with the cluster command")
	switch d.Cmd {
	case "run":
		for _, a := range d.CmdArgs {
			length, err := time.ParseDuration(a.Key)
			require.NoError(t, err)
			s.w.RunFor(length)
		}
	case "cut":
		for _, a := range d.CmdArgs {
			s.cut(a.Key)
		}
	case "heal":
		clear(s.cutOff)
	case "multicast":
		s.multicast(d)
	case "drop":
		s.drop(d)
	case "show":
		s.packets = s.packets || d.HasArg("packets")
		s.states = s.states || d.HasArg("states")
	default:
		for _, a := range d.CmdArgs {
			id, err := strconv.Atoi(a.Key)
			require.NoError(t, err)
			s.onNode(d, id-1)
		}
	}
	if s.out.Len() == 0 {
		return "(nothing)\n"
	}
	return s.out.String()
}

func (s *story) onNode(d *datadriven.TestData, i int) {
	switch d.Cmd {
	case "start":
		s.boot(i)
	case "kill":
		s.kill(i)
	case "pause":
		s.w.Pause(s.envs[i])
	case "resume":
		s.w.Resume(s.envs[i])
	case "wipe":
		s.w.WipeDisk(env.MachineID(i))
	case "leave":
		s.procs[i].node.Leave()
		s.kill(i)
	case "reform":
		s.procs[i].node.Reform()
	default:
		d.Fatalf(s.t, "unknown command %s", d.Cmd)
	}
}

func (s *story) begin(d *datadriven.TestData) {
	n, mtu, window, most, failRecv, tokenMs := 3, 1400, 50, 17, 2500, 1000
	d.MaybeScanArgs(s.t, "n", &n)
	d.MaybeScanArgs(s.t, "mtu", &mtu)
	d.MaybeScanArgs(s.t, "window", &window)
	d.MaybeScanArgs(s.t, "max", &most)
	d.MaybeScanArgs(s.t, "fail-recv", &failRecv)
	d.MaybeScanArgs(s.t, "token-ms", &tokenMs)
	s.cluster, s.check = newCluster(s.t, n), evs.New()
	s.tune = func(c *Config) {
		c.Timers = DefaultTimers(time.Duration(tokenMs) * time.Millisecond)
		c.MTUBytes, c.Timers.WindowSize, c.Timers.MaxMessages = mtu, window, most
		c.Timers.FailRecvConst = failRecv
	}
	s.cutOff = map[[2]env.MachineID]bool{}
	s.burst = map[env.MachineID]int{}
	s.setup = func(i int, p *testProc) {
		p.onConf = func(c Configuration) { s.configured(i, c) }
		p.onMsg = func(m Delivery) { s.delivered(i, m) }
	}
	s.w.Logger = func(p *envtest.Proc) *slog.Logger { return slog.New(storyLog{s: s, p: p}) }
	s.w.Deliver = s.pass
	s.w.OnRecord = func(p *envtest.Proc, r env.Record) {
		s.check.Observe(p.Self().Machine, r)
		if c, ok := r.(StateChange); ok && s.states {
			s.line(p.Self().Machine, "%s -> %s: %s", c.From, c.To, c.Reason)
		}
	}
}

func (s *story) line(m env.MachineID, format string, args ...any) {
	now := s.w.Now()
	fmt.Fprintf(&s.out, "%9.1f n%d  %s\n", float64(now.Microseconds())/1000, m+1,
		strings.TrimRight(fmt.Sprintf(format, args...), " "))
}

func (s *story) configured(i int, c Configuration) {
	text := fmt.Sprintf("%s configuration of %v: %v", []string{"transitional", "regular"}[c.Kind], c.Ring,
		c.Members)
	if len(c.Joined) > 0 {
		text += fmt.Sprintf(" joined %v", c.Joined)
	}
	if len(c.Left) > 0 {
		text += fmt.Sprintf(" left %v", c.Left)
	}
	s.line(env.MachineID(i), "%s", text)
}

func (s *story) delivered(i int, m Delivery) {
	how := []string{"agreed", "safe"}[m.Guarantee]
	if m.Transitional {
		how += ", transitional"
	}
	text := string(m.Payload)
	if len(text) > 40 {
		text = fmt.Sprintf("%s... (%d bytes)", strings.TrimRight(text[:20], "."), len(text))
	}
	s.line(env.MachineID(i), "delivers %v/%d from %d (%s): %s", m.Ring, m.Ordinal, m.From, how, text)
}

// pass decides on a datagram: cuts, then the rules that drop by kind.
func (s *story) pass(from, to env.MachineID, _ string, payload []byte) bool {
	pair := [2]env.MachineID{from, to}
	o, err := wire.NewOpener(testKey, []ring.NodeID{ring.NodeID(from) + 1})
	require.NoError(s.t, err)
	_, plain, err := o.Open(nil, payload)
	require.NoError(s.t, err)
	s.countPackets(from, to, plain[0])
	if s.cutOff[pair] {
		return false
	}
	for _, r := range s.drops {
		if r.left > 0 && r.kind == plain[0] && (r.from < 0 || r.from == from) && (r.to < 0 || r.to == to) {
			r.left--
			return false
		}
	}
	return true
}

// countPackets traces how many packets a visit of the token sent.
func (s *story) countPackets(from, to env.MachineID, kind byte) {
	members := s.procs[from].node.Members()
	next := env.MachineID(0)
	for i, id := range members {
		if id == ring.NodeID(from)+1 {
			next = env.MachineID(members[(i+1)%len(members)]) - 1
		}
	}
	if to != next {
		return
	}
	switch kind {
	case 1:
		s.burst[from]++
	case 0:
		if s.burst[from] > 0 && s.packets {
			s.line(from, "sends %d packets and passes the token", s.burst[from])
		}
		s.burst[from] = 0
	}
}

func (s *story) cut(what string) {
	sep := "-"
	if strings.Contains(what, ">") {
		sep = ">"
	}
	a, b, ok := strings.Cut(what, sep)
	require.True(s.t, ok)
	i, err := strconv.Atoi(a)
	require.NoError(s.t, err)
	j, err := strconv.Atoi(b)
	require.NoError(s.t, err)
	x, y := env.MachineID(i-1), env.MachineID(j-1)
	s.cutOff[[2]env.MachineID{x, y}] = true
	if sep == "-" {
		s.cutOff[[2]env.MachineID{y, x}] = true
	}
}

func (s *story) multicast(d *datadriven.TestData) {
	node, count, size, text := 0, 1, 0, ""
	d.ScanArgs(s.t, "node", &node)
	d.ScanArgs(s.t, "text", &text)
	d.MaybeScanArgs(s.t, "count", &count)
	d.MaybeScanArgs(s.t, "bytes", &size)
	g := cpg.Agreed
	if d.HasArg("safe") {
		g = cpg.Safe
	}
	for i := range count {
		payload := []byte(text)
		if count > 1 {
			payload = fmt.Appendf(payload, "%d", i+1)
		}
		for len(payload) < size {
			payload = append(payload, '.')
		}
		if err := s.procs[node-1].node.Multicast(g, payload); err != nil {
			s.line(env.MachineID(node-1), "refuses to queue: %v", err)
		}
	}
}

func (s *story) drop(d *datadriven.TestData) {
	r := &dropRule{from: -1, to: -1, left: 1}
	kind, from, to := "", 0, 0
	d.ScanArgs(s.t, "kind", &kind)
	d.MaybeScanArgs(s.t, "from", &from)
	d.MaybeScanArgs(s.t, "to", &to)
	d.MaybeScanArgs(s.t, "count", &r.left)
	k, ok := kindNames[kind]
	require.True(s.t, ok, "kind %q", kind)
	r.kind, r.from, r.to = k, env.MachineID(from-1), env.MachineID(to-1)
	s.drops = append(s.drops, r)
}

// storyLog traces log lines of level info and above.
type storyLog struct {
	s *story
	p *envtest.Proc
}

func (l storyLog) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }
func (l storyLog) WithAttrs([]slog.Attr) slog.Handler               { return l }
func (l storyLog) WithGroup(string) slog.Handler                    { return l }
func (l storyLog) Handle(_ context.Context, r slog.Record) error {
	l.s.line(l.p.Self().Machine, "[%s] %s", strings.ToLower(r.Level.String()), r.Message)
	return nil
}
