package store

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
)

// lineHandler writes log records as single lines without time, and counts errors.
type lineHandler struct{ n *testNode }

func (h *lineHandler) Enabled(_ context.Context, l slog.Level) bool {
	return h.n.logLines != nil || l >= slog.LevelError
}
func (h *lineHandler) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h *lineHandler) WithGroup(string) slog.Handler      { return h }

func (h *lineHandler) Handle(_ context.Context, r slog.Record) error {
	if r.Level >= slog.LevelError {
		h.n.c.errors[r.Message]++
	}
	if h.n.logLines == nil {
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "n%d %s", h.n.id, r.Message)
	r.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&b, " %s=%v", a.Key, a.Value)
		return true
	})
	h.n.logLines(b.String())
	return nil
}
