package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/host/hostapi"
	"github.com/holdfast-sim/holdfast/engine/store"
)

// lab is a cluster of nodes on this machine's loopback addresses, in real time.
type lab struct {
	t       *testing.T
	dir     string
	program string
	nodes   []*exec.Cmd // nil for a node that is off
	flags   []string    // of the daemons
	prefix  string      // of their addresses, which end in 1 and so on
}

// labSettings are what differs between labs.
type labSettings struct {
	machine string // further fields of the machine file, each with a comma before it
	ha      string // the content of ha.json, "" for none
	flags   []string
	size    int // the number of nodes; 3 unless given
	// prepare is called before the nodes start; nil for nothing.
	prepare func(l *lab)
}

func newLab(t *testing.T, s labSettings) *lab {
	t.Helper()
	dir, err := os.MkdirTemp("", "hf") // short, because paths of sockets must be
	require.NoError(t, err)
	l := &lab{t: t, dir: dir, program: filepath.Join(dir, "holdfastd"), flags: s.flags,
		nodes: make([]*exec.Cmd, cmp.Or(s.size, 3))}
	t.Cleanup(func() {
		for i := range l.nodes {
			l.kill(i)
		}
		if t.Failed() {
			l.showLogs()
		}
		os.RemoveAll(dir)
	})
	out, err := exec.Command("go", "build", "-o", l.program, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	conf := "totem {\n  version: 2\n  cluster_name: lab\n  secauth: on\n}\nnodelist {\n"
	// All of 127.0.0.0/8 is this machine, so another run of this test is not in the way.
	prefix := fmt.Sprintf("127.%d.%d.", 1+rand.IntN(250), rand.IntN(250))
	l.prefix = prefix
	for i := range l.nodes {
		conf += fmt.Sprintf("  node {\n    name: n%d\n    nodeid: %d\n    quorum_votes: 1\n"+
			"    ring0_addr: %s%d\n  }\n", i+1, i+1, prefix, i+1)
	}
	conf += "}\nquorum {\n  provider: corosync_votequorum\n}\n"
	for i := range l.nodes {
		l.write(i, "corosync.conf", conf)
		l.write(i, "authkey", strings.Repeat("k", 128))
		l.write(i, "machine.json", fmt.Sprintf(`{"machine": %d, "api_socket": "api.sock"%s}`, i, s.machine))
		if s.ha != "" {
			l.write(i, "ha.json", s.ha)
		}
	}
	if s.prepare != nil {
		s.prepare(l)
	}
	var all []int
	for i := range l.nodes {
		l.start(i)
		all = append(all, i)
	}
	l.untilWritable(all...)
	return l
}

func (l *lab) path(node int, name string) string {
	return filepath.Join(l.dir, fmt.Sprintf("n%d", node+1), name)
}

func (l *lab) write(node int, name, text string) {
	require.NoError(l.t, os.MkdirAll(filepath.Dir(l.path(node, name)), 0o700))
	require.NoError(l.t, os.WriteFile(l.path(node, name), []byte(text), 0o600))
}

func (l *lab) start(node int) {
	logFile, err := os.OpenFile(l.path(node, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(l.t, err)
	cmd := exec.Command(l.program, append(slices.Clone(l.flags), l.path(node, "machine.json"))...)
	cmd.Stdout, cmd.Stderr = logFile, logFile
	require.NoError(l.t, cmd.Start())
	require.NoError(l.t, logFile.Close())
	l.nodes[node] = cmd
}

// kill cuts a node's power.
func (l *lab) kill(node int) {
	if cmd := l.nodes[node]; cmd != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		l.nodes[node] = nil
	}
}

// terminate ends a node with SIGTERM and waits for its end.
func (l *lab) terminate(node int) {
	cmd := l.nodes[node]
	require.NoError(l.t, cmd.Process.Signal(syscall.SIGTERM))
	stuck := time.AfterFunc(labLimit, func() { _ = cmd.Process.Kill() })
	require.NoError(l.t, cmd.Wait())
	stuck.Stop()
	l.nodes[node] = nil
}

func (l *lab) log(node int) string {
	data, err := os.ReadFile(l.path(node, "log"))
	require.NoError(l.t, err)
	return string(data)
}

func (l *lab) showLogs() {
	for i := range l.nodes {
		lines := strings.Split(l.log(i), "\n")
		l.t.Logf("n%d wrote, at last:\n%s", i+1, strings.Join(lines[max(0, len(lines)-60):], "\n"))
	}
}

// labLimit is how long any action of the lab may take. It is several times what an idle machine needs.
const labLimit = 90 * time.Second

// client returns a client of a node's socket.
func (l *lab) client(node int) *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", l.path(node, "api.sock"))
		}}}
}

