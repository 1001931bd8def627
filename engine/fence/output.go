package fence

import (
	"regexp"
	"strings"
	"unicode"
)

// Limits of the part of an agent's output that is quoted.
const (
	maxReasonBytes   = 200
	maxContinuations = 2
)

// logPrefix matches what Python's logging puts before a message, in both formats that agents use.
var logPrefix = regexp.MustCompile(
	`^(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ )?(CRITICAL|ERROR|WARNING|INFO|DEBUG)(?::[\w.]+)?: ?`)

// failureWords begin lines that explain a failure.
var failureWords = []string{"Failed:", "Unable to", "Parse error:", "Parser error:", "Error", "error:",
	"Connection ", "Login ", "Timed out", "Invalid ", "No "}

// noise are texts of lines that explain nothing.
var noise = []string{"Please use '-h' for usage", "DeprecationWarning", "Ignoring unknown option",
	"SyntaxWarning", "FutureWarning"}

// traceback begins the stack of a Python program that has failed; its last line is the reason.
const traceback = "Traceback (most recent call last):"

// decisiveLine returns the line of an agent's output that explains its failure, in printable characters: the
// first error that it reports with what directly follows it, or the last line when none looks like one.
// Agents of the common library print every error twice, and a hint at their help after it.
func decisiveLine(output []byte) string {
	lines := strings.Split(printable(output), "\n")
	best, last := "", ""
	for i, line := range lines {
		text, isError := message(line)
		if text == "" || skips(lines, i) {
			continue
		}
		last = text
		if best == "" && isError {
			best = text + continuation(lines[i+1:])
		}
	}
	switch {
	case strings.Contains(string(output), traceback), best == "":
		best = last
	}
	if len(best) > maxReasonBytes {
		best = strings.ToValidUTF8(best[:maxReasonBytes], "") + "…"
	}
	return best
}

// quoteReason returns the decisive line behind a colon; "" if there is none.
func quoteReason(output []byte) string {
	if line := decisiveLine(output); line != "" {
		return ": " + line
	}
	return ""
}

// message returns what a line reports, and whether it is an error.
func message(line string) (text string, isError bool) {
	text = strings.TrimSpace(line)
	if prefix := logPrefix.FindStringSubmatch(text); prefix != nil {
		text = strings.TrimSpace(text[len(prefix[0]):])
		return text, prefix[1] == "ERROR" || prefix[1] == "CRITICAL"
	}
	for _, word := range failureWords {
		if strings.HasPrefix(text, word) {
			return text, true
		}
	}
	return text, false
}

// skips reports whether a line explains nothing: a known one, or the source below a warning of Python.
func skips(lines []string, i int) bool {
	for _, text := range noise {
		if strings.Contains(lines[i], text) {
			return true
		}
	}
	return i > 0 && strings.HasPrefix(lines[i], " ") && strings.Contains(lines[i-1], "Warning:")
}

// continuation returns the lines that belong to a message of several lines.
func continuation(lines []string) (out string) {
	for i, line := range lines {
		text := strings.TrimSpace(line)
		if i == maxContinuations || text == "" || logPrefix.MatchString(text) || skips(lines, i) {
			break
		}
		out += "; " + text
	}
	return out
}

// printable drops what no log should contain, except for the ends of lines.
func printable(output []byte) string {
	text := strings.ReplaceAll(strings.ToValidUTF8(string(output), ""), "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == ' ' {
			return r
		}
		if r == '\t' {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)
}

// secretWords are parts of the names of arguments whose values must not be logged.
var secretWords = []string{"pass", "secret", "token", "key", "community", "priv"}

// minSecretBytes is the length from which a value is looked for in an agent's output.
const minSecretBytes = 4

// redact replaces the secrets of a part in a text that came from its agent.
func redact(text string, args []Arg) string {
	for _, a := range args {
		isSecret := false
		for _, word := range secretWords {
			isSecret = isSecret || strings.Contains(strings.ToLower(a.Key), word)
		}
		if isSecret && len(a.Value) >= minSecretBytes {
			text = strings.ReplaceAll(text, a.Value, "***")
		}
	}
	return text
}
