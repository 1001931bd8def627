package ha_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

func TestDecodeManagerStatusAcceptsLooseNumbers(t *testing.T) {
	status, err := ha.DecodeManagerStatus([]byte(`{
		"master_node":"a","node_status":{"a":"online"},"node_request":{"a":{"maintenance":"1"}},
		"service_status":{"vm:1":{"state":"request_stop","node":"a","uid":"x","timeout":"30","running":true}}}`))
	require.NoError(t, err)
	require.EqualValues(t, 1, status.NodeRequest["a"].Maintenance)
	require.EqualValues(t, 30, *status.ServiceStatus["vm:1"].TimeoutSeconds)
	require.EqualValues(t, 1, status.ServiceStatus["vm:1"].Running)
}

func TestDecodeManagerStatusRefusesWhatCouldLoseAService(t *testing.T) {
	for name, text := range map[string]string{
		"no node":        `{"service_status":{"vm:1":{"state":"started"}}}`,
		"unknown state":  `{"service_status":{"vm:1":{"state":"resting","node":"a"}}}`,
		"null entry":     `{"service_status":{"vm:1":null}}`,
		"no target":      `{"service_status":{"vm:1":{"state":"migrate","node":"a"}}}`,
		"unknown disarm": `{"disarm":{"mode":"sleep","state":"disarmed"}}`,
		"not JSON":       `{`,
		"wrong type":     `{"service_status":[]}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ha.DecodeManagerStatus([]byte(text))
			require.Error(t, err)
		})
	}
}

func TestEmptyStatusFiles(t *testing.T) {
	for _, text := range []string{"", " \n", "{}"} {
		manager, err := ha.DecodeManagerStatus([]byte(text))
		require.NoError(t, err)
		require.NotNil(t, manager.ServiceStatus)
		lrm, err := ha.DecodeLRMStatus([]byte(text))
		require.NoError(t, err)
		require.NotNil(t, lrm.Results)
	}
}

func drawStatus(t *rapid.T) *ha.ManagerStatus {
	status := ha.NewManagerStatus()
	node := rapid.SampledFrom([]string{"a", "b", "c"})
	for i := range rapid.IntRange(0, 5).Draw(t, "services") {
		service := &ha.ServiceStatus{
			State: rapid.SampledFrom(ha.ServiceStates()).Draw(t, "state"), Node: node.Draw(t, "node"),
			UID: rapid.StringMatching(`[a-z]{0,4}`).Draw(t, "uid"), FailedNodes: rapid.SliceOfN(node, 0,
				3).Draw(t, "failed"),
		}
		if service.State.Moving() {
			service.Target = node.Draw(t, "target")
		}
		if rapid.Bool().Draw(t, "timeout") {
			timeout := ha.Int(rapid.IntRange(0, 99).Draw(t, "seconds"))
			service.TimeoutSeconds = &timeout
		}
		status.ServiceStatus[string(rune('a'+i))+":1"] = service
	}
	status.NodeStatus[node.Draw(t, "known")] = ha.NodeOnline
	return status
}

func TestManagerStatusSurvivesItsFile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		status := drawStatus(t)
		first, err := status.Encode()
		require.NoError(t, err)
		decoded, err := ha.DecodeManagerStatus(first)
		require.NoError(t, err)
		second, err := decoded.Clone().Encode()
		require.NoError(t, err)
		require.JSONEq(t, string(first), string(second))
		require.Equal(t, string(first), string(second))
	})
}

func TestCloneSharesNothing(t *testing.T) {
	timeout := ha.Int(5)
	status := ha.NewManagerStatus()
	status.Disarm = &ha.Disarm{Mode: ha.DisarmFreeze, State: ha.DisarmDisarming}
	status.ServiceStatus["vm:1"] = &ha.ServiceStatus{
		State: ha.Started, Node: "a", Cmd: []string{"stop", "1"}, FailedNodes: []string{"b"},
		TimeoutSeconds: &timeout,
	}
	clone := status.Clone()
	clone.Disarm.State = ha.DisarmDisarmed
	clone.ServiceStatus["vm:1"].Cmd[0] = "x"
	clone.ServiceStatus["vm:1"].FailedNodes[0] = "x"
	*clone.ServiceStatus["vm:1"].TimeoutSeconds = 9
	clone.NodeStatus["z"] = ha.NodeGone
	require.Equal(t, ha.DisarmDisarming, status.Disarm.State)
	require.Equal(t, "stop", status.ServiceStatus["vm:1"].Cmd[0])
	require.Equal(t, "b", status.ServiceStatus["vm:1"].FailedNodes[0])
	require.EqualValues(t, 5, timeout)
	require.Empty(t, status.NodeStatus)
}

func TestSplitSID(t *testing.T) {
	kind, name, err := ha.SplitSID("vm:100")
	require.NoError(t, err)
	require.Equal(t, "vm", kind)
	require.Equal(t, "100", name)
	for _, sid := range []string{"", "vm", "vm:", ":1", "VM:1", "vm:1 2"} {
		_, _, err := ha.SplitSID(sid)
		require.Error(t, err, sid)
	}
}

func FuzzDecodeManagerStatus(f *testing.F) {
	f.Add(
		[]byte(
			`{"master_node":"n1","node_status":{"n1":"online"},"service_status":{"vm:1":{"node":"n1","state":"started"}}}`))
	f.Add([]byte(`{"service_status":{"vm:1":{"node":"n1","state":"migrate","target":"n2","timeout":"1"}}}`))
	f.Add([]byte(`{"disarm":{"mode":"freeze","state":"disarming"},"node_request":{"a":{"maintenance":1}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		status, err := ha.DecodeManagerStatus(data)
		if err != nil {
			return
		}
		first, err := status.Encode()
		require.NoError(t, err)
		again, err := ha.DecodeManagerStatus(first)
		require.NoError(t, err)
		second, err := again.Encode()
		require.NoError(t, err)
		require.Equal(t, string(first), string(second))
	})
}

func FuzzDecodeLRMStatus(f *testing.F) {
	f.Add(
		[]byte(
			`{"state":"active","mode":"active","results":{"u":{"sid":"vm:1","state":"started","exit_code":0}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		status, err := ha.DecodeLRMStatus(data)
		if err != nil {
			return
		}
		_, err = status.Clone().Encode()
		require.NoError(t, err)
	})
}
