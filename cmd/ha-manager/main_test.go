package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/daemon"
	"github.com/holdfast-sim/holdfast/engine/host"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

// node is a node's API over a tree of its own.
type node struct {
	t        *testing.T
	tree     *tree.Tree
	revision uint64
	readOnly bool
	url      string
}

func newNode(t *testing.T) *node {
	n := &node{t: t, tree: tree.New(tree.DefaultLimits())}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+host.PathOp+store.Process, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		req, err := store.DecodeRequest(body)
		require.NoError(t, err)
		_, err = w.Write(n.answer(req).Encode())
		require.NoError(t, err)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	n.url = server.URL
	return n
}

func (n *node) answer(req *store.Request) *store.Response {
	r := &store.Response{ID: req.ID, OK: true}
	switch req.Op {
	case store.OpStatus:
		r.Status = &store.Status{Quorate: !n.readOnly}
		return r
	case store.OpRead:
		if e := n.tree.Get(req.Path); e != nil {
			r.Entry = &store.EntryInfo{Path: e.Path, Kind: "file", Mod: e.Mod, Data: e.Data}
			return r
		}
		r.OK, r.Code = false, tree.NotFound
		return r
	case store.OpList:
		for _, path := range n.tree.Paths() {
			r.Entries = append(r.Entries, store.EntryInfo{Path: path})
		}
		return r
	}
	op := &tree.Op{Path: req.Path, Data: req.Data, Expect: req.Expect}
	for k := tree.Write; k <= tree.CAS; k++ {
		if k.String() == req.Op {
			op.Kind = k
		}
	}
	if n.readOnly {
		r.OK, r.Code = false, store.CodeReadOnly
	} else if no := n.tree.Judge(op); no != nil {
		r.OK, r.Code, r.Actual = false, no.Code, no.Actual
	} else {
		n.revision++
		n.tree.Apply(op, n.revision)
	}
	return r
}

// put writes a file with the directories above it.
func (n *node) put(path, text string) {
	for i, c := range path {
		if c == '/' {
			if op := (&tree.Op{Kind: tree.Mkdir, Path: path[:i]}); n.tree.Judge(op) == nil {
				n.revision++
				n.tree.Apply(op, n.revision)
			}
		}
	}
	n.revision++
	n.tree.Apply(&tree.Op{Kind: tree.Write, Path: path, Data: []byte(text)}, n.revision)
}

func (n *node) file(path string) string {
	e := n.tree.Get(path)
	require.NotNil(n.t, e, path)
	return string(e.Data)
}

func (n *node) run(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(context.Background(), append([]string{"--api", n.url}, args...), &out, &errs)
	return code, out.String(), errs.String()
}

func (n *node) must(args ...string) string {
	code, out, errs := n.run(args...)
	require.Zero(n.t, code, "%v: %s", args, errs)
	return out
}

func TestResources(t *testing.T) {
	n := newNode(t)
	n.put(daemon.GuestPath("vm:100", "n1"), "memory: 512\n")
	n.must("add", "100", "--max_restart", "3", "--failback=false", "--comment", "the shop")
	require.Equal(t, "vm:100\n\tstate started\n\tmax_restart 3\n\tfailback 0\n\tcomment the shop\n",
		sorted(n.must("config")))
	n.must("set", "vm:100", "--state", "stopped")
	require.Contains(t, n.file(daemon.ResourcesPath), "state stopped")
	require.Contains(t, n.file(daemon.ResourcesPath), "max_restart 3", "what is not given stays")

	code, _, errs := n.run("add", "vm:100")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "already defined")
	code, _, errs = n.run("add", "vm:101")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "does not exist")
	code, _, errs = n.run("set", "vm:100", "--state", "running")
	require.Equal(t, exitUsage, code, errs)

	n.must("remove", "vm:100")
	require.Empty(t, n.must("config"))
}

// sorted brings the properties of one resource into a fixed order, which the file does not promise.
func sorted(text string) string {
	var out string
	for _, key := range append([]string{"vm:"}, "\tstate", "\tmax_restart", "\tfailback", "\tcomment") {
		for line := range bytes.Lines([]byte(text)) {
			if bytes.HasPrefix(line, []byte(key)) {
				out += string(line)
			}
		}
	}
	return out
}

