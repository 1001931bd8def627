package jepsen_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/history/jepsen"
)

func TestReadEDN(t *testing.T) {
	r, err := jepsen.ReadEDN(strings.NewReader(`; a comment {
{:value nil, :process 0 :type :invoke, :f :read :time 17}
#jepsen.history.Op{:process :nemesis, :type :info, :f :start, :value {:cut #{n1}, "x" [1 2.5 -3N \a]}, :time 20}
{:process 0, #_ :dropped :type :ok, :f :read, :value "say \"h\u00e9\"", :time 31, :index 9}
{:type :invoke :process 1 :f :cas :value [3 4] :key 7 :time 40} {:type :info :process 1 :f :cas
 :value [3 4] :error :timeout :time 41}`))
	require.NoError(t, err)
	require.Equal(t, []history.Event{
		{Index: 0, Time: 17, Type: history.Invoke, F: "read"},
		{Index: 1, Time: 20, Process: -1, Type: history.Info, F: "start",
			Value: []byte(`{"cut":["n1"],"x":[1,2.5,-3,"a"]}`)},
		{Index: 2, Time: 31, Type: history.OK, F: "read", Value: []byte(`"say \"hé\""`)},
		{Index: 3, Time: 40, Process: 1, Type: history.Invoke, F: "cas", Key: "7", Value: []byte(`[3,4]`)},
		{Index: 4, Time: 41, Process: 1, Type: history.Info, F: "cas", Value: []byte(`[3,4]`),
			Error: "timeout"},
	}, r.Events)
	require.True(t, r.Timed)
}

func TestReadEDNVectorAndIndependentKeys(t *testing.T) {
	r, err := jepsen.ReadEDN(strings.NewReader(`[{:process 0, :type :invoke, :f :read, :value [5 nil]}
{:process 1, :type :invoke, :f :cas, :value [5 [1 2]]}
{:process 0, :type :ok, :f :read, :value [5 1]}]`))
	require.NoError(t, err)
	events := r.Events
	require.Equal(t, 1, r.Keys)
	require.Equal(t, "5", events[0].Key)
	require.Nil(t, events[0].Value)
	require.Equal(t, `[1,2]`, string(events[1].Value))
	require.Equal(t, `1`, string(events[2].Value))
	require.Equal(t, []int64{0, 1, 2}, []int64{events[0].Time, events[1].Time, events[2].Time})
}

func TestReadLog(t *testing.T) {
	r, err := jepsen.ReadLog(strings.NewReader("INFO  jepsen.core - Run starts\n" +
		"2014-01-01 INFO  jepsen.util - 3\t:invoke\t:cas\t[3 1]\n" +
		"INFO  jepsen.util - :nemesis\t:info\t:start\tnil\n" +
		"INFO  jepsen.util - 3\t:info\t:cas\t:timed-out\n" +
		"INFO  jepsen.util - 4   :invoke :read nil\r\n" +
		"INFO  jepsen.util - nothing of interest\n" +
		"INFO  jepsen.util - 4 :ok :read 2\n"))
	require.NoError(t, err)
	require.Equal(t, []history.Event{
		{Index: 0, Time: 0, Process: 3, Type: history.Invoke, F: "cas", Value: []byte(`[3,1]`)},
		{Index: 1, Time: 1, Process: -1, Type: history.Info, F: "start"},
		{Index: 2, Time: 2, Process: 3, Type: history.Info, F: "cas", Error: "timed-out"},
		{Index: 3, Time: 3, Process: 4, Type: history.Invoke, F: "read"},
		{Index: 4, Time: 4, Process: 4, Type: history.OK, F: "read", Value: []byte(`2`)},
	}, r.Events)
	require.Empty(t, r.Torn)
	_, err = jepsen.ReadLog(strings.NewReader("nothing\n"))
	require.ErrorIs(t, err, jepsen.ErrEmpty)
}

func TestBadEDNNamesTheLine(t *testing.T) {
	good := "{:process 1, :type :ok}\n"
	cut, err := jepsen.ReadEDN(strings.NewReader(good + "{:process 1"))
	require.NoError(t, err)
	require.Len(t, cut.Events, 1)
	require.Contains(t, cut.Torn, "line 2")
	_, err = jepsen.ReadEDN(strings.NewReader("{:process 1"))
	require.ErrorIs(t, err, jepsen.ErrCut)
	for text, want := range map[string]error{
		"}":                                 jepsen.ErrSyntax,
		"{:process}":                        jepsen.ErrSyntax,
		"[1 2}":                             jepsen.ErrEvent,
		"[{:a 2)":                           jepsen.ErrSyntax,
		"[]]":                               jepsen.ErrSyntax,
		"({:process 1 :type :ok}]":          jepsen.ErrSyntax,
		strings.Repeat("[", 100):            jepsen.ErrSyntax,
		"{:process 1}":                      jepsen.ErrEvent,
		"{:type :ok}":                       jepsen.ErrEvent,
		"{:process 1, :type :maybe}":        history.ErrType,
		"{:process [1], :type :ok}":         jepsen.ErrEvent,
		"17":                                jepsen.ErrEvent,
		"{:process 1 :type :ok :value 1-2}": jepsen.ErrSyntax,
	} {
		_, err = jepsen.ReadEDN(strings.NewReader(good + text))
		require.ErrorIs(t, err, want, text)
		require.ErrorContains(t, err, "line", text)
	}
}

