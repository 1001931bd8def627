package raft

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/env/envtest"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

func drawCommand(t *rapid.T) command {
	return command{Function: function(rapid.IntRange(1, 2).Draw(t, "function")),
		Key:     rapid.StringMatching(`[a-z/]{1,20}`).Draw(t, "key"),
		Value:   rapid.StringN(0, 50, 200).Draw(t, "value"),
		Session: rapid.StringMatching(`c[0-9]{1,3}`).Draw(t, "session"),
		Serial:  rapid.Uint64().Draw(t, "serial")}
}

func drawEntry(t *rapid.T) entry {
	return entry{Term: rapid.Uint64().Draw(t, "entry's term"), Command: drawCommand(t)}
}

func drawMessage(t *rapid.T) message {
	m := message{Kind: messageKind(rapid.IntRange(1, int(kinds)-1).Draw(t, "kind")),
		Term: rapid.Uint64().Draw(t, "term"), Index: rapid.Uint64().Draw(t, "index"),
		LogTerm: rapid.Uint64().Draw(t, "log term"), Commit: rapid.Uint64().Draw(t, "commit"),
		Success: rapid.Bool().Draw(t, "success")}
	switch m.Kind {
	case kindAppendRequest:
		for range rapid.IntRange(0, maxEntries).Draw(t, "entries") {
			m.Entries = append(m.Entries, drawEntry(t))
		}
	case kindForward:
		m.Number, m.Command = rapid.Uint64().Draw(t, "number"), drawCommand(t)
	case kindAnswer:
		m.Number = rapid.Uint64().Draw(t, "number")
		m.Answer = answer{Status: status(rapid.IntRange(1, int(statuses)-1).Draw(t, "status")),
			Value:  rapid.StringN(0, 20, 80).Draw(t, "value"),
			Reason: rapid.StringN(0, 20, 80).Draw(t, "reason")}
	}
	return m
}

func TestMessagesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawMessage(t)
		again, err := decode(m.encode())
		require.NoError(t, err)
		require.Equal(t, m, again)
	})
}

// FuzzMessage: no datagram makes decode panic, and what it reads means the same when it is written again.
func FuzzMessage(f *testing.F) {
	f.Add([]byte{})
	for _, m := range []message{{Kind: kindVoteRequest, Term: 3, Index: 2, LogTerm: 1},
		{Kind: kindAppendRequest, Entries: []entry{{Term: 1, Command: command{Function: write, Key: "k",
			Session: "c1"}}}},
		{Kind: kindAnswer, Answer: answer{Status: statusRefused, Reason: "full"}}} {
		f.Add(m.encode())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decode(data)
		if err != nil {
			require.ErrorIs(t, err, errMalformed)
			require.Zero(t, m)
			return
		}
		again, err := decode(m.encode())
		require.NoError(t, err)
		require.Equal(t, m, again)
	})
}

// TestJournalHoldsWhatWasSaved writes changes to a journal and compares every start with a plain log.
func TestJournalHoldsWhatWasSaved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		disk := envtest.NewDisk()
		var want durableState
		j := &journal{}
		_, err := j.open(disk)
		require.NoError(t, err)
		t.Repeat(map[string]func(*rapid.T){
			"entry": func(t *rapid.T) {
				e := drawEntry(t)
				require.NoError(t, j.saveLog(appendEntryChange(nil, &e)))
				want.log = append(want.log, e)
			},
			"truncate": func(t *rapid.T) {
				if len(want.log) == 0 {
					t.Skip("an empty log has nothing to remove")
				}
				first := rapid.IntRange(1, len(want.log)).Draw(t, "first")
				require.NoError(t, j.saveLog(appendTruncateChange(nil, uint64(first))))
				want.log = want.log[:first-1]
			},
			"term": func(t *rapid.T) {
				want.term, want.vote = rapid.Uint64().Draw(t, "term"), rapid.Uint64().Draw(t, "vote")
				require.NoError(t, j.saveTerm(want.term, want.vote))
			},
			"start": func(t *rapid.T) {
				j = &journal{}
				have, err := j.open(disk)
				require.NoError(t, err)
				require.Equal(t, want.term, have.term)
				require.Equal(t, want.vote, have.vote)
				require.Equal(t, append([]entry{}, want.log...), append([]entry{}, have.log...))
			},
		})
	})
}

// FuzzJournal: no content of the file makes a start panic, and a journal that is cut anywhere holds the
// changes that are complete.
func FuzzJournal(f *testing.F) {
	e := entry{Term: 2, Command: command{Function: write, Key: "k", Value: "v", Session: "c1", Serial: 7}}
	whole := appendEntryChange(appendTermChange(nil, 2, 1), &e)
	f.Add(whole, 3)
	f.Add(appendTruncateChange(whole, 1), 0)
	f.Add(appendTruncateChange(whole, 9), 0)
	f.Fuzz(func(t *testing.T, data []byte, cut int) {
		state, err := readJournal(data)
		if err != nil {
			require.ErrorIs(t, err, errImpossible)
			return
		}
		if cut < 0 || cut > len(data) {
			return
		}
		before, err := readJournal(data[:cut])
		require.NoError(t, err)
		require.LessOrEqual(t, before.term, max(state.term, before.term))
	})
}

// FuzzDecodeResponse: no answer makes the codec panic, and an answer without an error is a success.
func FuzzDecodeResponse(f *testing.F) {
	for _, text := range []string{"", "{}", "null", `{"value": "a"}`, `{"error": "busy"}`,
		`{"unknown": true}`, `{"no_leader": true}`, `{"valu": 1}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		result, err := decodeResponse(workload.Op{F: workload.Read}, data)
		if err != nil {
			require.Zero(t, result)
			return
		}
		require.Equal(t, result.Type == history.OK, result.Error == "")
		require.False(t, result.Elsewhere && result.Type != history.Fail)
	})
}

func TestAWriteIsAppliedOnce(t *testing.T) {
	s := newStateMachine()
	first := command{Function: write, Key: "k", Value: "a", Session: "c1", Serial: 1}
	second := command{Function: write, Key: "k", Value: "b", Session: "c1", Serial: 2}
	other := command{Function: write, Key: "k", Value: "c", Session: "c2", Serial: 1}
	for _, c := range []struct {
		command command
		status  status
		value   string
	}{{first, statusOK, "a"}, {other, statusOK, "c"}, {first, statusOK, "c"}, {second, statusOK, "b"},
		{second, statusOK, "b"}, {first, statusUnknown, "b"}} {
		require.Equal(t, c.status, s.apply(&c.command).Status)
		require.Equal(t, c.value, s.apply(&command{Function: read, Key: "k"}).Value)
	}
}
