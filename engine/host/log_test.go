package host

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLogLinesLookLikeTheSystemLog(t *testing.T) {
	var out bytes.Buffer
	l := slog.New(&logHandler{output: &logOutput{w: &out}, machine: "n1", process: "cluster",
		wallClock: func() time.Time { return time.Date(2026, 11, 2, 14, 3, 7, 0, time.UTC) }})
	l.With(SubsysKey, "TOTEM").Warn("A new membership (1.7b1) was formed. Members joined: 3 left: 2")
	l.Info("two\nlines", "n", 3, "text", "a b", slog.Group("g", "x", 1))
	l.WithGroup("outer").Error("failed", "why", "full")
	pid := fmt.Sprintf("Nov  2 14:03:07 n1 cluster[%d]: ", os.Getpid())
	require.Equal(t, pid+"[TOTEM ] A new membership (1.7b1) was formed. Members joined: 3 left: 2\n"+
		pid+`"two\nlines" n=3 text="a b" g.x=1`+"\n"+
		pid+"error: failed outer.why=full\n", out.String())
}
