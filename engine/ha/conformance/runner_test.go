package conformance

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

const (
	twoNodes    = `{"node1":{"power":"off","network":"off"},"node2":{"power":"off","network":"off"}}`
	oneService  = `{"vm:1":{"node":"node1","state":"started"}}`
	switchTwoOn = `[["power node1 on","power node2 on"]]`
)

func folder(files map[string]string) fstest.MapFS {
	out := fstest.MapFS{}
	for name, text := range files {
		out[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

func TestADifferenceIsReportedOnItsTier(t *testing.T) {
	source := os.DirFS(filepath.Join(ownScenarios, "freeze-on-poweroff"))
	files := map[string]string{}
	for _, name := range []string{"cmdlist", "hardware_status", "service_config", "datacenter.cfg",
		"log.expect"} {
		data, err := os.ReadFile(filepath.Join(ownScenarios, "freeze-on-poweroff", name))
		require.NoError(t, err)
		files[name] = string(data)
	}
	require.True(t, JudgeFolder(context.Background(), source, ".", "x").T0)
	for name, c := range map[string]struct {
		from, to   string
		t1, t2     bool
		difference string
	}{
		"wording": {"stop and freeze all services", "freeze", true, true,
			"-info    120    node3/lrm: shutdown LRM, freeze"},
		"order": {"=> 'unknown'", "=> 'gone'", false, true, "node node3: expected"},
		"outcome": {"'freeze' to 'request_stop'", "'freeze' to 'started'", false, true,
			"service ct:2: expected"},
		"end": {"'request_stop' to 'stopped'", "'request_stop' to 'error'", false, false,
			"service ct:2: expected"},
	} {
		t.Run(name, func(t *testing.T) {
			changed := map[string]string{}
			for file, text := range files {
				changed[file] = text
			}
			changed["log.expect"] = strings.ReplaceAll(files["log.expect"], c.from, c.to)
			require.NotEqual(t, files["log.expect"], changed["log.expect"])
			result := JudgeFolder(context.Background(), folder(changed), ".", "x")
			require.False(t, result.T0)
			require.Equal(t, c.t1, result.T1, "%v", result.T1Differences)
			require.Equal(t, c.t2, result.T2, "%v", result.T2Differences)
			all := result.Diff + strings.Join(result.T1Differences, "\n") + strings.Join(result.T2Differences,
				"\n")
			require.Contains(t, all, c.difference)
			report := &Report{}
			report.addResult(result)
			require.False(t, report.Passed())
			var text testWriter
			require.NoError(t, report.WriteText(&text))
			require.Contains(t, string(text), "T0 0/1")
			_, err := json.Marshal(report)
			require.NoError(t, err)
		})
	}
}

func TestTheTrackerSeesADoubleRun(t *testing.T) {
	outcome := ExtractOutcome(ParseLog(`info     21    node1/lrm: service status vm:1 started
info     30    node2/lrm: service status vm:1 started
`))
	require.Equal(t, []DoubleRun{{SID: "vm:1", Nodes: [2]string{"node1", "node2"}, Seconds: 30}},
		outcome.Double)
	outcome = ExtractOutcome(ParseLog(`info     21    node1/lrm: service status vm:1 started
info     22     watchdog: execute power node1 off
info     30    node2/lrm: service status vm:1 started
`))
	require.Empty(t, outcome.Double)
}

func TestTheHardwareSeesADoubleRun(t *testing.T) {
	s, err := Load(folder(map[string]string{"cmdlist": "[]", "hardware_status": twoNodes,
		"service_config": oneService}), ".", "x")
	require.NoError(t, err)
	w := newWorld(s)
	w.setPower(w.nodes["node1"], true)
	w.setPower(w.nodes["node2"], true)
	w.setRunning("vm:1", w.nodes["node1"], true)
	require.Empty(t, w.doubleRuns)
	w.setRunning("vm:1", w.nodes["node2"], true)
	require.Len(t, w.doubleRuns, 1)
}

func TestUnusableFolders(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"no commands": {"hardware_status": twoNodes, "service_config": "{}"},
		"no nodes":    {"cmdlist": "[]", "hardware_status": "{}", "service_config": "{}"},
		"unknown node": {"cmdlist": "[]", "hardware_status": twoNodes,
			"service_config": `{"vm:1":{"node":"node9"}}`},
		"bad json": {"cmdlist": "[", "hardware_status": twoNodes, "service_config": "{}"},
		"unknown command": {"cmdlist": `[["dance node1"]]`, "hardware_status": twoNodes,
			"service_config": "{}", "log.expect": "x\n"},
		"endless": {"cmdlist": `[["delay 20000"]]`, "hardware_status": twoNodes,
			"service_config": "{}", "log.expect": "x\n"},
		"no expectation": {"cmdlist": "[]", "hardware_status": twoNodes, "service_config": "{}"},
	} {
		t.Run(name, func(t *testing.T) {
			result := JudgeFolder(context.Background(), folder(files), ".", "x")
			require.NotEmpty(t, result.Error)
			require.False(t, result.T0 || result.T1 || result.T2)
		})
	}
	_, err := RunHA(context.Background(), []string{t.TempDir()}, Options{})
	require.ErrorIs(t, err, ErrNothing)
	_, err = RunHA(context.Background(), []string{filepath.Join(t.TempDir(), "absent")}, Options{})
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = RunRules(context.Background(), []string{t.TempDir()})
	require.ErrorIs(t, err, ErrNothing)
}

func TestACancelledRunStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := RunHA(ctx, []string{ownScenarios}, Options{})
	require.ErrorIs(t, err, context.Canceled)
}

func TestManualMigrationOfAManagedServiceIsRefused(t *testing.T) {
	result := JudgeFolder(context.Background(), folder(map[string]string{
		"cmdlist":         `[["power node1 on","power node2 on"],["service vm:1 manual-migrate node2"]]`,
		"hardware_status": twoNodes, "service_config": oneService, "log.expect": "x\n",
	}), ".", "x")
	require.Contains(t, result.Error, "managed by HA")
}

func TestUnifiedDiff(t *testing.T) {
	require.Empty(t, UnifiedDiff("a", "b", "same\n", "same\n"))
	want := "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n"
	got := strings.Replace(strings.Replace(want, "2\n", "two\n", 1), "11\n", "11\n11b\n", 1)
	require.Equal(t, `--- a
+++ b
@@ -1,5 +1,5 @@
 1
-2
+two
 3
 4
 5
@@ -9,4 +9,5 @@
 9
 10
 11
+11b
 12
`, UnifiedDiff("a", "b", want, got))
}

// A folder that has only commands describes three nodes and six services that must not run.
func TestAFolderNeedsOnlyCommands(t *testing.T) {
	s, err := Load(folder(map[string]string{"cmdlist": switchTwoOn}), ".", "x")
	require.NoError(t, err)
	run, err := Replay(context.Background(), s)
	require.NoError(t, err)
	require.Contains(t, run.Text(), "adding new service 'vm:106' on node 'node3'")
	require.NotContains(t, run.Text(), "starting service")
}

func TestRuleFiles(t *testing.T) {
	text := "resource-affinity: xx\n\taffinity positive\n\tresources vm:1,vm:2\n\ncolour: y\n"
	want, err := DescribeRules(text, ruleNodes)
	require.NoError(t, err)
	require.NotContains(t, want, "colour", "Proxmox VE's manager does not log a malformed section")
	require.Contains(t, want, "\"vm:1\" : {\n            \"vm:2\" : 1\n         }")
	fsys := folder(map[string]string{"a.cfg": text, "a.cfg.expect": want, "b.cfg": text, "c.cfg": text,
		"c.cfg.expect": "no\n"})
	require.True(t, JudgeRules(fsys, "a.cfg").Passed)
	require.NotEmpty(t, JudgeRules(fsys, "b.cfg").Error)
	require.NotEmpty(t, JudgeRules(fsys, "c.cfg").Diff)
}

// FuzzReplay: no folder makes the runner or the HA logic panic.
func FuzzReplay(f *testing.F) {
	f.Add(switchTwoOn, twoNodes, oneService, "{}", "{}", "", "")
	f.Add(
		`[["power node1 on","power node2 on"],["service vm:1 migrate node2","crm node1 disarm-ha freeze"],["shutdown node1"]]`,
		twoNodes,
		`{"vm:1":{"node":"node1","state":"enabled","group":"g"},"fa:1111":{"node":"node2","state":"started"}}`,
		`{"service_status":{"vm:1":{"node":"node1","state":"migrate","target":"node2","uid":"x"}}}`,
		`{"crs":{"ha":"dynamic","ha-auto-rebalance":1},"ha":{"shutdown_policy":"migrate"}}`,
		"resource-affinity: rr\n\taffinity negative\n\tresources vm:1,fa:1111\n",
		"group: gg\n\tnodes node2\n")
	f.Fuzz(func(t *testing.T, commands, hardware, services, manager, datacenter, rules, groups string) {
		s, err := Load(folder(map[string]string{
			"cmdlist": commands, "hardware_status": hardware, "service_config": services,
			"manager_status": manager,
			"datacenter.cfg": datacenter, "rules_config": rules, "groups": groups,
		}), ".", "fuzz")
		if err != nil {
			return
		}
		run, err := Replay(context.Background(), s)
		if err == nil {
			require.NotEmpty(t, run.Log)
		}
	})
}
