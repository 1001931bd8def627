package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/host/hostapi"
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
	mux.HandleFunc("POST "+hostapi.PathOp+store.Process, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		req, err := store.DecodeRequest(body)
		require.NoError(t, err)
		_, err = w.Write(n.answer(req).Encode())
		require.NoError(t, err)
	})
	mux.HandleFunc("GET "+hostapi.PathHealth, func(w http.ResponseWriter, _ *http.Request) {
		require.NoError(t, json.NewEncoder(w).Encode(hostapi.Health{Name: "n1"}))
	})
	dir, err := os.MkdirTemp("", "hf") // short, because paths of sockets must be
	require.NoError(t, err)
	n.url = filepath.Join(dir, "api.sock")
	server := httptest.NewUnstartedServer(mux)
	server.Listener.Close()
	server.Listener, err = net.Listen("unix", n.url)
	require.NoError(t, err)
	server.Start()
	t.Cleanup(func() { server.Close(); os.RemoveAll(dir) })
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
	} else if no := n.tree.Check(op); no != nil {
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
			if op := (&tree.Op{Kind: tree.Mkdir, Path: path[:i]}); n.tree.Check(op) == nil {
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
	n.put(haproc.GuestPath("vm:100", "n1"), "memory: 512\n")
	n.must("add", "100", "--max_restart", "3", "--failback", "0", "--comment", "the shop")
	require.Equal(t, "vm:100\n\tstate started\n\tmax_restart 3\n\tfailback 0\n\tcomment the shop\n",
		sorted(n.must("config")))
	n.must("set", "vm:100", "--state", "stopped")
	require.Contains(t, n.file(haproc.ResourcesPath), "state stopped")
	require.Contains(t, n.file(haproc.ResourcesPath), "max_restart 3", "what is not given stays")

	code, _, errs := n.run("add", "vm:100")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "already defined")
	code, _, errs = n.run("add", "vm:101")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "does not exist")
	code, _, errs = n.run("set", "vm:100", "--state", "running")
	require.Equal(t, exitFailed, code, errs)

	n.must("remove", "vm:100")
	require.Empty(t, n.must("config"))
}

// sorted sorts the properties of one resource, whose order in the file is not defined.
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
	n.put(haproc.ResourcesPath, "vm: 100\n\tstate started\n")
	n.must("migrate", "vm:100", "n2")
	n.must("crm-command", "relocate", "100", "n3")
	n.must("crm-command", "stop", "vm:100", "30")
	n.must("crm-command", "node-maintenance", "enable", "n1")
	n.must("crm-command", "disarm-ha", "freeze")
	n.must("crm-command", "arm-ha")
	require.Equal(t, "migrate vm:100 n2\nrelocate vm:100 n3\nstop vm:100 30\nenable-node-maintenance n1\n"+
		"disarm-ha freeze\narm-ha\n", n.file(haproc.CommandsPath))
	for _, wrong := range [][]string{{"migrate", "vm:100"}, {"migrate", "nonsense", "n1"},
		{"crm-command", "stop", "vm:100", "soon"}, {"crm-command", "disarm-ha", "perhaps"}} {
		code, _, errs := n.run(wrong...)
		require.Equal(t, exitFailed, code, "%v: %s", wrong, errs)
	}
	code, _, _ := n.run("migrate", "vm:999", "n2")
	require.Equal(t, exitFailed, code)
}

func TestRulesAndGroups(t *testing.T) {
	n := newNode(t)
	n.must("rules", "add", "node-affinity", "prefer", "--resources", "vm:100,vm:101", "--nodes", "n1:2,n2")
	n.must("rules", "set", "node-affinity", "prefer", "--strict", "1")
	n.must("rules", "add", "resource-affinity", "apart", "--resources", "vm:100,vm:101", "--affinity",
		"negative")
	require.Contains(t, n.must("rules", "config"),
		"node-affinity: prefer\n\tresources vm:100,vm:101\n\tnodes n1:2,n2\n\tstrict 1\n")
	code, _, _ := n.run("rules", "add", "resource-affinity", "bad", "--resources", "vm:100,vm:101",
		"--affinity", "maybe")
	require.NotZero(t, code)
	n.must("rules", "remove", "apart")
	require.NotContains(t, n.file(haproc.RulesPath), "apart")

	n.must("groupadd", "gg", "--nodes", "n1:1,n2")
	n.must("groupset", "gg", "--nofailback", "1")
	require.Contains(t, n.must("groupconfig"), "group: gg\n\tnodes n1:1,n2\n\tnofailback 1\n")
	n.must("groupremove", "gg")
	require.Empty(t, n.must("groupconfig"))
}

