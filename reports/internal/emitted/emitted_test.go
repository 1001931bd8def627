package emitted_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/reports/internal/emitted"
	"github.com/holdfast-sim/holdfast/scenarios"
)

func record(at time.Duration, machine int, process, kind, data string) *emitted.Record {
	return &emitted.Record{At: at, Machine: machine, Process: process, Kind: kind,
		Data: json.RawMessage(data)}
}

func name(machine int) string { return fmt.Sprintf("n%d", machine+1) }

func TestLanesOfStates(t *testing.T) {
	var lanes emitted.Lanes
	for _, r := range []*emitted.Record{
		record(1, 0, "machine", "machine-power", `{"on":true,"boot":1}`),
		record(2, 0, "server", "role", `{"term":1,"leader":false}`),
		record(3, 1, "server", "role", `"leader"`),
		record(4, 0, "server", "role", `{"term":1,"leader":false}`),
		record(5, 0, "server", "role", `{"term":2,"leader":true}`),
		record(6, 0, "server", "epoch", `{"node":1,"epoch":7}`),
		record(7, 0, "other", "epoch", `{"node":1,"epoch":8}`),
		record(8, 0, "machine", "machine-power", `{"on":false,"boot":1,"cause":"power cut"}`),
	} {
		lanes.Add(r)
	}
	for i := range time.Duration(300) {
		lanes.Add(record(10+i, 0, "server", "written", fmt.Sprintf(`{"revision":%d}`, i)))
	}
	got, events := lanes.Finish(1000, name)
	require.Equal(t, []string{"written"}, events)
	span := func(from, to time.Duration, text string, tone int) scenarios.Span {
		return scenarios.Span{From: from, To: to, Text: text, Class: fmt.Sprintf("tone-%d", tone)}
	}
	require.Equal(t, []scenarios.Lane{
		{Machine: "n1 other", Name: "epoch", Spans: []scenarios.Span{span(7, 8, "8", 1)}},
		{Machine: "n1 server", Name: "epoch", Spans: []scenarios.Span{span(6, 8, "7", 0)}},
		{Machine: "n1", Name: "machine-power", Spans: []scenarios.Span{span(1, 8, "on, boot 1", 0),
			span(8, 1000, "not on, boot 1, cause power cut", 1)}},
		{Machine: "n1", Name: "role", Spans: []scenarios.Span{span(2, 5, "term 1, not leader", 0),
			span(5, 8, "term 2, leader", 2)}},
		{Machine: "n2", Name: "role", Spans: []scenarios.Span{span(3, 1000, "leader", 1)}},
	}, got)
}

// TestMessagesArePaired sends messages to one machine and to all, loses some and delivers others late.
func TestMessagesArePaired(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		machines := rapid.IntRange(2, 5).Draw(t, "machines")
		var names []string
		for i := range machines {
			names = append(names, name(i))
		}
		var records []*emitted.Record
		var want []emitted.Message
		toSelf := 0
		for i := range machines { // machines tell their numbers first, as nodes of a cluster do
			records = append(records, record(0, i, "p", "started", fmt.Sprintf(`{"node":%d}`, 100+i)))
		}
		for i := range rapid.IntRange(0, 20).Draw(t, "messages") {
			sent := time.Duration(1 + 2*i) // no two at a time
			from := rapid.IntRange(0, machines-1).Draw(t, "from")
			if rapid.Bool().Draw(t, "to one") {
				to := rapid.IntRange(0, machines-1).Filter(func(to int) bool { return to != from }).Draw(t,
					"to")
				m := emitted.Message{From: from, To: to, Sent: sent, Received: -1,
					Process: "p", Kind: "asked"}
				records = append(records, record(sent, from, "p", "asked",
					fmt.Sprintf(`{"to":%q,"number":%d}`, name(to), i)))
				if rapid.Bool().Draw(t, "arrives") {
					m.Received = sent + time.Duration(rapid.IntRange(1, 20).Draw(t, "after"))
					records = append(records, record(m.Received, to, "p", "got-asked",
						fmt.Sprintf(`{"number":%d,"from":%q,"busy":true}`, i, name(from))))
				}
				want = append(want, m)
				continue
			}
			records = append(records, record(sent, from, "p", "sent", fmt.Sprintf(
				`{"node":%d,"ring":{"seq":%d},"text":"x"}`, 100+from, i)))
			for to := range machines {
				if !rapid.Bool().Draw(t, "delivered") {
					continue
				}
				at := sent + time.Duration(rapid.IntRange(1, 20).Draw(t, "after"))
				records = append(records, record(at, to, "p", "delivered", fmt.Sprintf(
					`{"node":%d,"from":%d,"ring":{"seq":%d},"text":"x","more":1}`, 100+to, 100+from, i)))
				if to == from {
					toSelf++
					continue
				}
				want = append(want, emitted.Message{From: from, To: to, Sent: sent,
					Received: at, Process: "p",
					Kind: "delivered"})
			}
		}
		slices.SortStableFunc(records, func(a, b *emitted.Record) int { return cmp.Compare(a.At, b.At) })
		messages := emitted.NewMessages(names)
		for _, r := range records {
			messages.Add(r)
		}
		got := slices.Clone(messages.List())
		for i := range got {
			got[i].Text = ""
		}
		require.ElementsMatch(t, want, got)
		require.Equal(t, toSelf, messages.ToSelf)
		require.True(t, slices.IsSortedFunc(got,
			func(a, b emitted.Message) int { return cmp.Compare(a.At(), b.At()) }))
	})
}

