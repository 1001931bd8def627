package host

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"
)

// SubsysKey is the attribute that names the part of a process that logs. It is printed as operators know
// it from Corosync: `[TOTEM ] …`.
const SubsysKey = "subsys"

// logHandler writes lines in the form of the system log:
//
//	Nov 22 14:03:07 n1 cluster[411]: [TOTEM ] A new membership (1.7b1) was formed. Members
type logHandler struct {
	output    *logOutput
	machine   string
	process   string
	wallClock func() time.Time
	level     slog.Level
	subsys    string
	prefix    string // of groups
	attrs     []byte // already formatted
}

type logOutput struct {
	mu sync.Mutex
	w  io.Writer
}

// Write implements io.Writer for handlers that write whole lines.
func (o *logOutput) Write(line []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.w.Write(line)
}

// Enabled implements slog.Handler.
func (h *logHandler) Enabled(_ context.Context, level slog.Level) bool {
	return h.output.w != nil && level >= h.level
}

// Handle implements slog.Handler.
func (h *logHandler) Handle(_ context.Context, r slog.Record) error {
	subsys, attrs := h.subsys, bytes.Clone(h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == SubsysKey && h.prefix == "" {
			subsys = a.Value.String()
			return true
		}
		attrs = appendAttr(attrs, h.prefix, a)
		return true
	})
	var line bytes.Buffer
	fmt.Fprintf(&line, "%s %s %s[%d]: ", h.wallClock().Format(time.Stamp), h.machine, h.process, os.Getpid())
	if subsys != "" {
		fmt.Fprintf(&line, "[%-6s] ", subsys)
	} else if r.Level != slog.LevelInfo {
		fmt.Fprintf(&line, "%s: ", levelWord(r.Level))
	}
	line.WriteString(oneLine(r.Message))
	line.Write(attrs)
	line.WriteByte('\n')
	_, err := h.output.Write(line.Bytes())
	return err
}

// WithAttrs implements slog.Handler.
func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	next.attrs = bytes.Clone(h.attrs)
	for _, a := range attrs {
		if a.Key == SubsysKey && h.prefix == "" {
			next.subsys = a.Value.String()
			continue
		}
		next.attrs = appendAttr(next.attrs, h.prefix, a)
	}
	return &next
}

// WithGroup implements slog.Handler.
func (h *logHandler) WithGroup(name string) slog.Handler {
	next := *h
	if name != "" {
		next.prefix = h.prefix + name + "."
	}
	return &next
}

func levelWord(l slog.Level) string {
	switch {
	case l < slog.LevelInfo:
		return "debug"
	case l < slog.LevelWarn:
		return "info"
	case l < slog.LevelError:
		return "warning"
	}
	return "error"
}

func appendAttr(to []byte, prefix string, a slog.Attr) []byte {
	value := a.Value.Resolve()
	if value.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, inner := range value.Group() {
			to = appendAttr(to, prefix, inner)
		}
		return to
	}
	if a.Equal(slog.Attr{}) {
		return to
	}
	text := value.String()
	if needsQuotes(text) {
		return fmt.Appendf(to, " %s%s=%q", prefix, a.Key, text)
	}
	return fmt.Appendf(to, " %s%s=%s", prefix, a.Key, text)
}

func needsQuotes(text string) bool {
	if text == "" {
		return true
	}
	for _, r := range text {
		if r <= ' ' || r == '"' || r == '=' {
			return true
		}
	}
	return false
}

// oneLine quotes a message of several lines.
func oneLine(text string) string {
	if i := bytes.IndexAny([]byte(text), "\n\r"); i < 0 {
		return text
	}
	return fmt.Sprintf("%q", text)
}
