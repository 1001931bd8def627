package ha

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	plainManager = `{"master_node":"n1","timestamp":7,"node_status":{"n1":"online"},"service_status":` +
		`{"vm:1":{"state":"started","node":"n1","uid":"u","cmd":["stop","5"],"failed_nodes":["n2"],"running":1,` +
		`"unguarded":1,"timeout":0},"vm:2":{"state":"migrate","node":"n{}","target":"n2","maintenance_node":"n3"}},` +
		`"node_request":{"n1":{"maintenance":1},"n2":{}}}`
	plainLRM = `{"state":"active","mode":"active","timestamp":7,"results":{"u":{"sid":"vm:1","state":"started",` +
		`"exit_code":0}},"begun":{"u":"n2"}}`
)

// managerAgrees compares the plain reader with encoding/json.
func managerAgrees(t *testing.T, text []byte) (plain bool) {
	got := plainManagerStatus(text)
	if got == nil {
		return false
	}
	want := NewManagerStatus()
	require.NoError(t, json.Unmarshal(text, want))
	require.Equal(t, want, got)
	return true
}

func lrmAgrees(t *testing.T, text []byte) (plain bool) {
	got := plainLRMStatus(text)
	if got == nil {
		return false
	}
	want := &LRMStatus{Results: map[string]LRMResult{}}
	require.NoError(t, json.Unmarshal(text, want))
	require.Equal(t, want, got)
	return true
}

func TestOwnStatusIsPlain(t *testing.T) {
	five := Int(5)
	m := NewManagerStatus()
	m.MasterNode, m.Timestamp = "n1", 1<<33
	m.NodeStatus["n1"], m.NodeStatus["n2"] = NodeOnline, NodeFence
	m.NodeRequest["n1"], m.NodeRequest["n2"] = NodeRequest{Maintenance: 1}, NodeRequest{}
	for i, state := range ServiceStates() {
		m.ServiceStatus["vm:"+string(rune('a'+i))] = &ServiceStatus{State: state, Node: "n1",
			UID: "u", Target: "n2",
			Cmd: []string{"stop", "5"}, FailedNodes: []string{"n2", "n3"}, MaintenanceNode: "n4", Running: 1,
			Unprotected: 1, TimeoutSeconds: &five}
	}
	m.ServiceStatus["ct:1"] = &ServiceStatus{State: Started, Node: "n1"}
	text, err := m.Encode()
	require.NoError(t, err)
	require.True(t, managerAgrees(t, text))
	require.Equal(t, m, plainManagerStatus(text))

	l := &LRMStatus{State: "active", Mode: ModeActive, Timestamp: 9,
		StartedMoves: map[string]string{"u": "n2"},
		Results: map[string]LRMResult{"u": {SID: "vm:1", State: Started, ExitCode: ExitWrongNode},
			"v": {}}}
	text, err = l.Encode()
	require.NoError(t, err)
	require.True(t, lrmAgrees(t, text))
	require.Equal(t, l, plainLRMStatus(text))
}

func TestOddManagerStatus(t *testing.T) {
	for name, text := range map[string]string{
		"white space":       `{"timestamp": 1}`,
		"services twice":    `{"service_status":{"vm:1":{"state":"started","node":"a"}},"service_status":null}`,
		"other spelling":    `{"Timestamp":1}`,
		"escaped spelling":  `{"\u0074imestamp":1}`,
		"one service twice": `{"service_status":{"vm:1":{"state":"started"},"vm:1":{"node":"b"}}}`,
		"state twice":       `{"service_status":{"vm:1":{"state":"started","state":"error"}}}`,
		"unknown member":    `{"more":[1]}`,
		"cut":               plainManager[:len(plainManager)-1],
		"something follows": plainManager + "x",
		"comma at the end":  `{"service_status":{"vm:1":{"state":"started","node":"a"},}}`,
		"null service":      `{"service_status":{"vm:1":null}}`,
		"empty list":        `{"service_status":{"vm:1":{"cmd":[]}}}`,
		"null timeout":      `{"service_status":{"vm:1":{"timeout":null}}}`,
		"not ASCII":         `{"master_node":"nö"}`,
		"control character": "{\"master_node\":\"n\x01\"}",
		"negative":          `{"timestamp":-1}`,
		"leading zero":      `{"timestamp":01}`,
		"fraction":          `{"timestamp":1.5}`,
		"many digits":       `{"timestamp":1234567890123456789}`,
		"loose number":      `{"service_status":{"vm:1":{"running":"1"}}}`,
		"disarmed":          `{"disarm":{"mode":"freeze","state":"disarmed"}}`,
		"not an object":     `[]`,
		"nothing":           ``,
	} {
		t.Run(name, func(t *testing.T) { require.Nil(t, plainManagerStatus([]byte(text))) })
	}
	require.Nil(t, plainLRMStatus([]byte(`{"results":{"u":{"exit_code":4294967296}}}`)))
	require.Nil(t, plainLRMStatus([]byte(`{"results":{"u":{"exit_code":-1}}}`)))
}

// The result keeps nothing of the text, because the caller may reuse its memory.
func TestPlainStatusKeepsNothingOfTheText(t *testing.T) {
	text := []byte(plainLRM)
	got := plainLRMStatus(text)
	clear(text)
	require.Equal(t, plainLRMStatus([]byte(plainLRM)), got)
}

func FuzzPlainManagerStatus(f *testing.F) {
	f.Add([]byte(plainManager))
	f.Add([]byte(`{"master_node":"","service_status":{},"node_status":{},"node_request":{}}`))
	f.Add([]byte(`{"node_status":{"a":"online","a":"fence"},"service_status":{"a":{"timeout":0}}}`))
	f.Fuzz(func(t *testing.T, text []byte) { managerAgrees(t, text) })
}

func FuzzPlainLRMStatus(f *testing.F) {
	f.Add([]byte(plainLRM))
	f.Add([]byte(`{"results":{},"begun":{},"mode":"","state":""}`))
	f.Add([]byte(`{"results":{"u":{},"u":{"sid":"x"}},"timestamp":0}`))
	f.Fuzz(func(t *testing.T, text []byte) { lrmAgrees(t, text) })
}

func BenchmarkDecodeManagerStatus(b *testing.B) {
	text := []byte(plainManager)
	b.Run("plain", func(b *testing.B) {
		for b.Loop() {
			_ = plainManagerStatus(text)
		}
	})
	b.Run("json", func(b *testing.B) {
		for b.Loop() {
			_ = json.Unmarshal(text, NewManagerStatus())
		}
	})
}
