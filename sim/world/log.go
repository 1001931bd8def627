package world

import (
	"context"
	"log/slog"
	"strings"

	"github.com/holdfast-sim/holdfast/scenarios"
)

// logHandler turns what a process logs into lines with virtual times.
type logHandler struct {
	proc  *Proc
	attrs []slog.Attr
}

func newLogHandler(p *Proc) slog.Handler { return &logHandler{proc: p} }

// SubsystemKey is the attribute that operators see in brackets before a message.
const SubsystemKey = "subsys"

// Enabled implements slog.Handler.
func (h *logHandler) Enabled(_ context.Context, level slog.Level) bool {
	cfg := &h.proc.world().cfg
	return cfg.OnLog != nil && level >= cfg.LogLevel
}

// Handle implements slog.Handler.
func (h *logHandler) Handle(_ context.Context, r slog.Record) error {
	if !h.proc.mayCall("Log") {
		return nil
	}
	w := h.proc.world()
	var text strings.Builder
	subsystem := ""
	attrs := h.attrs
	r.Attrs(func(a slog.Attr) bool {
		attrs = append(attrs[:len(attrs):len(attrs)], a)
		return true
	})
	for _, a := range attrs {
		if a.Key == SubsystemKey {
			subsystem = a.Value.String()
		}
	}
	if subsystem != "" {
		text.WriteString("[" + subsystem + strings.Repeat(" ", max(0, 6-len(subsystem))) + "] ")
	}
	text.WriteString(r.Message)
	for _, a := range attrs {
		if a.Key != SubsystemKey {
			text.WriteString(" " + a.Key + "=" + a.Value.String())
		}
	}
	w.cfg.OnLog(scenarios.LogLine{At: w.Now(), Machine: h.proc.machine.name,
		Process: h.proc.spec.Name, Level: r.Level.String(), Text: text.String()})
	return nil
}

// WithAttrs implements slog.Handler.
func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &logHandler{proc: h.proc, attrs: append(h.attrs[:len(h.attrs):len(h.attrs)], attrs...)}
}

// WithGroup implements slog.Handler; groups are not used in operators' logs.
func (h *logHandler) WithGroup(string) slog.Handler { return h }
