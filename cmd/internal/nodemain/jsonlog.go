package nodemain

import (
	"io"
	"log"
	"log/slog"
	"os"
	"strings"
)

// messages is where the command itself writes, beside its host: one text with each call of Write, such as
// "holdfastd: warning: …". With the JSON format each becomes an object like those of the host.
func messages(out io.Writer, name, format string) io.Writer {
	if format != logJSON {
		return out
	}
	return &jsonMessages{name: name, log: slog.New(slog.NewJSONHandler(out, nil)).With("process", name,
		"pid", os.Getpid())}
}

// logAs gives the standard logger the format of the log.
func logAs(out io.Writer, name, format string) {
	if format == logJSON {
		log.SetFlags(0)
		log.SetOutput(messages(out, name, format))
	}
}

type jsonMessages struct {
	name string
	log  *slog.Logger
}

// Write implements io.Writer.
func (m *jsonMessages) Write(text []byte) (int, error) {
	message := strings.TrimPrefix(strings.TrimSpace(string(text)), m.name+": ")
	if warning, ok := strings.CutPrefix(message, "warning: "); ok {
		m.log.Warn(warning)
	} else {
		m.log.Info(message)
	}
	return len(text), nil
}
