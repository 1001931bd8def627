package jepsen

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/holdfast-sim/holdfast/linearizability/history"
)

// Layout is what stands before the operation on a line.
type Layout string

const (
	// Plain lines have the operation alone, as history.txt in the store of Jepsen:
	//
	//	3	:invoke	:write	4
	Plain Layout = "plain"
	// Logged lines have time, thread or logger in front, as jepsen.log:
	//
	//	2026-02-03 11:22:33,100{GMT}	INFO	[jepsen worker 3] jepsen.util: 3	:invoke	:write	4
	Logged Layout = "logged"
	// Bare lines have the level and the logger and no time, as the etcd logs of porcupine:
	//
	//	INFO  jepsen.util - 3	:invoke	:write	4
	Bare Layout = "bare"
)

// operationLine takes apart a line: what stands before the operation, process, type, function, the rest.
var operationLine = regexp.MustCompile(
	`^(|.*[\s:-])(-?[0-9]+|:[^\s:;,]+)[ \t]+:(invoke|ok|fail|info)(?:[ \t]+(\S+)(.*))?$`)

var (
	barePrefix   = regexp.MustCompile(`^\s*[A-Z]+\s+jepsen\.\S+\s+-\s*$`)
	loggedPrefix = regexp.MustCompile(`jepsen\..*(?::|-)\s*$`)
)

// logReader reads lines of a log.
type logReader struct {
	r     Recording
	value *decoder
	other int // lines without an operation
}

// ReadLog reads the operations of a log by Jepsen, in any [Layout], and history.txt. Other lines are left
// out. The position among the operations is the time. A value that is a keyword, at the end of a call that
// failed or of which the outcome is unknown, is the error where no other stands.
//
// A last line without a line end is torn unless it is surely whole.
func ReadLog(in io.Reader) (*Recording, error) {
	l := &logReader{value: newDecoder(strings.NewReader(""))}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxTokenBytes)
	ended := true
	lines.Split(func(data []byte, atEOF bool) (int, []byte, error) {
		advance, token, err := bufio.ScanLines(data, atEOF)
		ended = advance > 0 && data[advance-1] == '\n'
		return advance, token, err
	})
	for number := 1; lines.Scan(); number++ {
		if err := l.line(lines.Text(), number, ended); err != nil {
			return nil, fmt.Errorf("reading Jepsen log, line %d: %w", number, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading Jepsen log: %w", err)
	}
	if len(l.r.Events) == 0 {
		return nil, fmt.Errorf("reading Jepsen log: %w: expected lines such as "+
			"\"INFO jepsen.util: 0 :invoke :read nil\" or \"0 :invoke :read nil\", with tabs or blanks",
			ErrEmpty)
	}
	if l.r.Layout == Plain && l.other > 0 {
		l.r.note("lines without an operation, left out: %d", l.other)
	}
	return l.r.finish(), nil
}

// line reads one line. ended is whether a line end follows it.
func (l *logReader) line(line string, number int, ended bool) error {
	event, value, ok, err := l.operation(line)
	switch {
	case !ended && line != "" && !(ok && err == nil && closed(value)):
		l.r.Torn = fmt.Sprintf("line %d, the last one, has no line end, so it may be cut off: %q; "+
			"if it is whole, end it with a line end", number, cutText(line))
	case err != nil:
		return err
	case ok:
		l.r.add(event, false)
	case strings.TrimSpace(line) != "":
		l.other++
	}
	return nil
}

// closed reports whether the text of a value cannot be the beginning of a longer one.
func closed(value string) bool {
	value = strings.TrimSpace(value)
	return value == "nil" || value == "true" || value == "false" ||
		strings.HasSuffix(value, "]") || strings.HasSuffix(value, "}") ||
		strings.HasSuffix(value, ")") || strings.HasSuffix(value, `"`)
}

// operation decodes a line, if it is an operation. rest is the text behind the function.
func (l *logReader) operation(line string) (event history.Event, rest string, ok bool, err error) {
	parts := operationLine.FindStringSubmatch(strings.TrimRight(line, "\r"))
	if parts == nil {
		return event, "", false, nil
	}
	prefix, f := parts[1], parts[4]
	layout := Logged
	switch {
	case strings.TrimSpace(prefix) == "":
		layout = Plain
	case !loggedPrefix.MatchString(prefix) || !strings.HasPrefix(f, ":"):
		return event, "", false, nil // some other message of a logger
	case barePrefix.MatchString(prefix):
		layout = Bare
	}
	if l.r.Layout == "" {
		l.r.Layout = layout
	}
	event.Process = history.NemesisProcess
	if !strings.HasPrefix(parts[2], ":") {
		if event.Process, err = strconv.Atoi(parts[2]); err != nil {
			return event, "", false, nil
		}
	}
	if event.Type, err = history.ParseType(parts[3]); err != nil {
		return event, "", false, err
	}
	if f != "nil" {
		event.F = strings.Trim(strings.TrimPrefix(f, ":"), `"`)
	}
	rest = strings.TrimSpace(parts[5])
	if err := l.values(&event, rest); err != nil && event.Process >= 0 {
		return event, rest, true, err
	}
	return event, rest, true, nil
}

// values decodes what stands behind the function: a value, and the error, which is any text.
func (l *logReader) values(event *history.Event, rest string) error {
	if rest == "" {
		return nil
	}
	l.value.reset(rest)
	value, err := l.value.next()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w, in %q", err, cutText(rest))
	}
	remainder, err := io.ReadAll(l.value.in)
	if err != nil {
		return err
	}
	event.Error = strings.TrimPrefix(strings.TrimSpace(string(remainder)), ":")
	ended := event.Type == history.Fail || event.Type == history.Info
	if name, ok := value.(keyword); ok && ended && event.Error == "" {
		event.Error = string(name)
		return nil
	}
	event.Value, err = toJSON(value)
	return err
}
