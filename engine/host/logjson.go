package host

import (
	"log/slog"
	"os"
	"time"
)

// newJSONHandler returns a handler that writes one JSON object a line, with the machine, the process and
// its process id beside what slog writes. The time is the machine's, which may be wrong on purpose.
func newJSONHandler(out *logOutput, machine, process string, wallClock func() time.Time,
	level slog.Level) slog.Handler {
	return slog.NewJSONHandler(out, &slog.HandlerOptions{Level: level,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				a.Value = slog.StringValue(wallClock().Format(time.RFC3339Nano))
			}
			return a
		}}).WithAttrs([]slog.Attr{slog.String("machine", machine), slog.String("process", process),
		slog.Int("pid", os.Getpid())})
}
