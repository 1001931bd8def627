package records

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type testRecord struct{ Ring uint64 }

func (testRecord) RecordKind() string { return "ring" }

func TestRecordsAreAppendedAndMended(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.jsonl")
	for range 2 {
		r, err := Open(path)
		require.NoError(t, err)
		require.NoError(t, r.Write(7*time.Nanosecond, "cluster", testRecord{Ring: 1<<63 + 1}))
		_, err = r.file.WriteString(`{"at":1,"proc`) // killed in the middle
		require.NoError(t, err)
		require.NoError(t, r.Close())
	}
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	lines := strings.Split(string(data), "\n")
	require.Len(t, lines, 4)
	const whole = `{"at":7,"process":"cluster","kind":"ring","record":{"Ring":9223372036854775809}}`
	require.Equal(t, []string{whole, `{"at":1,"proc`, whole, `{"at":1,"proc`}, lines)
	require.True(t, json.Valid([]byte(lines[2])))
}
