package ha_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

// agrees reads a text both ways.
func agrees(t require.TestingT, r *ha.StatusReader, text []byte) {
	want, wantErr := ha.DecodeManagerStatus(text)
	got, err := r.Decode(text)
	if wantErr != nil {
		require.EqualError(t, err, wantErr.Error())
		return
	}
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// A reader that has read anything before says what one without a memory says.
func TestStatusReaderReadsWhatDecodeReads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r ha.StatusReader
		status := drawStatus(t)
		for range rapid.IntRange(1, 6).Draw(t, "rounds") {
			if rapid.Bool().Draw(t, "another") {
				next := drawStatus(t)
				for sid, sd := range status.ServiceStatus { // most stays as it was
					if rapid.IntRange(0, 3).Draw(t, "keep") > 0 {
						next.ServiceStatus[sid] = sd
					}
				}
				status = next
			}
			status.Timestamp++
			text, err := status.Encode()
			require.NoError(t, err)
			if rapid.IntRange(0, 5).Draw(t, "pretty") == 0 {
				var b bytes.Buffer
				require.NoError(t, json.Indent(&b, text, "", " "))
				text = b.Bytes()
			}
			agrees(t, &r, text)
			clear(text) // nothing of it may be kept
		}
	})
}

const aStatus = `{"master_node":"n1","timestamp":7,"node_status":{"n1":"online"},"service_status":` +
	`{"vm:1":{"state":"started","node":"n1","uid":"u"},"vm:2":{"state":"stopped","node":"n{\"}"}},"node_request":{}}`

func TestStatusReaderAgreesOnOddTexts(t *testing.T) {
	for name, text := range map[string]string{
		"usual":              aStatus,
		"empty":              "",
		"no services":        `{"service_status":{}}`,
		"services null":      `{"service_status":null}`,
		"null comes later":   `{"service_status":{"vm:1":{"state":"started","node":"a"}},"service_status":null}`,
		"other spelling":     `{"service_status":{"vm:1":{"state":"started","node":"a"}},"Service_Status":null}`,
		"escaped spelling":   `{"service_status":{"vm:1":{"state":"started","node":"a"}},"\u0073ervice_status":null}`,
		"one service twice":  `{"service_status":{"vm:1":{"state":"started","node":"a"},"vm:1":{"state":"error","node":"b"}}}`,
		"escaped name":       `{"service_status":{"vm:\u0031":{"state":"started","node":"a"}}}`,
		"unknown member":     `{"more":[1,{"service_status":{}}],"service_status":{"vm:1":{"state":"started","node":"a"}}}`,
		"cut":                aStatus[:len(aStatus)-1],
		"cut in a service":   aStatus[:len(aStatus)-30],
		"something follows":  aStatus + "x",
		"comma at the end":   `{"service_status":{"vm:1":{"state":"started","node":"a"},}}`,
		"null service":       `{"service_status":{"vm:1":null}}`,
		"service of no node": `{"service_status":{"vm:1":{"state":"started"}}}`,
		"bad service":        `{"service_status":{"vm:1":{"state":"started","node":"a",}}}`,
		"bad rest":           `{"timestamp":"x","service_status":{"vm:1":{"state":"started","node":"a"}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			var r ha.StatusReader
			agrees(t, &r, []byte(text))
			agrees(t, &r, []byte(aStatus))
			agrees(t, &r, []byte(text))
		})
	}
}

// What did not change is not read again.
func TestStatusReaderSharesWhatDidNotChange(t *testing.T) {
	var r ha.StatusReader
	first, err := r.Decode([]byte(aStatus))
	require.NoError(t, err)
	later := bytes.Replace([]byte(aStatus), []byte(`"stopped"`), []byte(`"error"`), 1)
	second, err := r.Decode(later)
	require.NoError(t, err)
	require.Same(t, first.ServiceStatus["vm:1"], second.ServiceStatus["vm:1"])
	require.Equal(t, ha.Stopped, first.ServiceStatus["vm:2"].State)
	require.Equal(t, ha.Error, second.ServiceStatus["vm:2"].State)
}

// FuzzStatusReader: whatever a reader has read before, it agrees with the decoder.
func FuzzStatusReader(f *testing.F) {
	f.Add([]byte(aStatus), []byte(aStatus))
	f.Add([]byte(aStatus), []byte(`{"service_status":{"vm:1":{"state":"started","node":"n1","uid":"u"}}}`))
	f.Add([]byte(`{"service_status":{}}`), []byte(`{"service_status":null,"service_status":{}}`))
	f.Fuzz(func(t *testing.T, before, text []byte) {
		var r ha.StatusReader
		_, _ = r.Decode(before)
		agrees(t, &r, text)
		agrees(t, &r, text)
	})
}