// TestReceiptWithoutSending: what no record tells is unknown, and members named from that name no machine are
// no receipts.
func TestReceiptWithoutSending(t *testing.T) {
	messages := emitted.NewMessages([]string{"n1", "n2"})
	messages.Add(record(5, 1, "p", "state", `{"from":"gather","to":"operational"}`))
	messages.Add(record(6, 1, "p", "got", `{"from":"n1","what":"vote"}`))
	messages.Add(record(7, 1, "p", "got", `{"from":3}`))
	require.Equal(t, []emitted.Message{{From: 0, To: 1, Sent: -1, Received: 6, Process: "p", Kind: "got",
		Text: "vote"}}, messages.List())
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"at":5,"machine":1,"process":"p","kind":"k","record":{"a":[1,{"b":null}],"from":"n1"}}`))
	f.Add([]byte(`{"at":-1,"record":{"to":1,"node":"n1"}}`))
	f.Add([]byte(`{"at":99999999999999999999,`))
	f.Fuzz(func(t *testing.T, line []byte) {
		at, err := emitted.At(line)
		r, decodeErr := emitted.Decode(line)
		if decodeErr != nil {
			return
		}
		require.NoError(t, err)
		if bytes.Count(line, []byte("at")) == 1 { // a later member of the same name would win
			require.Equal(t, r.At, at)
		}
		var lanes emitted.Lanes
		messages := emitted.NewMessages([]string{"n1"})
		for range 2 {
			lanes.Add(&r)
			messages.Add(&r)
		}
		done, _ := lanes.Finish(10, name)
		require.LessOrEqual(t, len(done), 1)
		require.LessOrEqual(t, len(messages.List()), 2)
	})
}

// TestLookHasLimits: of too many records and messages those around the focus are shown, the rest is counted.
func TestLookHasLimits(t *testing.T) {
	lines := func(do func([]byte) error) error {
		for i := range 1000 {
			line := fmt.Sprintf(
				`{"at":%d,"machine":0,"process":"p","kind":"sent","record":{"to":"n2","n":%d}}`, i*10, i)
			if err := do([]byte(line)); err != nil {
				return err
			}
		}
		return nil
	}
	run := &emitted.Run{Machines: []string{"n1", "n2"}, End: 10_000, Focus: 6000, Name: name, WithLanes: true}
	v, err := emitted.ReadRecords(lines, run)
	require.NoError(t, err)
	require.Len(t, v.Messages, 1000)
	require.Zero(t, v.More+v.Cut)
	require.Equal(t, []string{"sent"}, v.Events)

	run.MaxRecords, run.MaxMessages = 100, 10
	v, err = emitted.ReadRecords(lines, run)
	require.NoError(t, err)
	require.Len(t, v.Messages, 10)
	require.Equal(t, 1000, 10+v.More+v.Cut)
	require.InDelta(t, 900, v.Cut, 5)
	for i := range v.Messages {
		require.InDelta(t, 6000, int(v.Messages[i].Sent), 60)
	}

	_, err = emitted.ReadRecords(func(do func([]byte) error) error { return do([]byte("{")) }, run)
	require.ErrorContains(t, err, "reading a record")
}