// callStore makes a request of a node's store.
func callStore(c *http.Client, r store.Request) (*store.Response, error) {
	answer, err := c.Post("http://node"+hostapi.PathOp+store.Process, "application/json",
		bytes.NewReader(r.Encode()))
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s: %w", answer.Status, body, err)
	}
	return store.DecodeResponse(body)
}

// status returns a store's status, nil without an answer.
func (l *lab) status(node int) *store.Status {
	c := l.client(node)
	defer c.CloseIdleConnections()
	r, err := callStore(c, store.Request{ID: "status", Op: store.OpStatus})
	if err != nil {
		return nil
	}
	return r.Status
}

// until waits for a condition.
func (l *lab) until(what string, condition func() bool) {
	l.t.Helper()
	for end := time.Now().Add(labLimit); !condition(); time.Sleep(20 * time.Millisecond) {
		require.False(l.t, time.Now().After(end), "%s did not happen within %v", what, labLimit)
	}
}

// untilWritable waits until the nodes have quorum and are in one ring of exactly these.
func (l *lab) untilWritable(nodes ...int) {
	l.t.Helper()
	l.until("a ring of these nodes", func() bool {
		return !slices.ContainsFunc(nodes, func(i int) bool {
			s := l.status(i)
			return s == nil || !s.Quorate || len(s.Members) != len(nodes)
		})
	})
}

// load writes with a few clients at each node until it is stopped, and notes when writes were acknowledged.
type load struct {
	cancel func()
	all    sync.WaitGroup
	mu     sync.Mutex
	acks   []time.Time
	// lastAcked is, by key, the highest number whose write was acknowledged.
	lastAcked map[string]int
}

// startLoad starts clients at nodes. put writes a value under a key through a node.
func startLoad(nodes []int, client func(node int) *http.Client,
	put func(c *http.Client, key string, n int) bool) *load {
	ctx, cancel := context.WithCancel(context.Background())
	load := &load{cancel: cancel, lastAcked: map[string]int{}}
	for _, node := range nodes {
		for i := range 3 {
			load.all.Go(func() {
				c := client(node)
				defer c.CloseIdleConnections()
				key := fmt.Sprintf("load-%d-%d", node, i)
				for n := 0; ctx.Err() == nil; n++ {
					if put(c, key, n) {
						load.mu.Lock()
						load.acks = append(load.acks, time.Now())
						load.lastAcked[key] = n
						load.mu.Unlock()
					}
				}
			})
		}
	}
	return load
}

// put writes a file.
func put(c *http.Client, key string, n int) bool {
	id := fmt.Sprintf("%s-%d-%d", key, time.Now().UnixNano(), n)
	r, err := callStore(c, store.Request{ID: id, Op: "write", Path: key, Data: fmt.Append(nil, n)})
	return err == nil && r.OK
}

// stop ends the clients and returns, for each of the given instants, the longest time without an acknowledged
// write that reaches into what is between it and the next one.
func (l *load) stop(marks ...time.Time) []time.Duration {
	ended := time.Now()
	l.cancel()
	l.all.Wait()
	gaps := make([]time.Duration, len(marks))
	at := append(slices.Clone(marks[:1]), slices.DeleteFunc(slices.Clone(l.acks), ended.Before)...)
	at = append(at, ended)
	slices.SortFunc(at, time.Time.Compare)
	for i := 1; i < len(at); i++ {
		for m := range marks {
			if at[i].After(marks[m]) && (m == len(marks)-1 || !at[i-1].After(marks[m+1])) {
				gaps[m] = max(gaps[m], at[i].Sub(at[i-1]))
			}
		}
	}
	return gaps
}

// gapsOf are the longest times without acknowledged writes before a node leaves, when it leaves and when it
// returns.
type gapsOf struct{ calm, leaves, returns time.Duration }

func (g gapsOf) String() string {
	return fmt.Sprintf("without writes for %v when a node leaves, %v when it returns, %v before",
		g.leaves.Round(time.Millisecond), g.returns.Round(time.Millisecond), g.calm.Round(time.Millisecond))
}

// rollOver ends a node and starts it again under load, and measures.
func rollOver(load *load, end, start func()) gapsOf {
	const calm = 500 * time.Millisecond
	time.Sleep(calm)
	began := time.Now()
	time.Sleep(calm)
	leaves := time.Now()
	end()
	time.Sleep(calm)
	returns := time.Now()
	start()
	time.Sleep(calm)
	gaps := load.stop(began, leaves, returns)
	return gapsOf{gaps[0], gaps[1], gaps[2]}
}