func TestStatus(t *testing.T) {
	n := newNode(t)
	now := time.Now().Unix()
	manager := &ha.ManagerStatus{MasterNode: "n2", Timestamp: now,
		NodeStatus: map[string]ha.NodeState{"n1": "online", "n2": "online"},
		ServiceStatus: map[string]*ha.ServiceStatus{"vm:100": {State: ha.Started, Node: "n1", Running: 1},
			"vm:101": {State: ha.Started, Node: "n2"}, "vm:102": {State: ha.Stopped, Node: "n1"}}}
	data, err := manager.Encode()
	require.NoError(t, err)
	n.put(haproc.ManagerStatusPath, string(data))
	n.put(haproc.LRMStatusPath("n1"),
		fmt.Sprintf(`{"state":"active","mode":"active","timestamp":%d,"results":{}}`, now))
	n.put(haproc.LRMStatusPath("n2"),
		fmt.Sprintf(`{"state":"active","mode":"active","timestamp":%d,"results":{}}`, now-100))
	n.put(haproc.ResourcesPath, "vm: 100\n\tstate started\n\nvm: 101\n\tstate started\n\nvm: 102\n\tstate disabled\n\nvm: 103\n\tstate started\n")
	out := n.must("status")
	require.Contains(t, out, "quorum OK\nmaster n2 (active, ")
	require.Contains(t, out, "fencing armed (CRM watchdog active)\n")
	require.Contains(t, out, "lrm n1 (active, watchdog active, ")
	require.Contains(t, out, "lrm n2 (old timestamp - dead?, ")
	require.Contains(t, out, "service vm:100 (n1, started)\nservice vm:101 (n2, starting)\nservice vm:102 (n1, disabled)\nservice vm:103 (---, queued)\n")
	require.Contains(t, n.must("status", "--verbose"), "full cluster state:\n{\n   \"lrm_status\": {\n")
	var entries []map[string]any
	require.NoError(t, json.Unmarshal([]byte(n.must("status", "--output-format", "json")), &entries))
	require.Equal(t, "quorum", entries[0]["id"])
	require.EqualValues(t, 1, entries[0]["quorate"])
	last := entries[len(entries)-1]
	require.Equal(t, "service:vm:103", last["id"])
	require.Equal(t, "queued", last["state"])
	require.Equal(t, "started", last["request_state"])
}

// TestAgents: the line of an LRM reports its state and its watchdog.
func TestAgents(t *testing.T) {
	v := &view{managerStatus: ha.NewManagerStatus(), lrmStatuses: map[string]*ha.LRMStatus{"n1": {}}}
	for _, c := range []struct {
		state          ha.LRMState
		mode           ha.Mode
		busy           bool
		want, watchdog string
	}{
		{"active", "active", true, "active", "active"},
		{"wait_for_agent_lock", "active", false, "idle", "standby"},
		{"wait_for_agent_lock", "active", true, "wait_for_agent_lock", "standby"},
		{"lost_agent_lock", "active", true, "lost_agent_lock", "active"},
		{"lost_agent_lock", "maintenance", true, "lost_agent_lock", "active"},
		{"maintenance", "maintenance", true, "maintenance mode", "active"},
		{"maintenance", "maintenance", false, "maintenance mode", "released"},
		{"wait_for_agent_lock", "disarm", true, "disarm mode", "released"},
		{"active", "restart", true, "restart mode", "active"},
		{"", "", false, "unknown", "standby"},
	} {
		v.lrmStatuses["n1"].State, v.lrmStatuses["n1"].Mode = c.state, c.mode
		v.managerStatus.ServiceStatus = map[string]*ha.ServiceStatus{}
		if c.busy {
			v.managerStatus.ServiceStatus["vm:100"] = &ha.ServiceStatus{State: ha.Started, Node: "n1"}
		}
		state, watchdog := v.lrmStateText("n1")
		require.Equal(t, []string{c.want, c.watchdog}, []string{state, watchdog}, "%+v", c)
	}
}

// TestFencing: the line reports the master's watchdog.
func TestFencing(t *testing.T) {
	v := &view{managerStatus: ha.NewManagerStatus()}
	require.Equal(t, "standby (CRM watchdog standby)", v.fencingLines().Status)
	v.services = map[string]*ha.ServiceConfig{"vm:100": {}}
	require.Equal(t, "armed (CRM watchdog active)", v.fencingLines().Status)
	v.managerStatus.Disarm = &ha.Disarm{Mode: ha.DisarmFreeze, State: ha.DisarmDisarming}
	require.Equal(t, "disarming (CRM watchdog active)", v.fencingLines().Status)
	v.managerStatus.Disarm.State = ha.DisarmDisarmed
	require.Equal(t, "disarmed (CRM watchdog released)", v.fencingLines().Status)
}

