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
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/cmd/internal/nodeapi"
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
	// configured are the nodes of the cluster, if the node tells them.
	configured []string
	url        string
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
		require.NoError(t, json.NewEncoder(w).Encode(hostapi.Health{Name: "n1", Nodes: n.configured}))
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
			r.Entry = &store.EntryInfo{Path: e.Path, Kind: n.kind(req.Path), Mod: e.Mod, Data: e.Data}
			return r
		}
		r.OK, r.Code = false, tree.NotFound
		return r
	case store.OpList:
		for _, path := range n.tree.Paths() {
			if strings.HasPrefix(path, req.Path+"/") {
				r.Entries = append(r.Entries, store.EntryInfo{Path: path, Kind: n.kind(path)})
			}
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

// kind is what is at a path.
func (n *node) kind(path string) string {
	if n.tree.Get(path).Kind == tree.Directory {
		return store.KindDirectory
	}
	return store.KindFile
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
	require.Equal(t, "vm:100\n\tcomment the shop\n\tfailback 0\n\tmax_restart 3\n\tstate started\n\n",
		n.must("config"))
	n.must("set", "vm:100", "--state", "stopped")
	require.Contains(t, n.file(haproc.ResourcesPath), "state stopped")
	require.Contains(t, n.file(haproc.ResourcesPath), "max_restart 3", "what is not given stays")
	n.put(haproc.ResourcesPath, "ct: 22\n\tstate started\n\n"+n.file(haproc.ResourcesPath))
	require.True(t, strings.HasPrefix(n.must("config"), "ct:22\n\tstate started\n\nvm:100\n\tcomment "))

	before := n.file(haproc.ResourcesPath)
	n.put(haproc.GuestPath("ct:101", "n1"), "memory: 512\n")
	for _, c := range []struct{ command, want string }{
		{"add vm:100", "create resource failed: resource ID 'vm:100' already defined"},
		{"add vm:555", "resource 'vm:555' does not exist in cluster"},
		{"add 555", "unable to detect SID from VMID - VM/CT 555 does not exist"},
		{"add vm:101", "resource 'vm:101' - guest with ID 101 is not a VM"},
		{"add 101 --type vm", "types does not match: ct:101 is not of type vm"},
		{"add foo:100", "unknown resource type 'foo': there are vm and ct"},
		{"add vm:web", "invalid VMID 'web'"},
		{"add vm:1", "invalid VMID '1'"},
		{"add Vm:100", "does not look like a valid ha resource id"},
		{"add 101 --max_restart -1", "is not a number from 0"},
		{"set vm:100 --state running", "requested state"},
		{"set vm:555 --state started", "update resources config failed: no such resource 'vm:555'"},
		{"set 555 --state started", "unable to detect SID from VMID - VM/CT 555 does not exist"},
		{"set vm:100 --comment a\nb", "--comment: write one line of text"},
		{"remove vm:555", "cannot delete service 'vm:555', not HA managed!"},
	} {
		code, _, errs := n.run(strings.Split(c.command, " ")...)
		require.Equal(t, 255, code, c.command)
		require.Contains(t, errs, c.want, c.command)
	}
	require.Equal(t, before, n.file(haproc.ResourcesPath), "what is refused changes nothing")

	n.must("add", "101")
	require.Contains(t, n.must("config", "--type", "ct"), "ct:101\n\tstate started\n\n")
	for _, sid := range []string{"100", "ct:101", "ct:22"} {
		n.must("remove", sid)
	}
	require.Empty(t, n.must("config"))
}

func TestCommandsForTheMaster(t *testing.T) {
	n := newNode(t)
	n.put(haproc.GuestPath("vm:100", "n1"), "memory: 512\n")
	n.put(haproc.ResourcesPath, "vm: 100\n\tstate started\n\nvm: 102\n\tstate ignored\n")
	n.must("migrate", "vm:100", "n2")
	n.must("crm-command", "relocate", "100", "n3")
	n.must("crm-command", "stop", "vm:100", "30")
	n.must("crm-command", "node-maintenance", "enable", "n1")
	n.must("crm-command", "disarm-ha", "freeze")
	n.must("crm-command", "arm-ha")
	sent := "migrate vm:100 n2\nrelocate vm:100 n3\nstop vm:100 30\nenable-node-maintenance n1\n" +
		"disarm-ha freeze\narm-ha\n"
	require.Equal(t, sent, n.file(haproc.CommandsPath))
	for _, c := range []struct{ command, want string }{
		{"migrate vm:100", "write `ha-manager migrate SID NODE"},
		{"migrate nonsense n1", "does not look like a valid ha resource id"},
		{"crm-command stop vm:100 soon", "TIMEOUT is a number of seconds"},
		{"crm-command disarm-ha perhaps", "write freeze or ignore"},
		{"migrate vm:9 n2", "resource 'vm:9' is not HA managed"},
		{"relocate vm:102 n2", "resource 'vm:102' is not HA managed"},
		{"crm-command stop vm:9 0", "resource 'vm:9' is not HA managed"},
		{"migrate 9 n2", "unable to detect SID from VMID - VM/CT 9 does not exist"},
	} {
		code, _, errs := n.run(strings.Split(c.command, " ")...)
		require.Equal(t, 255, code, c.command)
		require.Contains(t, errs, c.want, c.command)
	}
	require.Equal(t, sent, n.file(haproc.CommandsPath), "what is refused is not sent")
}

// TestAServiceInErrorIsDisabledFirst, before it can be asked for anything else.
func TestAServiceInErrorIsDisabledFirst(t *testing.T) {
	n := newNode(t)
	n.put(haproc.ResourcesPath, "vm: 100\n\tstate started\n")
	n.status(&ha.ManagerStatus{MasterNode: "n1", NodeStatus: map[string]ha.NodeState{"n1": "online"},
		ServiceStatus: map[string]*ha.ServiceStatus{"vm:100": {State: ha.Error, Node: "n1"}}})
	for _, command := range [][]string{{"migrate", "vm:100", "n1"}, {"crm-command", "stop", "vm:100", "0"},
		{"set", "vm:100", "--state", "started"}, {"set", "vm:100", "--comment", "x"}} {
		code, _, errs := n.run(command...)
		require.Equal(t, 255, code, "%v", command)
		require.Contains(t, errs, "service 'vm:100' in error state, must be disabled and fixed first", "%v",
			command)
	}
	n.must("set", "vm:100", "--state", "disabled")
	require.Contains(t, n.file(haproc.ResourcesPath), "state disabled")
}

// status writes the master's status.
func (n *node) status(manager *ha.ManagerStatus) {
	data, err := manager.Encode()
	require.NoError(n.t, err)
	n.put(haproc.ManagerStatusPath, string(data))
}

// nodes writes an LRM status for each node.
func (n *node) nodes(names ...string) {
	for _, name := range names {
		n.put(haproc.LRMStatusPath(name), fmt.Sprintf(
			`{"state":"wait_for_agent_lock","mode":"active","timestamp":%d,"results":{}}`, time.Now().Unix()))
	}
}

// services puts guests under HA, on n1.
func (n *node) services(sids ...string) {
	for _, sid := range sids {
		n.put(haproc.GuestPath(sid, "n1"), "memory: 512\n")
		n.must("add", sid)
	}
}

func TestGroups(t *testing.T) {
	n := newNode(t)
	n.must("groupadd", "first", "--nodes", "n1:1,n2")
	n.must("groupset", "first", "--nofailback", "1")
	require.Equal(t, "group: first\n\tnodes n1:1,n2\n\tnofailback 1\n\n", n.must("groupconfig"))
	n.put(haproc.ResourcesPath, "vm: 100\n\tgroup first\n")
	for _, c := range []struct{ command, want string }{
		{"groupadd first --nodes n1", "create ha group failed: ha group ID 'first' already defined"},
		{"groupadd 1st --nodes n1", "invalid configuration ID '1st'"},
		{"groupset second --nodes n1", "update ha group failed: no such ha group 'second'"},
		{"groupremove second", "delete ha group failed: no such ha group 'second'"},
		{"groupremove first", "delete ha group failed: ha group is used by service 'vm:100'"},
		{"rules add node-affinity keep --resources vm:100 --nodes n1",
			"create ha rule: ha groups have not been migrated yet"},
	} {
		code, _, errs := n.run(strings.Split(c.command, " ")...)
		require.Equal(t, 255, code, c.command)
		require.Contains(t, errs, c.want, c.command)
	}
	n.put(haproc.ResourcesPath, "")
	n.must("groupremove", "first")
	require.Empty(t, n.must("groupconfig"))
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
		{"rules", "add", "node-affinity", "keep", "--resources", "vm:100", "--nodes", "n1"},
		{"groupadd", "first", "--nodes", "n1"}, {"guest", "create", "vm:101", "--node", "n1"},
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
	n.put(haproc.GuestPath("ct:70", "n2"), "memory: 512\n")
	n.must("add", "70", "--type", "ct", "--comment", "x", "--max_relocate", "4", "--failback=no")
	var list []map[string]string
	require.NoError(t, json.Unmarshal([]byte(n.must("config", "--output-format", "json-pretty")), &list))
	require.Equal(t, "ct:70", list[0]["sid"])
	require.Equal(t, "0", list[0]["failback"])
	digest := list[0]["digest"]
	n.must("set", "ct:70", "--delete", "failback,comment", "--digest", digest)
	require.NotContains(t, n.must("config"), "failback")
	require.Contains(t, n.must("config"), "max_relocate 4")
	code, _, errs := n.run("set", "ct:70", "--comment", "late", "--digest", digest)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "update resources config failed: detected modified configuration")
	code, _, errs = n.run("set", "ct:70", "--delete", "memory")
	require.Equal(t, exitFailed, code, errs)
	require.Empty(t, n.must("config", "--type", "vm"))

	n.services("ct:80")
	n.must("rules", "add", "resource-affinity", "both", "--resources", "ct:70,ct:80",
		"--affinity", "positive")
	n.must("rules", "add", "node-affinity", "one", "--resources", "ct:70", "--nodes", "n1")
	n.must("remove", "ct:80", "--purge", "0")
	require.Contains(t, n.file(haproc.RulesPath), "ct:70,ct:80")
	n.must("remove", "ct:70")
	require.NotContains(t, n.file(haproc.RulesPath), "ct:70")
	require.NotContains(t, n.file(haproc.RulesPath), "node-affinity", "a rule for nothing goes")
}

