package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/host/hostapi"
	"github.com/holdfast-sim/holdfast/engine/host/programs"
)

// cluster is three supervised nodes on this machine's loopback addresses, with the HA manager's
// time running faster.
type cluster struct {
	t       *testing.T
	dir     string
	program string
	nodes   []*exec.Cmd // nil for a node that is off
}

// clusterTimescale reduces a takeover, which takes up to four minutes, to some ten seconds.
const clusterTimescale = "1/20"

// clusterConf has longer ring timers than usual: two because the timescale would reduce them below what
// the ring accepts, and the token's because this machine may be busy.
const clusterConf = `totem {
  version: 2
  config_version: 1
  cluster_name: story
  secauth: on
  token: 10000
  join: 100
  max_network_delay: 100
}
nodelist {
%s}
quorum {
  provider: corosync_votequorum
}
`

// serviceProgram waits until it is asked to end.
const serviceProgram = "trap 'exit 0' TERM; while :; do sleep 0.1; done"

func newCluster(t *testing.T) *cluster {
	t.Helper()
	dir, err := os.MkdirTemp("", "hf") // short, because paths of sockets must be
	require.NoError(t, err)
	c := &cluster{t: t, dir: dir, program: filepath.Join(dir, "holdfastd"), nodes: make([]*exec.Cmd, 3)}
	t.Cleanup(func() {
		c.off(0, 1, 2)
		if t.Failed() {
			c.showLogs()
		}
		os.RemoveAll(dir)
	})
	out, err := exec.Command("go", "build", "-o", c.program, "../holdfastd").CombinedOutput()
	require.NoError(t, err, "%s", out)
	// All of 127.0.0.0/8 is this machine, so another run of this test is not in the way.
	prefix := fmt.Sprintf("127.%d.%d.", 1+rand.IntN(250), rand.IntN(250))
	var list strings.Builder
	for i := range c.nodes {
		fmt.Fprintf(&list, "  node {\n    name: n%d\n    nodeid: %d\n    quorum_votes: 1\n"+
			"    ring0_addr: %s%d\n  }\n", i+1, i+1, prefix, i+1)
	}
	for i := range c.nodes {
		c.write(i, "corosync.conf", fmt.Sprintf(clusterConf, list.String()))
		c.write(i, "authkey", strings.Repeat("k", 128))
		c.write(i, "machine.json", fmt.Sprintf(
			`{"machine": %d, "api_socket": "api.sock", "watchdog": "watchdog.sock",
			"record_file": "records.jsonl", "timescale": %q}`, i, clusterTimescale))
		c.write(i, "ha.json", fmt.Sprintf(`{"commands": {"web": ["/bin/sh", "-c", %q]}}`, serviceProgram))
	}
	c.on(0, 1, 2)
	c.until(n1, "quorum OK", "lrm n1 (idle, watchdog standby, %T)", "lrm n2 (idle, watchdog standby, %T)",
		"lrm n3 (idle, watchdog standby, %T)")
	return c
}

func (c *cluster) path(node int, name string) string {
	return filepath.Join(c.dir, fmt.Sprintf("n%d", node+1), name)
}

func (c *cluster) write(node int, name, text string) {
	require.NoError(c.t, os.MkdirAll(filepath.Dir(c.path(node, name)), 0o700))
	require.NoError(c.t, os.WriteFile(c.path(node, name), []byte(text), 0o600))
}