// TestWithoutQuorum: a node without quorum reads and does not write, and reports that in Proxmox VE's
// words.
func TestWithoutQuorum(t *testing.T) {
	n := newNode(t)
	n.put(haproc.GuestPath("vm:100", "n1"), "memory: 512\n")
	n.must("add", "vm:100")
	n.readOnly = true
	require.Contains(t, n.must("status"), "quorum No quorum on node 'n1'!\n")
	require.Contains(t, n.must("config"), "vm:100")
	for _, change := range [][]string{{"add", "vm:101"}, {"set", "vm:100", "--state", "stopped"},
		{"remove", "vm:100"},
		{"migrate", "vm:100", "n2"}, {"crm-command", "arm-ha"}, {"crm-command", "node-maintenance", "enable",
			"n1"},
		{"rules", "add", "node-affinity", "r", "--resources", "vm:100", "--nodes", "n1"},
		{"groupadd", "gg", "--nodes", "n1"}, {"guest", "create", "vm:101", "--node", "n1"},
		{"guest", "destroy", "vm:100"}} {
		code, _, errs := n.run(change...)
		require.Equal(t, exitFailed, code, "%v", change)
		require.Contains(t, errs, "cluster not ready - no quorum?", "%v", change)
	}
}

// TestChangesOfOptions: options can be reset, and a change can be restricted to a version of the
// configuration.
func TestChangesOfOptions(t *testing.T) {
	n := newNode(t)
	n.put(haproc.GuestPath("ct:7", "n2"), "memory: 512\n")
	n.must("add", "7", "--type", "ct", "--comment", "x", "--max_relocate", "4", "--failback=no")
	var list []map[string]string
	require.NoError(t, json.Unmarshal([]byte(n.must("config", "--output-format", "json-pretty")), &list))
	require.Equal(t, "ct:7", list[0]["sid"])
	require.Equal(t, "0", list[0]["failback"])
	digest := list[0]["digest"]
	n.must("set", "ct:7", "--delete", "failback,comment", "--digest", digest)
	require.NotContains(t, n.must("config"), "failback")
	require.Contains(t, n.must("config"), "max_relocate 4")
	code, _, errs := n.run("set", "ct:7", "--comment", "late", "--digest", digest)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "detected modified configuration")
	code, _, errs = n.run("set", "ct:7", "--delete", "memory")
	require.Equal(t, exitFailed, code, errs)
	require.Empty(t, n.must("config", "--type", "vm"))

	n.put(haproc.GuestPath("ct:8", "n2"), "memory: 512\n")
	n.must("add", "ct:8")
	n.must("rules", "add", "resource-affinity", "both", "--resources", "ct:7,ct:8", "--affinity", "positive")
	n.must("rules", "add", "node-affinity", "one", "--resources", "ct:7", "--nodes", "n1")
	n.must("remove", "ct:8", "--purge", "0")
	require.Contains(t, n.file(haproc.RulesPath), "ct:7,ct:8")
	n.must("remove", "ct:7")
	require.NotContains(t, n.file(haproc.RulesPath), "ct:7")
	require.NotContains(t, n.file(haproc.RulesPath), "node-affinity", "a rule for nothing goes")
}

// TestRulesThatContradict are listed with the reason.
func TestRulesThatContradict(t *testing.T) {
	n := newNode(t)
	n.put(haproc.LRMStatusPath("n1"), "{}")
	n.put(haproc.LRMStatusPath("n2"), "{}")
	n.must("rules", "add", "node-affinity", "ra", "--resources", "vm:1", "--nodes", "n1:2,n2", "--strict")
	n.must("rules", "add", "node-affinity", "rb", "--resources", "vm:1", "--nodes", "n2", "--comment", "why")
	n.must("rules", "add", "resource-affinity", "rc", "--resources", "vm:2,vm:3", "--affinity", "negative",
		"--disable", "1")
	require.Equal(t, `enabled  state          rule  type               resources  affinity      comment
1        contradictory  ra    node-affinity      vm:1       n1:2,n2 only
1        contradictory  rb    node-affinity      vm:1       n2            why
0        disabled       rc    resource-affinity  vm:2,vm:3  negative
ra is not in force: resource 'vm:1' is already used in another node affinity rule
rb is not in force: resource 'vm:1' is already used in another node affinity rule
`, n.must("rules", "list"))
	n.must("rules", "set", "node-affinity", "ra", "--delete", "strict")
	require.Equal(t, "resource-affinity: rc\n\tresources vm:2,vm:3\n\taffinity negative\n\tdisable 1\n",
		n.must("rules", "config", "--resource", "vm:2"))
	require.Contains(t, n.must("rules", "config", "--type", "node-affinity"),
		"node-affinity: ra\n\tresources vm:1\n\tnodes n1:2,n2\n\n")
	for _, wrong := range [][]string{{"rules"}, {"rules", "fly"}, {"rules", "add", "node-affinity", "rx"},
		{"rules", "add", "somewhere", "rx", "--resources", "vm:1"},
		{"rules", "add", "node-affinity", "rx", "--resources", "vm:1"},
		{"rules", "set", "node-affinity", "ra", "--strict=perhaps"}, {"crm-command", "node-maintenance"},
		{"fly"}} {
		code, _, errs := n.run(wrong...)
		require.Equal(t, exitFailed, code, "%v: %s", wrong, errs)
	}
}

