package chaos

import (
	"bufio"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/holdfast-sim/holdfast/scenarios"
)

// programOutput keeps what the program of one machine writes: all of it in a file, the last lines for
// messages, and log lines for the run if they were requested.
type programOutput struct {
	run       *run
	machine   scenarios.Machine
	readersWG sync.WaitGroup // one for each start of the program

	mu        sync.Mutex
	lastLines []string
}

// programLog is the file in a machine's directory with everything that its program wrote.
const programLog = "program.log"

// Limits on how much of the programs' output is kept.
const (
	maxLineBytes = 64 << 10
	maxLogLines  = 500_000
	tailLines    = 5
)

// readUntilClosed stores a program's output until every process that could write has ended.
func (o *programOutput) readUntilClosed(from *os.File) {
	defer from.Close()
	file, err := os.OpenFile(filepath.Join(o.machine.Dir, programLog),
		os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		o.run.addProblem("keeping what %s writes: %v", o.machine.Name, err)
		file = nil
	}
	lines := bufio.NewReaderSize(from, maxLineBytes)
	for {
		line, err := lines.ReadSlice('\n')
		if len(line) > 0 {
			if file != nil {
				_, _ = file.Write(line) // a full disk must not block the program at its pipe
			}
			o.addLine(strings.TrimRight(string(line), "\r\n"))
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			break
		}
	}
	if file != nil {
		file.Close()
	}
}

// syslogLine is a line as system logs have them: time, machine, process[pid]: text.
var syslogLine = regexp.MustCompile(
	`^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ ([^\s\[:]+)(?:\[\d+\])?: (.*)$`)

// addLine keeps one line of output.
func (o *programOutput) addLine(text string) {
	at := o.run.now()
	o.mu.Lock()
	o.lastLines = append(o.lastLines, text)
	if len(o.lastLines) > tailLines {
		o.lastLines = o.lastLines[1:]
	}
	o.mu.Unlock()
	if !o.run.options.KeepLogs {
		return
	}
	l := scenarios.LogLine{At: at, Machine: o.machine.Name, Text: text}
	if parts := syslogLine.FindStringSubmatch(text); parts != nil {
		l.Process, l.Text = parts[1], parts[2]
	}
	l.Level = syslogLevel(l.Text)
	o.run.mu.Lock()
	defer o.run.mu.Unlock()
	if len(o.run.logs) < maxLogLines {
		o.run.logs = append(o.run.logs, l)
	}
}

func syslogLevel(text string) string {
	for _, level := range []string{"error", "warning", "debug"} {
		if strings.HasPrefix(text, level+": ") {
			return level
		}
	}
	return "info"
}

// lastText returns the last lines that the program wrote.
func (o *programOutput) lastText() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.lastLines) == 0 {
		return "nothing"
	}
	return strings.Join(o.lastLines, " | ")
}
