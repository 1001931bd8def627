package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
)

func TestStatus(t *testing.T) {
	n := newNode(t)
	now := time.Now().Unix()
	n.status(&ha.ManagerStatus{MasterNode: "n2", Timestamp: now,
		NodeStatus: map[string]ha.NodeState{"n1": "online", "n2": "online"},
		ServiceStatus: map[string]*ha.ServiceStatus{"vm:100": {State: ha.Started, Node: "n1", Running: 1},
			"vm:101": {State: ha.Started, Node: "n2"}, "vm:102": {State: ha.Stopped, Node: "n1"}}})
	n.put(haproc.LRMStatusPath("n1"),
		fmt.Sprintf(`{"state":"active","mode":"active","timestamp":%d,"results":{}}`, now))
	n.put(haproc.LRMStatusPath("n2"),
		fmt.Sprintf(`{"state":"active","mode":"active","timestamp":%d,"results":{}}`, now-100))
	n.put(haproc.ResourcesPath, "vm: 100\n\tstate started\n\nvm: 101\n\tstate started\n\nvm: 102\n"+
		"\tstate disabled\n\n"+
		"vm: 103\n\tstate started\n\nct: 104\n\tstate started\n")
	for _, sid := range []string{"vm:100", "vm:101", "vm:102", "ct:104"} {
		n.put(haproc.GuestPath(sid, "n1"), "")
	}
	n.put(haproc.DatacenterPath, "crs: ha=static\n")
	date := formatDate(now)
	require.Equal(t, "quorum OK\nmaster n2 (active, "+date+") - static load CRS\n"+
		"fencing armed (CRM watchdog active)\nlrm n1 (active, watchdog active, "+date+")\n"+
		"lrm n2 (old timestamp - dead?, watchdog standby, "+formatDate(now-100)+")\n"+
		"service vm:100 (n1, started)\nservice vm:101 (n2, starting)\nservice vm:102 (n1, disabled)\n"+
		"service ct:104 (n1, queued)\nservice vm:103 (---, not found)\n", n.must("status"))
	require.Contains(t, n.must("status", "--verbose"), "full cluster state:\n{\n   \"lrm_status\" : {\n")
	var entries []map[string]any
	require.NoError(t, json.Unmarshal([]byte(n.must("status", "--output-format", "json")), &entries))
	require.Equal(t, "quorum", entries[0]["id"])
	require.EqualValues(t, 1, entries[0]["quorate"])
	last := entries[len(entries)-2]
	require.Equal(t, "service:ct:104", last["id"])
	require.Equal(t, "queued", last["state"])
	require.Equal(t, "started", last["request_state"])
	require.True(t, strings.HasPrefix(n.must("status", "--output-format", "yaml"),
		"---\n- id: quorum\n  node: n1\n  quorate: 1\n  status: OK\n"))
}

// emptyView is a view of a cluster of which nothing is known.
func emptyView() *view {
	return &view{askedNode: "n1", timescale: timescale.Ratio{}, quorate: true,
		managerStatus: ha.NewManagerStatus(), lrmStatuses: map[string]*ha.LRMStatus{}}
}