// TestNumbers: every form of Clojure's reader, and what it refuses.
func TestNumbers(t *testing.T) {
	for text, want := range map[string]string{
		"0": "0", "-0": "0", "+7": "7", "0x1f": "31", "-0XFF": "-255", "017": "15", "-010": "-8", "00": "0",
		"2r1010": "10", "36rZz": "1295", "-16rff": "-255", "12N": "12", "0x10N": "16",
		"123456789012345678901234567890": "123456789012345678901234567890",
		"1.0":                            "1.0", "-0.0": "0.0", "1.50M": "1.5", "3M": "3.0", "1.": "1.0",
		"2e3": "2000.0", "1e400": `"##Inf"`,
		"08.5": "8.5", "##-Inf": `"##-Inf"`, "1/2": `"1/2"`, "-4/6": `"-2/3"`, "6/3": "2",
		"#{2 10 1 2}":            "[1,2,10]",
		"#{[2 1] #{1 2} #{2 1}}": "[[1,2],[2,1]]",
	} {
		r, err := jepsen.ReadEDN(strings.NewReader("{:process 0 :type :ok :f :read :value " + text + "}"))
		require.NoError(t, err, text)
		require.Equal(t, want, string(r.Events[0].Value), text)
	}
	for _, text := range []string{"08", "1/0", "2r12", "1r0", "37r1", "0x", "1x", "1N0", "1/2/3",
		"2r1010N", "0x1g"} {
		_, err := jepsen.ReadEDN(strings.NewReader("{:process 0 :type :ok :f :read :value " + text + "}"))
		require.ErrorIs(t, err, jepsen.ErrSyntax, text)
	}
}

// TestTuples: which histories are split by key.
func TestTuples(t *testing.T) {
	call := func(f, value string) string {
		return "{:process 0 :type :invoke :f :" + f + " :value " + value + "}{:process 0 :type :ok :f :" + f +
			"}"
	}
	for text, want := range map[string]int{
		call("read", "[1 nil]"): 1,
		call("read", "[1 nil]") + call("read", "[2 nil]") + call("flush", "nil"): 2,
		call("read", "nil") + call("write", "[1 2]"):                             0,
		call("write", "[1 2]"):                                                 0,
		call("write", "[1 5]") + call("cas", "[1 [5 6]]"):                      1,
		call("write", "5") + call("cas", "[5 6]"):                              0,
		call("cas", "[[1 2] [3 4]]"):                                           0,
		call("txn", "[[:r 1 nil] [:w 2 3]]"):                                   0,
		call("txn", "[:k [[:r 1 nil]]]"):                                       1,
		call("write", "[1 2]") + call("read", "[1 nil]") + call("read", "nil"): 1,
		call("cas", "[1 2]") + call("cas", "[2 3]") + call("cas", "[3 [4 5]]"): 0,
		call("add", "[0 1]") + call("read", "[0 nil]"):                         1,
		call("read", "[1 nil]") + call("read", "nil") + call("read", "nil"):    0,
	} {
		r, err := jepsen.ReadEDN(strings.NewReader(text))
		require.NoError(t, err, text)
		require.Equal(t, want, r.Keys, text)
	}
}

// roundTrip requires that events survive Holdfast's own format.
func roundTrip(t *testing.T, r *jepsen.Recording) {
	t.Helper()
	for i := range r.Events {
		line, err := r.Events[i].AppendJSON(nil)
		require.NoError(t, err)
		var back history.Event
		require.NoError(t, back.UnmarshalJSON(line), "%s", line)
	}
	history.InOrder(r.Events)
	_, _ = history.Operations(r.Events) // a history that is not well formed is an error
}

func FuzzReadEDN(f *testing.F) {
	f.Add(`{:process 0, :type :invoke, :f :append, :key "0", :value "x 0 0 y"}`)
	f.Add(`[#a.B{:process 1 :type :ok :value #{1 ##Inf "\u0041" \newline 1/2 -7N 1e9}}]`)
	f.Add(`({:process :nemesis, :type :info, :value {nil {[] ()}} #_x :time 5})`)
	f.Add(`{:process 0 :type :ok :value [0x1F 017 36rZz +3 -0.0 1.5M 4/2 0N]}`)
	f.Fuzz(func(t *testing.T, data string) {
		if r, err := jepsen.ReadEDN(strings.NewReader(data)); err == nil {
			roundTrip(t, r)
		}
	})
}

func FuzzReadLog(f *testing.F) {
	f.Add("INFO  jepsen.util - 3\t:info\t:cas\t:timed-out\n")
	f.Add("0\t:invoke\t:read\t[3 nil]\n:nemesis\t:info\t:start\t#x[\n0\t:ok\t:read\t[3 1]\t:oops")
	f.Add("2026-02-03 11:22:33,100{GMT}\tINFO\t[jepsen worker 1] jepsen.util: 1\t:invoke\t:write\t51\r\n")
	f.Fuzz(func(t *testing.T, data string) {
		if r, err := jepsen.ReadLog(strings.NewReader(data)); err == nil {
			roundTrip(t, r)
		}
	})
}

func FuzzReadJSON(f *testing.F) {
	f.Add(`[{"type":"invoke","process":0,"f":"write","value":{"b":[1.50,"\u0041"],"a":1},"time":1.5}]`)
	f.Add("{\"type\":\":ok\",\"process\":\"nemesis\",\"error\":[1]}\n{\"type\":\"info\",\"p\":1,\"k\":2}")
	f.Fuzz(func(t *testing.T, data string) {
		if r, err := jepsen.ReadJSON(strings.NewReader(data)); err == nil {
			roundTrip(t, r)
		}
	})
}
