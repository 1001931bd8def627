package host

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLogLinesLookLikeTheSystemLog(t *testing.T) {
	var out bytes.Buffer
	l := slog.New(&logHandler{out: &logOutput{w: &out}, machine: "n1", process: "cluster",
		wall: func() time.Time { return time.Date(2026, 11, 2, 14, 3, 7, 0, time.UTC) }})
	l.With(SubsysKey, "TOTEM").Warn("A new membership (1.7b1) was formed. Members joined: 3 left: 2")
	l.Info("two\nlines", "n", 3, "text", "a b", slog.Group("g", "x", 1))
	l.WithGroup("outer").Error("failed", "why", "full")
	pid := fmt.Sprintf("Nov  2 14:03:07 n1 cluster[%d]: ", os.Getpid())
	require.Equal(t, pid+"[TOTEM ] A new membership (1.7b1) was formed. Members joined: 3 left: 2\n"+
		pid+`"two\nlines" n=3 text="a b" g.x=1`+"\n"+
		pid+"error: failed outer.why=full\n", out.String())
}

type testRecord struct{ Ring uint64 }

func (testRecord) RecordKind() string { return "ring" }

func TestRecordsAreAppendedAndMended(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.jsonl")
	for range 2 {
		r, err := openRecords(path)
		require.NoError(t, err)
		require.NoError(t, r.write(7*time.Nanosecond, "cluster", testRecord{Ring: 1<<63 + 1}))
		_, err = r.file.WriteString(`{"at":1,"proc`) // killed in the middle
		require.NoError(t, err)
		require.NoError(t, r.close())
	}
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	lines := strings.Split(string(data), "\n")
	require.Len(t, lines, 4)
	const whole = `{"at":7,"process":"cluster","kind":"ring","record":{"Ring":9223372036854775809}}`
	require.Equal(t, []string{whole, `{"at":1,"proc`, whole, `{"at":1,"proc`}, lines)
	require.True(t, json.Valid([]byte(lines[2])))
}