// TestLRMLine: the line of an LRM reports its state and its watchdog.
func TestLRMLine(t *testing.T) {
	v := emptyView()
	v.lrmStatuses["n1"] = &ha.LRMStatus{}
	const dead = "old timestamp - dead?"
	for _, c := range []struct {
		state          ha.LRMState
		mode           ha.Mode
		service        ha.ServiceState
		seen           string
		want, watchdog string
	}{
		{"active", "active", ha.Started, "active", "active", "active"},
		{"wait_for_agent_lock", "active", "", "active", "idle", "standby"},
		{"wait_for_agent_lock", "active", ha.Error, "active", "idle", "standby"},
		{"wait_for_agent_lock", "active", ha.Started, "active", "wait_for_agent_lock", "standby"},
		{"lost_agent_lock", "active", ha.Started, "active", "lost_agent_lock", "active"},
		{"lost_agent_lock", "maintenance", ha.Started, "active", "lost_agent_lock", "active"},
		{"maintenance", "maintenance", ha.Started, "active", "maintenance mode", "active"},
		{"maintenance", "maintenance", ha.Freeze, "active", "maintenance mode", "released"},
		{"wait_for_agent_lock", "disarm", ha.Started, "active", "disarm mode", "released"},
		{"active", "restart", ha.Started, "active", "restart mode", "active"},
		{"", "", "", "active", "unknown", "standby"},
		{"active", "active", ha.Started, dead, dead, "standby"},
		{"active", "restart", ha.Started, dead, dead, "standby"},
		{"active", "active", ha.Started, "detected time drift!", "detected time drift!", "standby"},
		{"active", "disarm", ha.Started, dead, "disarm mode", "released"},
		{"maintenance", "maintenance", "", dead, "maintenance mode", "standby"},
	} {
		v.lrmStatuses["n1"].State, v.lrmStatuses["n1"].Mode = c.state, c.mode
		v.managerStatus.ServiceStatus = map[string]*ha.ServiceStatus{}
		if c.service != "" {
			v.managerStatus.ServiceStatus["vm:100"] = &ha.ServiceStatus{State: c.service, Node: "n1"}
		}
		state, watchdog := v.lrmStateText("n1", c.seen)
		require.Equal(t, []string{c.want, c.watchdog}, []string{state, watchdog}, "%+v", c)
	}
}

// TestMasterAndFencingLines: what they report depends on when the master last wrote, and on disarming.
func TestMasterAndFencingLines(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	at := formatDate(now.Unix())
	v := emptyView()
	lines := func() string {
		var out []string
		for _, e := range v.statusEntries(now) {
			out = append(out, e.Type+" "+e.Status)
		}
		return strings.Join(out, "\n")
	}
	require.Equal(t, "quorum OK\nfencing standby (CRM watchdog standby)", lines(), "there was no master yet")
	v.managerStatus.MasterNode, v.managerStatus.Timestamp = "n2", now.Unix()
	require.Equal(t, "quorum OK\nmaster n2 (active, "+at+")\nfencing armed (CRM watchdog active)", lines(),
		"a master without services holds its watchdog as well")
	v.managerStatus.Timestamp -= 31
	at = formatDate(v.managerStatus.Timestamp)
	require.Equal(t, "quorum OK\nmaster n2 (idle, "+at+")\nfencing standby (CRM watchdog standby)", lines())
	v.services = map[string]*ha.ServiceConfig{"vm:100": {State: ha.WantStarted}}
	v.configNodes = map[string]string{"vm:100": "n1"}
	require.Equal(t, "quorum OK\nmaster n2 (old timestamp - dead?, "+at+")\n"+
		"fencing standby (CRM watchdog standby)\nservice vm:100 (n1, queued)", lines())

	v.managerStatus.Timestamp = now.Unix()
	at = formatDate(now.Unix())
	v.datacenter.CRS.Mode = ha.SchedDynamic
	v.managerStatus.Disarm = &ha.Disarm{Mode: ha.DisarmFreeze, State: ha.DisarmDisarming}
	require.Equal(t, "quorum OK\nmaster n2 (active, "+at+
		") - disarming, resource mode: freeze - dynamic load CRS\n"+
		"fencing disarming, resource mode: freeze (CRM watchdog active)\nservice vm:100 (n1, queued)",
		lines())
	v.managerStatus.Disarm = &ha.Disarm{Mode: ha.DisarmIgnore, State: ha.DisarmDisarmed}
	require.Equal(t, "quorum OK\nmaster n2 (active, "+at+
		") - disarmed, resource mode: ignore - dynamic load CRS\n"+
		"fencing disarmed, resource mode: ignore (CRM watchdog released)\nservice vm:100 (n1, ignore)",
		lines())
	data, err := json.Marshal(v.fencingEntry(now))
	require.NoError(t, err)
	require.JSONEq(t,
		`{"id":"fencing","type":"fencing","node":"n2","armed-state":"disarmed","resource_mode":"ignore",
		"status":"disarmed, resource mode: ignore (CRM watchdog released)"}`, string(data))
}