func TestCommandsForTheMaster(t *testing.T) {
	n := newNode(t)
	n.put(daemon.ResourcesPath, "vm: 100\n\tstate started\n")
	n.must("migrate", "vm:100", "n2")
	n.must("crm-command", "relocate", "100", "n3")
	n.must("crm-command", "stop", "vm:100", "30")
	n.must("crm-command", "node-maintenance", "enable", "n1")
	n.must("crm-command", "disarm-ha", "freeze")
	n.must("crm-command", "arm-ha")
	require.Equal(t, "migrate vm:100 n2\nrelocate vm:100 n3\nstop vm:100 30\nenable-node-maintenance n1\n"+
		"disarm-ha freeze\narm-ha\n", n.file(daemon.CommandsPath))
	for _, wrong := range [][]string{{"migrate", "vm:100"}, {"migrate", "nonsense", "n1"},
		{"crm-command", "stop", "vm:100", "soon"}, {"crm-command", "disarm-ha", "perhaps"}} {
		code, _, errs := n.run(wrong...)
		require.Equal(t, exitUsage, code, "%v: %s", wrong, errs)
	}
	code, _, _ := n.run("migrate", "vm:999", "n2")
	require.Equal(t, exitFailed, code)
}

func TestRulesAndGroups(t *testing.T) {
	n := newNode(t)
	n.must("rules", "add", "node-affinity", "prefer", "--resources", "vm:100,vm:101", "--nodes", "n1:2,n2")
	n.must("rules", "set", "node-affinity", "prefer", "--strict", "1")
	n.must("rules", "add", "resource-affinity", "apart", "--resources", "vm:100,vm:101", "--affinity", "negative")
	require.Contains(t, n.must("rules", "config"), "node-affinity: prefer\n\tresources vm:100,vm:101\n\tnodes n1:2,n2\n\tstrict 1\n")
	code, _, _ := n.run("rules", "add", "resource-affinity", "bad", "--resources", "vm:100,vm:101", "--affinity", "maybe")
	require.NotZero(t, code)
	n.must("rules", "remove", "apart")
	require.NotContains(t, n.file(daemon.RulesPath), "apart")

	n.must("groupadd", "g", "--nodes", "n1:1,n2")
	n.must("groupset", "g", "--nofailback", "1")
	require.Contains(t, n.must("groupconfig"), "group: g\n\tnodes n1:1,n2\n\tnofailback 1\n")
	n.must("groupremove", "g")
	require.Empty(t, n.must("groupconfig"))
}

func TestStatus(t *testing.T) {
	n := newNode(t)
	now := time.Now().Unix()
	manager := &ha.ManagerStatus{MasterNode: "n2", Timestamp: now, NodeStatus: map[string]ha.NodeState{"n1": "online", "n2": "online"},
		ServiceStatus: map[string]*ha.ServiceStatus{"vm:100": {State: ha.Started, Node: "n1", Running: 1},
			"vm:101": {State: ha.Started, Node: "n2"}, "vm:102": {State: ha.Stopped, Node: "n1"}}}
	data, err := manager.Encode()
	require.NoError(t, err)
	n.put(daemon.ManagerStatusPath, string(data))
	n.put(daemon.LRMStatusPath("n1"), fmt.Sprintf(`{"state":"active","mode":"active","timestamp":%d,"results":{}}`, now))
	n.put(daemon.LRMStatusPath("n2"), fmt.Sprintf(`{"state":"active","mode":"active","timestamp":%d,"results":{}}`, now-100))
	n.put(daemon.ResourcesPath, "vm: 100\n\tstate started\n\nvm: 101\n\tstate started\n\nvm: 102\n\tstate disabled\n\nvm: 103\n\tstate started\n")
	out := n.must("status")
	require.Contains(t, out, "quorum OK\nmaster n2 (active, ")
	require.Contains(t, out, "lrm n1 (active, ")
	require.Contains(t, out, "lrm n2 (old timestamp - dead?, ")
	require.Contains(t, out, "service vm:100 (n1, started)\nservice vm:101 (n2, starting)\nservice vm:102 (n1, disabled)\nservice vm:103 (---, queued)\n")
	n.readOnly = true
	require.Contains(t, n.must("status"), "quorum No quorum on")
	code, _, errs := n.run("remove", "vm:100")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "permission denied")
}

func TestWithoutAnAddress(t *testing.T) {
	t.Setenv(apiVariable, "")
	var out, errs bytes.Buffer
	require.Equal(t, exitUsage, run(context.Background(), []string{"status"}, &out, &errs))
	require.Contains(t, errs.String(), "--api")
}
