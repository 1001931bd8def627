package jepsen_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/history/jepsen"
)

func TestReadEDN(t *testing.T) {
	events, err := jepsen.Read(strings.NewReader(`; a comment {
{:value nil, :process 0 :type :invoke, :f :read :time 17}
#jepsen.history.Op{:process :nemesis, :type :info, :f :start, :value {:cut #{n1}, "x" [1 2.5 -3N \a]}, :time 20}
{:process 0, #_ :dropped :type :ok, :f :read, :value "say \"h\u00e9\"", :time 31, :index 9}
{:type :invoke :process 1 :f :cas :value [3 4] :key 7 :time 40} {:type :info :process 1 :f :cas
 :value [3 4] :error :timeout :time 41}`))
	require.NoError(t, err)
	require.Equal(t, []history.Event{
		{Index: 0, Time: 17, Type: history.Invoke, F: "read"},
		{Index: 1, Time: 20, Process: -1, Type: history.Info, F: "start", Value: []byte(`{"cut":["n1"],"x":[1,2.5,-3,"a"]}`)},
		{Index: 2, Time: 31, Type: history.OK, F: "read", Value: []byte(`"say \"hé\""`)},
		{Index: 3, Time: 40, Process: 1, Type: history.Invoke, F: "cas", Key: "7", Value: []byte(`[3,4]`)},
		{Index: 4, Time: 41, Process: 1, Type: history.Info, F: "cas", Value: []byte(`[3,4]`), Error: "timeout"},
	}, events)
}

func TestReadEDNVectorAndIndependentKeys(t *testing.T) {
	events, err := jepsen.ReadEDN(strings.NewReader(`[{:process 0, :type :invoke, :f :read, :value [5 nil]}
{:process 1, :type :invoke, :f :cas, :value [5 [1 2]]}
{:process 0, :type :ok, :f :read, :value [5 1]}]`))
	require.NoError(t, err)
	require.Equal(t, "5", events[0].Key)
	require.Nil(t, events[0].Value)
	require.Equal(t, `[1,2]`, string(events[1].Value))
	require.Equal(t, `1`, string(events[2].Value))
	require.Equal(t, []int64{0, 1, 2}, []int64{events[0].Time, events[1].Time, events[2].Time})
}

func TestReadLog(t *testing.T) {
	events, err := jepsen.Read(strings.NewReader("INFO  jepsen.core - Run starts\n" +
		"2014-01-01 INFO  jepsen.util - 3\t:invoke\t:cas\t[3 1]\n" +
		"INFO  jepsen.util - :nemesis\t:info\t:start\tnil\n" +
		"INFO  jepsen.util - 3\t:info\t:cas\t:timed-out\n" +
		"INFO  jepsen.util - 4   :invoke :read nil\r\n" +
		"INFO  jepsen.util - nothing of interest\n" +
		"INFO  jepsen.util - 4 :ok :read 2"))
	require.NoError(t, err)
	require.Equal(t, []history.Event{
		{Index: 0, Time: 0, Process: 3, Type: history.Invoke, F: "cas", Value: []byte(`[3,1]`)},
		{Index: 1, Time: 1, Process: -1, Type: history.Info, F: "start"},
		{Index: 2, Time: 2, Process: 3, Type: history.Info, F: "cas", Error: "timed-out"},
		{Index: 3, Time: 3, Process: 4, Type: history.Invoke, F: "read"},
		{Index: 4, Time: 4, Process: 4, Type: history.OK, F: "read", Value: []byte(`2`)},
	}, events)
	_, err = jepsen.ReadLog(strings.NewReader("nothing\n"))
	require.ErrorIs(t, err, jepsen.ErrEmpty)
}

func TestBadEDNNamesTheLine(t *testing.T) {
	good := "{:process 1, :type :ok}\n"
	for text, want := range map[string]error{
		"{:process 1":                       jepsen.ErrSyntax,
		"}":                                 jepsen.ErrSyntax,
		"{:process}":                        jepsen.ErrSyntax,
		`{:process "x`:                      jepsen.ErrSyntax,
		"#_":                                jepsen.ErrSyntax,
		"[1 2}":                             jepsen.ErrSyntax,
		strings.Repeat("[", 100):            jepsen.ErrSyntax,
		"{:process 1}":                      jepsen.ErrEvent,
		"{:type :ok}":                       jepsen.ErrEvent,
		"{:process 1, :type :maybe}":        history.ErrType,
		"{:process [1], :type :ok}":         jepsen.ErrEvent,
		"17":                                jepsen.ErrEvent,
		"{:process 1 :type :ok :value 1-2}": jepsen.ErrSyntax,
	} {
		_, err := jepsen.ReadEDN(strings.NewReader(good + text))
		require.ErrorIs(t, err, want, text)
		require.ErrorContains(t, err, "line", text)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`{:process 0, :type :invoke, :f :append, :key "0", :value "x 0 0 y"}`)
	f.Add("INFO  jepsen.util - 3\t:info\t:cas\t:timed-out\n")
	f.Add(`[#a.B{:process 1 :type :ok :value #{1 ##Inf "\u0041" \newline 1/2 -7N 1e9}}]`)
	f.Add(`{:process :nemesis, :type :info, :value {nil {[] ()}} #_x :time 5}`)
	f.Fuzz(func(t *testing.T, data string) {
		events, err := jepsen.Read(strings.NewReader(data))
		if err != nil {
			return
		}
		for i := range events {
			line, err := events[i].AppendJSON(nil)
			require.NoError(t, err)
			var back history.Event
			require.NoError(t, back.UnmarshalJSON(line), "%s", line)
		}
		_, _ = history.Operations(events)
	})
}