// TestOldTimestampsFollowTheTimescale: a node that is twenty times as fast is dead twenty times as early.
func TestOldTimestampsFollowTheTimescale(t *testing.T) {
	v := emptyView()
	now := time.Unix(1_700_000_000, 0)
	require.Equal(t, "active", v.staleness(now.Unix()-30, now))
	require.Equal(t, "old timestamp - dead?", v.staleness(now.Unix()-31, now))
	require.Equal(t, "active", v.staleness(now.Unix()+2, now))
	require.Equal(t, "detected time drift!", v.staleness(now.Unix()+3, now))
	v.timescale = timescale.Ratio{Num: 1, Den: 5}
	require.Equal(t, "active", v.staleness(now.Unix()-6, now))
	require.Equal(t, "old timestamp - dead?", v.staleness(now.Unix()-7, now))
	v.timescale = timescale.Ratio{Num: 1, Den: 20}
	require.Equal(t, "active", v.staleness(now.Unix()-3, now), "timestamps have whole seconds")
	require.Equal(t, "old timestamp - dead?", v.staleness(now.Unix()-4, now))
}

// TestStatesOfServices: what the request adds to the state of a service.
func TestStatesOfServices(t *testing.T) {
	for _, c := range []struct {
		state   ha.ServiceState // "" for a service that the master does not know
		running ha.Int
		request ha.RequestedState // "" for a service that is not configured
		want    string
	}{
		{ha.Started, 1, ha.WantStarted, "started"}, {ha.Started, 0, ha.WantStarted, "starting"},
		{ha.Started, 1, ha.WantStopped, "stopping"}, {ha.Started, 1, ha.WantDisabled, "stopping"},
		{ha.Stopped, 0, ha.WantStarted, "starting"}, {ha.Stopped, 0, ha.WantStopped, "stopped"},
		{ha.Stopped, 0, ha.WantDisabled, "disabled"}, {ha.Error, 0, ha.WantDisabled, "clearing error flag"},
		{ha.Error, 0, ha.WantStarted, "error"}, {ha.RequestStop, 0, ha.WantStopped, "request_stop"},
		{ha.Started, 1, "", "deleting"}, {ha.Started, 1, ha.WantIgnored, "ignored"},
		{"", 0, ha.WantStarted, "queued"}, {"", 0, ha.WantIgnored, "ignored"},
	} {
		v := emptyView()
		v.services, v.configNodes = map[string]*ha.ServiceConfig{}, map[string]string{"vm:100": "n1"}
		if c.request != "" {
			v.services["vm:100"] = &ha.ServiceConfig{State: c.request}
		}
		if c.state != "" {
			v.managerStatus.ServiceStatus["vm:100"] = &ha.ServiceStatus{State: c.state, Node: "n1",
				Running: c.running}
		}
		require.Equal(t, c.want, v.serviceStateText("vm:100"), "%+v", c)
	}
}