// on switches nodes on.
func (c *cluster) on(nodes ...int) {
	for _, i := range nodes {
		logFile, err := os.OpenFile(c.path(i, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		require.NoError(c.t, err)
		cmd := exec.Command(c.program, "--supervise", c.path(i, "machine.json"))
		cmd.Stdout, cmd.Stderr = logFile, logFile
		require.NoError(c.t, cmd.Start())
		require.NoError(c.t, logFile.Close())
		c.nodes[i] = cmd
	}
}

// off cuts the nodes' power: nothing on them can run to an end.
func (c *cluster) off(nodes ...int) {
	for _, i := range nodes {
		if cmd := c.nodes[i]; cmd != nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			c.nodes[i] = nil
		}
	}
}

func (c *cluster) showLogs() {
	for i := range c.nodes {
		data, _ := os.ReadFile(c.path(i, "log"))
		lines := bytes.Split(data, []byte("\n"))
		c.t.Logf("n%d wrote, at last:\n%s", i+1, bytes.Join(lines[max(0, len(lines)-60):], []byte("\n")))
	}
}

// ask runs ha-manager against a node.
func (c *cluster) ask(node int, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(context.Background(), append([]string{"--api", c.path(node, "api.sock")}, args...), &out,
		&errs)
	return code, out.String(), errs.String()
}

// must runs a command on the first node that is on. It tries again while the store is busy with a new
// membership, as an operator would.
func (c *cluster) must(args ...string) string {
	c.t.Helper()
	node := slices.IndexFunc(c.nodes, func(cmd *exec.Cmd) bool { return cmd != nil })
	for end := time.Now().Add(waitLimit); ; time.Sleep(100 * time.Millisecond) {
		code, out, errs := c.ask(node, args...)
		if code == exitOK {
			return out
		}
		if time.Now().After(end) || !strings.Contains(errs, "no quorum") &&
			!strings.Contains(errs, "asking the node") {
			c.t.Fatalf("ha-manager %v: exit %d: %s", args, code, errs)
		}
	}
}

// waitLimit is how long any action of the cluster may take, in real time. It is several times what an
// idle machine needs.
const waitLimit = 45 * time.Second

// until waits for lines of the status, with %T in place of a time.
func (c *cluster) until(node int, lines ...string) string {
	c.t.Helper()
	var text string
	for end := time.Now().Add(waitLimit); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		_, text, _ = c.ask(node, "status")
		text = withoutTimes(text)
		if !slices.ContainsFunc(lines, func(l string) bool {
			return !strings.Contains("\n"+text,
				"\n"+l+"\n")
		}) {
			return text
		}
	}
	c.t.Fatalf("%q were not all in the status within %v; it is:\n%s", lines, waitLimit, text)
	return ""
}

// withoutTimes replaces "Sun Nov 22 17:00:00 2026)" at the end of lines.
func withoutTimes(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if i := strings.LastIndex(line, ", "); i >= 0 && strings.HasSuffix(line, ")") {
			if _, err := time.ParseInLocation(time.ANSIC, line[i+2:len(line)-1], time.Local); err == nil {
				line = line[:i] + ", %T)"
			}
		}
		out.WriteString(line + "\n")
	}
	return out.String()
}

// health asks a node for its health.
func (c *cluster) health(node int) hostapi.Health {
	h, err := c.tryHealth(node)
	require.NoError(c.t, err)
	return h
}

func (c *cluster) tryHealth(node int) (h hostapi.Health, err error) {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", c.path(node, "api.sock"))
		}}}
	answer, err := client.Get("http://node" + hostapi.PathHealth)
	if err != nil {
		return h, err
	}
	defer answer.Body.Close()
	return h, json.NewDecoder(answer.Body).Decode(&h)
}

// runInterval is the time of one run of a service on a node.
type runInterval struct {
	node     int
	from, to int64
}

// runIntervals returns what the services' programs have recorded, in the order of their starts.
func (c *cluster) runIntervals(sid string) (out []runInterval) {
	for i := range c.nodes {
		files, err := filepath.Glob(c.path(i, programs.RecordFiles))
		require.NoError(c.t, err)
		for _, file := range files {
			data, err := os.ReadFile(file)
			require.NoError(c.t, err)
			for line := range bytes.Lines(data) {
				var r struct {
					At     int64              `json:"at"`
					Record programs.Heartbeat `json:"record"`
				}
				if json.Unmarshal(line, &r) != nil || r.Record.Name != sid {
					continue // incomplete, or of another service
				}
				if r.Record.Phase == programs.Starting {
					out = append(out, runInterval{node: i, from: r.At})
				}
				out[len(out)-1].to = r.At
			}
		}
	}
	slices.SortFunc(out, func(a, b runInterval) int { return int(a.from - b.from) })
	return out
}

// neverTwice: no service ran on two nodes at any instant, as far as their records show.
func (c *cluster) neverTwice(sids ...string) {
	for _, sid := range sids {
		all := c.runIntervals(sid)
		for i := 1; i < len(all); i++ {
			require.Less(c.t, all[i-1].to, all[i].from, "%s ran twice at a time: %+v", sid, all)
		}
	}
}
