package history_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/linearizability/history"
)

func anyEvent(t *rapid.T) history.Event {
	values := []string{"", "1", `"x y"`, `{"a":[1,2]}`, `"snowman ☃ \n"`, "[]", "false"}
	return history.Event{
		Time:    rapid.Int64().Draw(t, "time"),
		Process: rapid.IntRange(-1, 9).Draw(t, "process"),
		Type:    history.Type(rapid.IntRange(1, 4).Draw(t, "type")),
		F:       rapid.SampledFrom([]string{"read", "write", "cas", ""}).Draw(t, "f"),
		Key:     rapid.StringN(0, 8, -1).Draw(t, "key"),
		Value:   json.RawMessage(rapid.SampledFrom(values).Draw(t, "value")),
		Rev:     rapid.Uint64().Draw(t, "rev"),
		Mod:     rapid.Uint64Range(0, 3).Draw(t, "mod"),
		ID:      rapid.StringN(0, 4, -1).Draw(t, "id"),
		Node:    rapid.SampledFrom([]string{"", "n1"}).Draw(t, "node"),
		Error:   rapid.SampledFrom([]string{"", "timeout", `say "no"`}).Draw(t, "error"),
	}
}

func normal(event history.Event) history.Event {
	if len(event.Value) == 0 {
		event.Value = nil
		return event
	}
	var buf bytes.Buffer
	if json.Compact(&buf, event.Value) == nil {
		event.Value = buf.Bytes()
	}
	return event
}

// What the writer writes, the reader returns, and encoding/json agrees with the hand-written encoder.
func TestEventsSurviveTheFile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.Custom(anyEvent), 0, 20).Draw(t, "events")
		var file bytes.Buffer
		w, err := history.NewWriter(&file, history.Header{Seed: 7, Model: "store"})
		require.NoError(t, err)
		for i := range want {
			require.NoError(t, w.Append(want[i]))
			want[i].Index = int64(i)
			want[i] = normal(want[i])
		}
		require.NoError(t, w.Flush())
		header, got, torn, err := history.ReadAll(bytes.NewReader(file.Bytes()))
		require.NoError(t, err)
		require.False(t, torn)
		require.Equal(t, uint64(7), header.Seed)
		require.Equal(t, history.Version, header.Version)
		require.Len(t, got, len(want))
		for i := range want {
			require.Equal(t, want[i], got[i])
			line, err := got[i].AppendJSON(nil)
			require.NoError(t, err)
			require.True(t, json.Valid(line), "%s", line)
		}
	})
}

// A file cut at any byte yields a prefix of its events and never an error.
func TestTornFileYieldsPrefix(t *testing.T) {
	events := []history.Event{
		{Time: 5, Process: 1, Type: history.Invoke, F: "write", Key: "a", Value: json.RawMessage(`"v"`),
			ID: "1-1"},
		{Time: 9, Process: 1, Type: history.OK, F: "write", Rev: 12},
		{Time: 9, Process: 2, Type: history.Info, F: "read", Error: "timeout"},
	}
	var file bytes.Buffer
	require.NoError(t, history.WriteAll(&file, history.Header{}, events))
	whole := file.Bytes()
	headerEnd := bytes.IndexByte(whole, '\n') + 1
	for cut := headerEnd; cut <= len(whole); cut++ {
		_, got, torn, err := history.ReadAll(bytes.NewReader(whole[:cut]))
		require.NoError(t, err, "cut at %d", cut)
		atEnd := whole[cut-1] == '\n' || (cut < len(whole) && whole[cut] == '\n')
		require.Equal(t, !atEnd, torn, "cut at %d", cut)
		require.Len(t, got, bytes.Count(whole[headerEnd:min(cut+1, len(whole))], []byte("}\n")))
	}
	zeros := append(bytes.Clone(whole), make([]byte, 512)...)
	_, got, torn, err := history.ReadAll(bytes.NewReader(append(zeros, '\n')))
	require.NoError(t, err)
	require.True(t, torn)
	require.Len(t, got, len(events))
}

