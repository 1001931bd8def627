package hostdriver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestRecordsOfAFileThatIsCutAnywhere: a program that is killed leaves a torn last line; what was whole
// before it is read, and nothing is made up.
func TestRecordsOfAFileThatIsCutAnywhere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var file []byte
		n := rapid.IntRange(0, 6).Draw(t, "records")
		ends := []int{}
		for i := range n {
			value := rapid.StringMatching(`[ -~]{0,12}`).Draw(t, "value")
			text, err := json.Marshal(value)
			require.NoError(t, err)
			file = fmt.Appendf(file, `{"at":%d,"process":"p","kind":"k","record":%s}`+"\n", i, text)
			ends = append(ends, len(file))
		}
		cut := rapid.IntRange(0, len(file)).Draw(t, "cut")
		whole := 0
		for _, end := range ends {
			if end-1 <= cut { // without its newline a line is whole as well
				whole++
			}
		}
		got := stampedLines(file[:cut])
		require.Len(t, got, whole)
		for i, r := range got {
			require.Equal(t, int64(i), r.At)
		}
	})
}

func FuzzRecords(f *testing.F) {
	f.Add([]byte(`{"at":1,"process":"a","kind":"k","record":{"x":1}}` + "\n"))
	f.Add([]byte("{\"at\":1}\n\n{\"at\":"))
	f.Add([]byte("null\n[]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got := stampedLines(data)
		require.LessOrEqual(t, len(got), bytes.Count(data, []byte("\n"))+1)
	})
}