// TestGroupsThatAreGone: a cluster without groups whose nodes understand rules gets no groups.
func TestGroupsThatAreGone(t *testing.T) {
	n := newNode(t)
	n.put(haproc.GuestPath("vm:100", "n1"), "memory: 512\n")
	n.put(haproc.VersionPath("n1"), "{}")
	for _, command := range [][]string{{"groupadd", "first", "--nodes", "n1"},
		{"groupset", "first", "--nodes", "n1"},
		{"groupremove", "first"}, {"groupconfig"}, {"add", "vm:100", "--group", "first"}} {
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
		ServiceStatus: map[string]*ha.ServiceStatus{"vm:11": {State: ha.Started, Node: "n1"},
			"vm:12": {State: ha.Started, Node: "n1"},
			"vm:13": {State: ha.Started, Node: "n2"}}}
	n.status(manager)
	n.put(haproc.ResourcesPath, "vm: 11\n\tstate started\n\nvm: 12\n\tstate started\n\nvm: 13\n"+
		"\tstate started\n")
	n.put(haproc.RulesPath, "resource-affinity: tt\n\tresources vm:11,vm:12\n\taffinity positive\n\n"+
		"resource-affinity: aa\n\tresources vm:11,vm:13\n\taffinity negative\n")
	require.Equal(t, "also migrate resource 'vm:12' in positive affinity with resource 'vm:11' to target "+
		"node 'n3'\n",
		n.must("migrate", "vm:11", "n3"))
	code, _, errs := n.run("relocate", "vm:12", "n2")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "- resource 'vm:13' on target node 'n2' in negative affinity with resource "+
		"'vm:12'")
	code, _, errs = n.run("migrate", "vm:11", "n9")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "no such cluster node 'n9': there are n1, n2, n3")
	require.Equal(t, "migrate vm:11 n3\n", n.file(haproc.CommandsPath), "what is refused is not sent")
}

