package corosync

import (
	"strings"
	"unicode/utf8"
)

// Limits of the file format.
const (
	maxFileBytes = 1 << 20 // the largest file that the cluster file system distributes
	maxLineBytes = 511
	maxDepth     = 8 // nested sections; real files use three
)

// Entry is one element of a file: a key with its value, or a section with its entries. The typed
// configuration is read from entries and written as entries; entries without a typed field are kept
// unchanged.
type Entry struct {
	Name    string
	Value   string  // of a key
	Section bool    // the entry is a section: it has Entries and no Value
	Entries []Entry // of a section, in file order
	line    int     // of the key or the section's opening brace
}

// scanner turns lines into a tree of entries, by the rules of Corosync's reader: one element on each
// line; a section opens with its name and '{' and closes with '}' on a line of its own; a key ends at the
// first ':'; '#' begins a comment only at the beginning of a line.
type scanner struct {
	*findings
	sourceLines []string
	nextLine    int
}

func scanLines(f *findings, data []byte) []Entry {
	if len(data) > maxFileBytes {
		f.addStricter(0, "check that this is the right file", "the file has %d bytes, more than %d",
			len(data), maxFileBytes)
		return nil
	}
	text := strings.TrimPrefix(string(data), "\ufeff")
	if len(text) != len(data) {
		f.addError(1, "save the file as UTF-8 without it", "the file begins with a byte order mark")
	}
	s := &scanner{findings: f, sourceLines: strings.Split(text, "\n")}
	return s.readSection("", 0, 0)
}

// readSection reads entries up to the closing brace, or to the end of the file at depth 0.
func (s *scanner) readSection(name string, openedAt, depth int) []Entry {
	var entries []Entry
	for s.nextLine < len(s.sourceLines) {
		s.nextLine++
		number := s.nextLine
		text, ok := s.cleanLine(s.sourceLines[number-1], number)
		if !ok {
			continue
		}
		switch {
		case strings.Contains(text, "{"):
			if e, ok := s.openSection(text, number, depth); ok {
				entries = append(entries, e)
			}
		case strings.Contains(text, ":"):
			if e, ok := s.readKeyValue(text, number); ok {
				entries = append(entries, e)
			}
		case strings.Contains(text, "}"):
			s.isClosing(text, number, depth)
			if depth > 0 {
				return entries
			}
		default:
			s.addError(number, "write \"key: value\", \"section {\" or \"}\", or begin a comment with '#'",
				"%q is neither a key with a value nor the beginning or end of a section", text)
		}
	}
	if depth > 0 {
		s.addError(openedAt, "add '}' on a line of its own where the section ends",
			"section %q that opens here is never closed", name)
	}
	return entries
}

// isClosing judges a line with a closing brace. Whatever else is on it, the section ends there: one
// finding for one line, instead of one for every line that follows.
func (s *scanner) isClosing(text string, number, depth int) {
	rest, first := strings.CutPrefix(text, "}")
	switch {
	case depth == 0:
		s.addError(number, "delete it, or check which section it was meant to close",
			"this '}' closes nothing")
	case first && strings.HasPrefix(strings.TrimLeft(rest, " \t"), "#"):
		s.addError(number, "put the comment on a line of its own", "a comment follows the closing brace")
	case rest != "" || !first:
		s.addError(number, "put '}' on a line of its own", "%q has text beside the closing brace", text)
	}
}

// cleanLine strips white space and comments from a line, and reports whether anything is left.
func (s *scanner) cleanLine(line string, number int) (string, bool) {
	line = strings.TrimSuffix(line, "\r")
	text := strings.Trim(line, " \t")
	if text == "" || text[0] == '#' {
		return "", false
	}
	if len(line) > maxLineBytes {
		s.addError(number, "shorten it", "the line has %d bytes; Corosync reads at most %d",
			len(line), maxLineBytes)
		return "", false
	}
	if i := strings.IndexFunc(text, isControl); i >= 0 || !utf8.ValidString(text) {
		key, _, hasValue := strings.Cut(text, ":")
		acceptedThere := hasValue && isName(strings.Trim(key, " \t"))
		s.addRefusal(number, acceptedThere, "retype the line",
			"the line has a control character or is not UTF-8")
		return "", false
	}
	return text, true
}

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

func (s *scanner) openSection(text string, number, depth int) (Entry, bool) {
	at := strings.IndexByte(text, '{')
	name := strings.TrimRight(text[:at], " \t:{")
	rest := strings.Trim(text[at+1:], " \t")
	e := Entry{Name: name, Section: true, line: number}
	switch {
	case rest != "":
		s.addError(number, "put what follows on lines of its own, also a comment",
			"%q goes on after the opening brace", text)
		// A section on one line closes itself; reading on as if it were open would hide the rest.
		if strings.HasSuffix(rest, "}") {
			return e, false
		}
	case name == "":
		s.addError(number, "write the section's name before the brace", "'{' without a section name")
	case !isName(name):
		s.addStricter(number, "use letters, digits, '_', '-' and '.'", "%q is not a section name", name)
	case depth >= maxDepth:
		s.addStricter(number, "check for a missing '}' above", "sections are nested more than %d deep",
			maxDepth)
		s.nextLine = len(s.sourceLines)
		return e, false
	}
	e.Entries = s.readSection(name, number, depth+1)
	return e, isName(name)
}

func (s *scanner) readKeyValue(text string, number int) (Entry, bool) {
	key, value, _ := strings.Cut(text, ":")
	key, value = strings.Trim(key, " \t"), strings.Trim(value, " \t")
	e := Entry{Name: key, Value: value, line: number}
	switch {
	case key == "":
		s.addError(number, "write the key before ':'", "the line has a value without a key")
	case !isName(key):
		s.addError(number, "use letters, digits, '_', '-' and '.'; comments need a line of their own",
			"%q is not a key", key)
	case strings.Contains(value, "}"):
		s.addStricter(number, "put '}' on a line of its own", "the value of %s contains a closing brace", key)
	default:
		return e, true
	}
	return e, false
}

func isName(s string) bool {
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		case r == '_', r == '-', r == '.', r == '/':
		default:
			return false
		}
	}
	return s != ""
}