func TestReaderNamesTheBadLine(t *testing.T) {
	const good = `{"i":0,"t":1,"p":1,"type":"invoke","f":"read"}` + "\n"
	for name, bad := range map[string]string{
		"no type":       `{"p":1}`,
		"no process":    `{"type":"ok"}`,
		"foreign type":  `{"p":1,"type":"maybe"}`,
		"not an object": `17`,
		"half":          `{"p":1,"type":"ok"`,
		"bad process":   `{"p":[1],"type":"ok"}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, _, _, err := history.ReadAll(strings.NewReader(good + bad + "\n" + good))
			require.ErrorIs(t, err, history.ErrEvent)
			require.ErrorContains(t, err, "line 2")
		})
	}
	_, _, _, err := history.ReadAll(strings.NewReader(`{"format":"other","version":1}` + "\n"))
	require.ErrorIs(t, err, history.ErrFormat)
	_, _, _, err = history.ReadAll(strings.NewReader(`{"format":"holdfast-history","version":99}` + "\n"))
	require.ErrorIs(t, err, history.ErrFormat)
}

func TestReaderTakesJepsenNames(t *testing.T) {
	_, got, _, err := history.ReadAll(strings.NewReader(
		`{"index":4,"time":77,"process":3,"type":"ok","f":"read","key":5,"value":[1, 2],"extra":true}` +
			"\n" +
			`{"process":"nemesis","type":"info","f":"start","value":null}` + "\n"))
	require.NoError(t, err)
	require.Equal(t, history.Event{Index: 4, Time: 77, Process: 3, Type: history.OK, F: "read", Key: "5",
		Value: json.RawMessage("[1,2]")}, got[0])
	require.Equal(t, history.NemesisProcess, got[1].Process)
	require.Equal(t, int64(5), got[1].Index)
}

// The fast decoder and the general one agree about every line that the fast one takes, and reading operations
// directly gives what reading events gives.
func TestFastDecoderAgrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		event := anyEvent(t)
		line, err := event.AppendJSON(nil)
		require.NoError(t, err)
		if rapid.Bool().Draw(t, "damage") {
			line[rapid.IntRange(0, len(line)-1).Draw(t, "at")] = byte(rapid.IntRange(' ',
				'~').Draw(t, "byte"))
		}
		fast, ok := history.DecodeFast(line)
		if !ok {
			return
		}
		var general history.Event
		require.NoError(t, general.UnmarshalJSON(line), "%s", line)
		require.Equal(t, general, fast, "%s", line)
	})
	_,
		ok := history.DecodeFast([]byte(
		`{"i":1,"t":-5,"p":3,"type":"ok","f":"read","v":{"a":[1,"]"]},"rev":7}`))
	require.True(t, ok, "the usual form is taken")
}

func TestReadOperations(t *testing.T) {
	events := []history.Event{{Process: 1, Type: history.Invoke, F: "read"},
		{Process: -1, Type: history.Info},
		{Process: 1, Type: history.OK, F: "read", Rev: 3, Time: 9}}
	var file bytes.Buffer
	require.NoError(t, history.WriteAll(&file, history.Header{Model: "store"}, events))
	_, back, _, err := history.ReadAll(bytes.NewReader(file.Bytes()))
	require.NoError(t, err)
	want, err := history.Operations(back)
	require.NoError(t, err)
	header, got, torn, err := history.ReadOperations(bytes.NewReader(file.Bytes()[:file.Len()-1]))
	require.NoError(t, err)
	require.False(t, torn, "the last line is whole but for its line end")
	require.Equal(t, "store", header.Model)
	require.Equal(t, want, got)
	_, _, _, err = history.ReadOperations(strings.NewReader(`{"p":1,"type":"ok"}`))
	require.ErrorIs(t, err, history.ErrOrphan)
}

func TestOperations(t *testing.T) {
	ops, err := history.Operations([]history.Event{
		{Index: 0, Time: 10, Process: 1, Type: history.Invoke, F: "cas", Key: "a", Mod: 40, ID: "x",
			Value: json.RawMessage("1")},
		{Index: 1, Time: 11, Process: -1, Type: history.Info, F: "partition"},
		{Index: 2, Time: 12, Process: 2, Type: history.Invoke, F: "read", Key: "a", Node: "n2"},
		{Index: 3, Time: 13, Process: 1, Type: history.OK, Rev: 41, Mod: 41},
		{Index: 4, Time: 14, Process: 2, Type: history.Info, Error: "timeout"},
		{Index: 5, Time: 15, Process: 1, Type: history.Invoke, F: "write", Key: "b"},
	})
	require.NoError(t, err)
	require.Equal(t, []history.Operation{
		{Index: 0, Process: 1, Call: 10, Return: 13, Outcome: history.OK, F: "cas", Key: "a", Expect: 40,
			Input: json.RawMessage("1"), Rev: 41, Mod: 41, ID: "x"},
		{Index: 2, Process: 2, Call: 12, Return: history.Never, Ended: 14, Outcome: history.Info, F: "read",
			Key: "a", Node: "n2", Error: "timeout"},
		{Index: 5, Process: 1, Call: 15, Return: history.Never, Outcome: history.Info, F: "write", Key: "b"},
	}, ops)
}

func TestOperationsRefusesMalformed(t *testing.T) {
	invoke := history.Event{Process: 1, Type: history.Invoke, F: "read"}
	for _, test := range []struct {
		name   string
		events []history.Event
		want   error
	}{
		{"two open calls", []history.Event{invoke, invoke}, history.ErrBusy},
		{"orphan", []history.Event{{Process: 1, Type: history.OK}}, history.ErrOrphan},
		{"after info", []history.Event{invoke, {Process: 1, Type: history.Info}, invoke}, history.ErrRetired},
		{"mixed", []history.Event{invoke, {Process: 1, Type: history.OK, F: "write"}}, history.ErrMixed},
		{"backwards", []history.Event{{Time: 5, Process: 1, Type: history.Invoke},
			{Time: 4, Process: 1, Type: history.OK}}, history.ErrTime},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := history.Operations(test.events)
			require.ErrorIs(t, err, test.want)
		})
	}
}

func TestWitnessSurvivesTheFile(t *testing.T) {
	want := []history.WitnessEntry{
		{Rev: 1, F: "create", Key: "a", Value: json.RawMessage(`"x"`), ID: "c1-1", Node: "n1",
			Chain: "aa", Epoch: 3},
		{Rev: 2, F: "rename", Key: "a", To: "b", Internal: true, Node: "n1"},
		{Kind: history.WitnessInstall, Rev: 9, Keep: 1, Node: "n2"},
		{Kind: history.WitnessTree, Rev: 9, Tree: "ff", Node: "n2"},
	}
	var file bytes.Buffer
	w, err := history.NewWitnessWriter(&file, history.Header{Scenario: "s"})
	require.NoError(t, err)
	for _, entry := range want {
		require.NoError(t, w.Append(entry))
	}
	require.NoError(t, w.Flush())
	header, got, torn, err := history.ReadWitness(bytes.NewReader(file.Bytes()))
	require.NoError(t, err)
	require.False(t, torn)
	require.Equal(t, "s", header.Scenario)
	require.Equal(t, want, got)

	_, got, torn, err = history.ReadWitness(bytes.NewReader(file.Bytes()[:file.Len()-5]))
	require.NoError(t, err)
	require.True(t, torn)
	require.Equal(t, want[:3], got)

	_, _, _, err = history.ReadAll(bytes.NewReader(file.Bytes()))
	require.ErrorIs(t, err, history.ErrFormat, "a witness is no history")
	_, _, _, err = history.ReadWitness(strings.NewReader("{\"kind\":\"odd\"}\n{\"rev\":1}\n"))
	require.ErrorIs(t, err, history.ErrWitness)
}

func TestDigestOfUsesContent(t *testing.T) {
	require.Equal(t, history.DigestBytes([]byte("a\nb")), history.DigestOf(json.RawMessage(`"a\nb"`)))
	require.Equal(t, history.DigestBytes([]byte("17")), history.DigestOf(json.RawMessage(`17`)))
	require.Equal(t, history.DigestBytes(nil), history.DigestOf(nil))
}

func TestSyncedKeepsTimesInOrder(t *testing.T) {
	var recorder history.Synced
	var clock int64
	done := make(chan struct{})
	for p := range 4 {
		go func() {
			for range 100 {
				recorder.AppendNow(history.Event{Process: p, Type: history.Invoke},
					func() int64 { clock++; return clock })
			}
			done <- struct{}{}
		}()
	}
	for range 4 {
		<-done
	}
	events := recorder.Events()
	require.Len(t, events, 400)
	for i := range events {
		require.Equal(t, int64(i), events[i].Index)
		require.Equal(t, int64(i+1), events[i].Time)
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte(`{"format":"holdfast-history","version":1}` + "\n" + `{"i":1,"t":2,"p":3,"type":"ok"}`))
	f.Add([]byte(`{"process":"nemesis","type":"info","value":{"a":null}}` + "\n\x00\x00"))
	f.Add([]byte("{}\n\n[]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		header, events, _, err := history.ReadAll(bytes.NewReader(data))
		if err != nil {
			return
		}
		var file bytes.Buffer
		require.NoError(t, history.WriteAll(&file, header, events))
		_, again, torn, err := history.ReadAll(&file)
		require.NoError(t, err)
		require.False(t, torn)
		require.Equal(t, len(events), len(again))
		_, _ = history.Operations(events)
	})
}

func FuzzWitnessReader(f *testing.F) {
	f.Add([]byte(`{"rev":1,"k":"a","v":"x"}` + "\n" + `{"kind":"install","rev":4}`))
	f.Add([]byte(`{"format":"holdfast-witness","version":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := history.NewWitnessReader(bytes.NewReader(data))
		if err != nil {
			return
		}
		for {
			if _, err := r.Next(); err != nil {
				require.True(t, errors.Is(err, io.EOF) || strings.Contains(err.Error(), "reading witness"),
					err)
				return
			}
		}
	})
}