// TestGuests: configurations of services.
func TestGuests(t *testing.T) {
	n := newNode(t)
	n.must("guest", "create", "ct:300", "--node", "n2", "--command", "web", "--memory", "64")
	require.Equal(t, "command: web\ncores: 1\nmemory: 64\n", n.file(haproc.GuestPath("ct:300", "n2")))
	n.must("guest", "create", "100", "--node", "n1")
	n.must("add", "300")
	require.Equal(t, "sid    node ha\nct:300 n2   1\nvm:100 n1   0\n",
		n.must("guest", "list", "--noborder"))
	for _, again := range [][]string{{"guest", "create", "vm:100", "--node", "n2"},
		{"guest", "destroy", "ct:300"},
		{"guest", "destroy", "vm:101"}} {
		code, _, errs := n.run(again...)
		require.Equal(t, exitFailed, code, "%v: %s", again, errs)
	}
	for _, wrong := range [][]string{{"guest", "create", "vm:10"},
		{"guest", "create", "vm:../1", "--node", "n1"},
		{"guest", "create", "service:web", "--node", "n1"},
		{"guest", "create", "vm:10", "--node", "n1", "--command", "/bin/sh -c x"}} {
		code, _, errs := n.run(wrong...)
		require.Equal(t, exitFailed, code, "%v: %s", wrong, errs)
	}
	n.put(haproc.ResourcesPath, n.file(haproc.ResourcesPath)+"garbage\n")
	code, _, errs := n.run("guest", "destroy", "vm:100")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs,
		"unable to remove vm:100: it may be used in HA resources: ha/resources.cfg: line ")
	n.put(haproc.ResourcesPath, "")
	n.must("guest", "destroy", "100")
	require.NotContains(t, n.must("guest", "list"), "vm:100")
}

func TestWithoutAnAddress(t *testing.T) {
	t.Setenv(nodeapi.AddressVariable, "")
	var out, errs bytes.Buffer
	require.Equal(t, exitFailed, run(context.Background(), []string{"status"}, &out, &errs))
	require.Contains(t, errs.String(), "--api")
}