// TestGroupsThatAreGone: a cluster without groups whose nodes understand rules gets no groups.
func TestGroupsThatAreGone(t *testing.T) {
	n := newNode(t)
	n.put(haproc.GuestPath("vm:100", "n1"), "memory: 512\n")
	n.put(haproc.VersionPath("n1"), "{}")
	for _, command := range [][]string{{"groupadd", "gg", "--nodes", "n1"}, {"groupset", "gg", "--nodes", "n1"},
		{"groupremove", "gg"}, {"groupconfig"}, {"add", "vm:100", "--group", "g"}} {
		code, _, errs := n.run(command...)
		require.Equal(t, exitFailed, code, "%v", command)
		require.Contains(t, errs, "ha groups have been migrated to rules", "%v", command)
	}
}

// TestMovesAndTheirPartners: the effect of rules between resources on a move is printed in advance.
func TestMovesAndTheirPartners(t *testing.T) {
	n := newNode(t)
	now := time.Now().Unix()
	manager := &ha.ManagerStatus{MasterNode: "n1", Timestamp: now,
		NodeStatus: map[string]ha.NodeState{"n1": "online", "n2": "online", "n3": "online"},
		ServiceStatus: map[string]*ha.ServiceStatus{"vm:1": {State: ha.Started, Node: "n1"},
			"vm:2": {State: ha.Started, Node: "n1"},
			"vm:3": {State: ha.Started, Node: "n2"}}}
	data, err := manager.Encode()
	require.NoError(t, err)
	n.put(haproc.ManagerStatusPath, string(data))
	n.put(haproc.ResourcesPath, "vm: 1\n\tstate started\n\nvm: 2\n\tstate started\n\nvm: 3\n\tstate started\n")
	n.put(haproc.RulesPath, "resource-affinity: tt\n\tresources vm:1,vm:2\n\taffinity positive\n\n"+
		"resource-affinity: aa\n\tresources vm:1,vm:3\n\taffinity negative\n")
	require.Equal(t, "also migrate resource 'vm:2' in positive affinity with resource 'vm:1' to target node 'n3'\n",
		n.must("migrate", "vm:1", "n3"))
	code, _, errs := n.run("relocate", "vm:2", "n2")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "- resource 'vm:3' on target node 'n2' in negative affinity with resource 'vm:2'")
	code, _, errs = n.run("migrate", "vm:1", "n9")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "no such cluster node 'n9': there are n1, n2, n3")
	require.Equal(t, "migrate vm:1 n3\n", n.file(haproc.CommandsPath), "what is refused is not sent")
}

// TestGuests: configurations of services.
func TestGuests(t *testing.T) {
	n := newNode(t)
	n.must("guest", "create", "service:web", "--node", "n2", "--command", "web", "--memory", "64")
	require.Equal(t, "command: web\ncores: 1\nmemory: 64\n", n.file("nodes/n2/service/web.conf"))
	n.must("guest", "create", "100", "--node", "n1")
	n.must("add", "service:web")
	require.Equal(t, "sid          node  ha\nservice:web  n2    1\nvm:100       n1    0\n",
		n.must("guest", "list"))
	for _, again := range [][]string{{"guest", "create", "vm:100", "--node", "n2"},
		{"guest", "destroy", "service:web"},
		{"guest", "destroy", "vm:101"}} {
		code, _, errs := n.run(again...)
		require.Equal(t, exitFailed, code, "%v: %s", again, errs)
	}
	for _, wrong := range [][]string{{"guest", "create", "vm:1"},
		{"guest", "create", "vm:../1", "--node", "n1"},
		{"guest", "create", "vm:1", "--node", "n1", "--command", "/bin/sh -c x"}} {
		code, _, errs := n.run(wrong...)
		require.Equal(t, exitFailed, code, "%v: %s", wrong, errs)
	}
	n.must("guest", "destroy", "vm:100")
	require.NotContains(t, n.must("guest", "list"), "vm:100")
}

func TestWithoutAnAddress(t *testing.T) {
	t.Setenv(apiVariable, "")
	var out, errs bytes.Buffer
	require.Equal(t, exitFailed, run(context.Background(), []string{"status"}, &out, &errs))
	require.Contains(t, errs.String(), "--api")
}