// TestStatusSurvivesDamage: what can be read is shown, and the rest is named with its remedy.
func TestStatusSurvivesDamage(t *testing.T) {
	const service = `"vm:100":{"state":"started","node":"n1","running":1}`
	for _, c := range []struct {
		title, path, text string
		want              []string // in the output
		warning           string   // on stderr
	}{
		{"a bad line in the resources", haproc.ResourcesPath, "vm: 100\n\tstate started\n\ngarbage {{{\n",
			[]string{"service vm:100 (n1, started)\n"},
			"ha/resources.cfg: line 4: section header expected: garbage {{{"},
		{"a bad property", haproc.ResourcesPath, "vm: 100\n\tstate flying\n",
			[]string{"service vm:100 (n1, started)\n"},
			"ha/resources.cfg: line 2: resource vm:100, property state"},
		{"a bad rule", haproc.RulesPath, "somewhere: x\n\tresources vm:100\n",
			[]string{"service vm:100 (n1, started)\n"},
			"ha/rules.cfg: line 1: rule x: unknown type somewhere"},
		{"bad settings", haproc.DatacenterPath, "crs: ha-auto-rebalance-hold-duration=x\n", nil,
			"datacenter.cfg: read datacenter settings, line 1"},
		{"text for a status", haproc.ManagerStatusPath, "\n\x1b[31mgarbage",
			[]string{"fencing standby", "service vm:100 (n1, queued)\n"},
			"ha/manager_status: line 2: invalid character"},
		{"a status of another kind", haproc.ManagerStatusPath, "[1,2]", []string{"fencing standby"},
			"ha/manager_status: line 1: "},
		{"half a status", haproc.ManagerStatusPath, `{"master_node":"n1","timest`, nil,
			"ha/manager_status: line 1: unexpected end"},
		{"one bad service", haproc.ManagerStatusPath,
			"{\"master_node\":\"n1\",\"timestamp\":1,\"node_status\":{\"n1\":\"online\"},\n" +
				"\"service_status\":{" + service + ",\n\"vm:101\":{\"state\":\"flying\",\"node\":\"n1\"}}}",
			[]string{"master n1 (old timestamp - dead?, ", "service vm:100 (n1, started)\n"},
			`ha/manager_status: line 3: "vm:101": `},
		{"one bad key", haproc.ManagerStatusPath, `{"master_node":7,"service_status":{` + service + `}}`,
			[]string{"service vm:100 (n1, started)\n"}, `ha/manager_status: line 1: "master_node": `},
		{"a node without a name", haproc.ManagerStatusPath,
			`{"node_status":{"../x":"online","n1":"online"},"service_status":{` + service + `}}`,
			[]string{"lrm n1 (wait_for_agent_lock, ", "service vm:100 (n1, started)\n"}, ""},
		{"text for an LRM's status", haproc.LRMStatusPath("n1"), "garbage",
			[]string{"lrm n1 (unable to read lrm status)\n", "service vm:100 (n1, started)\n"},
			"nodes/n1/lrm_status: line 1: invalid character"},
		{"one bad result", haproc.LRMStatusPath("n1"),
			fmt.Sprintf(`{"mode":"active","state":"wait_for_agent_lock","timestamp":%d,"results":{"u":7}}`,
				time.Now().Unix()), []string{"lrm n1 (wait_for_agent_lock, watchdog standby, "},
			`nodes/n1/lrm_status: line 1: "u": `},
	} {
		t.Run(c.title, func(t *testing.T) {
			n := newNode(t)
			n.nodes("n1")
			n.put(haproc.GuestPath("vm:100", "n1"), "")
			n.put(haproc.ResourcesPath, "vm: 100\n\tstate started\n")
			n.put(haproc.ManagerStatusPath,
				`{"master_node":"n1","timestamp":1,"node_status":{"n1":"online"},"service_status":{`+service+
					`}}`)
			n.put(c.path, c.text)
			code, out, errs := n.run("status")
			require.Zero(t, code, errs)
			for _, want := range append(c.want, "quorum OK\n", "fencing ") {
				require.Contains(t, out, want)
			}
			require.NotContains(t, errs, "\x1b", "a damaged file does not control the terminal")
			if c.warning == "" {
				return
			}
			require.Contains(t, errs, "warning: "+c.warning)
			require.Contains(t, errs, "; `ha-manager file show "+c.path+
				"` prints the file, `ha-manager file replace "+c.path+" FILE` corrects it\n")
			require.Equal(t, 1, strings.Count(errs, "\n"), errs)

			n.readOnly = true
			code, out, _ = n.run("status")
			require.Zero(t, code)
			require.Contains(t, out, "quorum No quorum on node 'n1'!\n")
		})
	}
}
