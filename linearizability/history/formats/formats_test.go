package formats_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/linearizability/history/formats"
)

// TestDetection: the content tells the format, also behind blanks, comments and a byte order mark.
func TestDetection(t *testing.T) {
	const (
		jepsenJSON = `{"process":0,"type":"invoke","f":"read"}`
		own        = `{"i":0,"t":1,"p":0,"type":"invoke","f":"read"}`
		edn        = `{:process 0 :type :invoke :f :read}`
		etcd       = `{"ClientId":0,"Input":{"Type":"range","Range":{"Start":"a"}},"Call":1}`
	)
	for text, want := range map[string]formats.Format{
		"":  formats.Own,
		own: formats.Own,
		`{"format":"holdfast-history","version":1}` + "\n" + jepsenJSON: formats.Own,
		"\ufeff" + own:                         formats.Own,
		"[" + own + "]":                        formats.Own,
		jepsenJSON:                             formats.JepsenJSON,
		"\ufeff\n [\n" + jepsenJSON + "]":      formats.JepsenJSON,
		`[]`:                                   formats.Own,
		etcd:                                   formats.Etcd,
		"[" + etcd + "]":                       formats.Etcd,
		strings.ReplaceAll(etcd, ":{", ":\n{"): formats.Etcd,
		edn:                                    formats.JepsenEDN,
		"; {\"type\"\n" + edn:                  formats.JepsenEDN,
		"#_{} " + edn:                          formats.JepsenEDN,
		"[" + edn + "]":                        formats.JepsenEDN,
		"[#jepsen.history.Op" + edn + "]":      formats.JepsenEDN,
		"(" + edn + ")":                        formats.JepsenEDN,
		"0\t:invoke\t:read\tnil\n":             formats.JepsenText,
		":nemesis\t:info\t:start\tnil\n0 :invoke :read nil\n":                            formats.JepsenText,
		"INFO  jepsen.util - 0\t:invoke\t:read\tnil\n":                                   formats.Porcupine,
		"INFO [jepsen worker 0] jepsen.util: 0\t:invoke\t:read\tnil\n":                   formats.JepsenLog,
		"[main] INFO jepsen.core: starting\n[w] INFO jepsen.util: 0 :invoke :read nil\n": formats.JepsenLog,
		"2014-01-01 INFO jepsen.util - 0 :invoke :read nil\n":                            formats.JepsenLog,
	} {
		r, err := formats.Read(strings.NewReader(text))
		require.NoError(t, err, text)
		require.Equal(t, want, r.Format, text)
		require.Contains(t, r.Notes[0], want.About(), text)
	}
}

func TestParseFailed(t *testing.T) {
	for _, word := range []string{"", "observed", "did-not-happen"} {
		f, err := formats.ParseFailureMeaning(word)
		require.NoError(t, err)
		require.Equal(t, word, string(f))
	}
	_, err := formats.ParseFailureMeaning("maybe")
	require.ErrorIs(t, err, formats.ErrFailureMeaning)
}

func FuzzRead(f *testing.F) {
	f.Add(`[{"process":0,"type":"invoke","f":"read"}]`)
	f.Add(`({:process 0 :type :invoke :f :read :value [1 nil]})`)
	f.Add("0\t:invoke\t:read\tnil\n0\t:ok\t:read\t1")
	f.Add("{\"i\":0,\"t\":9,\"p\":0,\"type\":\"invoke\"}\n{\"i\":1,\"t\":3,\"p\":1,\"type\":\"invoke\"}")
	f.Add(`{"ClientId":0,"Input":{"Type":"range","Range":{"Start":"a"}},"Call":1}`)
	f.Fuzz(func(t *testing.T, text string) {
		r, err := formats.Read(strings.NewReader(text))
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		require.NotEmpty(t, r.Notes)
		for i := range r.Ops {
			require.LessOrEqual(t, r.Ops[i].Call, r.Ops[i].Return)
		}
	})
}
