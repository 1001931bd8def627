package store

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
)

// lineHandler writes log records as single lines without time.
type lineHandler struct{ n *testNode }

func (h *lineHandler) Enabled(context.Context, slog.Level) bool { return h.n.logLines != nil }
func (h *lineHandler) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h *lineHandler) WithGroup(string) slog.Handler            { return h }

func (h *lineHandler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	fmt.Fprintf(&b, "n%d %s", h.n.id, r.Message)
	r.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&b, " %s=%v", a.Key, a.Value)
		return true
	})
	h.n.logLines(b.String())
	return nil
}
