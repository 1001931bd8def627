package jepsen

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Limits of the decoder, so that a damaged file cannot take all memory or the stack.
const (
	maxDepth      = 64
	maxTokenBytes = 16 << 20
	maxElements   = 1 << 22 // in one collection
)

// ErrSyntax reports text that is not EDN.
var ErrSyntax = errors.New("not EDN")

// ErrCut reports a history whose text ends inside an element, as in a file of which the end is missing.
var ErrCut = errors.New("the text ends in the middle of an element")

type (
	keyword string // without the colon
	symbol  string
	set     []any
	pair    struct{ key, value any }
	edn     []pair // a map in the order of the text
)

// taggedElement is an element with a tag, such as #inst "2026-01-01" or #jepsen.history.Op{...}.
type taggedElement struct {
	tag   string
	value any
}

// closingBracket is what the parser returns for a closing bracket.
type closingBracket byte

// decoder reads one EDN element after the other.
type decoder struct {
	in    *bufio.Reader
	line  int
	token bytes.Buffer
	inner closingBracket // what ends the vector or list that nextOrInner is in, or 0
}

func newDecoder(in io.Reader) *decoder {
	return &decoder{in: bufio.NewReaderSize(in, 64<<10), line: 1}
}

// reset lets the decoder begin with another text.
func (d *decoder) reset(text string) {
	d.in.Reset(strings.NewReader(text))
	d.line = 1
}

// cut reports that the text ends before what is missing.
func (d *decoder) cut(missing string) error {
	return fmt.Errorf("line %d: %w: %w: %s", d.line, ErrSyntax, ErrCut, missing)
}

func (d *decoder) fail(format string, args ...any) error {
	return fmt.Errorf("line %d: %w: %s", d.line, ErrSyntax, fmt.Sprintf(format, args...))
}

// next returns the next element, or io.EOF.
func (d *decoder) next() (any, error) {
	value, err := d.element(0)
	if err != nil {
		return nil, err
	}
	if c, ok := value.(closingBracket); ok {
		return nil, d.fail("%q closes nothing", byte(c))
	}
	return value, nil
}

// nextOrInner returns the next element as next does, but of a vector or list its elements, one by one.
func (d *decoder) nextOrInner() (any, error) {
	for {
		c, err := d.skip()
		switch {
		case errors.Is(err, io.EOF) && d.inner != 0:
			return nil, d.cut(fmt.Sprintf("%q is missing", byte(d.inner)))
		case err != nil:
			return nil, err
		case d.inner == 0 && (c == '[' || c == '('):
			d.inner = ']'
			if c == '(' {
				d.inner = ')'
			}
			continue
		case d.inner != 0 && c == byte(d.inner):
			d.inner = 0
			continue
		}
		if err := d.in.UnreadByte(); err != nil {
			return nil, err
		}
		value, err := d.element(0)
		if errors.Is(err, io.EOF) && d.inner != 0 {
			continue // only a comment or a discarded element was left
		}
		if c, ok := value.(closingBracket); ok && err == nil {
			if c == d.inner {
				d.inner = 0
				continue
			}
			return nil, d.fail("%q closes nothing", byte(c))
		}
		return value, err
	}
}

// skip reads to the next byte that is neither blank nor part of a comment.
func (d *decoder) skip() (byte, error) {
	comment := false
	for {
		c, err := d.in.ReadByte()
		switch {
		case err != nil:
			return 0, err
		case c == '\n':
			d.line++
			comment = false
		case comment || c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == ',':
		case c == ';':
			comment = true
		default:
			return c, nil
		}
	}
}

func (d *decoder) element(depth int) (any, error) {
	if depth > maxDepth {
		return nil, d.fail("nested more than %d deep", maxDepth)
	}
	c, err := d.skip()
	if err != nil {
		return nil, err
	}
	switch c {
	case '(':
		return d.list(')', depth)
	case '[':
		return d.list(']', depth)
	case '{':
		return d.mapping(depth)
	case ')', ']', '}':
		return closingBracket(c), nil
	case '"':
		return d.text()
	case '\\':
		return d.character()
	case '#':
		return d.dispatch(depth)
	}
	return d.atom(c)
}

func (d *decoder) list(end byte, depth int) ([]any, error) {
	list := []any{}
	for {
		value, err := d.element(depth + 1)
		switch c, ok := value.(closingBracket); {
		case errors.Is(err, io.EOF):
			return nil, d.cut(fmt.Sprintf("%q is missing", end))
		case err != nil:
			return nil, err
		case ok && byte(c) == end:
			return list, nil
		case ok:
			return nil, d.fail("%q where %q is expected", byte(c), end)
		case len(list) == maxElements:
			return nil, d.fail("more than %d elements", maxElements)
		}
		list = append(list, value)
	}
}

func (d *decoder) mapping(depth int) (edn, error) {
	list, err := d.list('}', depth)
	if err != nil {
		return nil, err
	}
	if len(list)%2 != 0 {
		return nil, d.fail("a map has a key without a value")
	}
	m := make(edn, 0, len(list)/2)
	for i := 0; i < len(list); i += 2 {
		m = append(m, pair{list[i], list[i+1]})
	}
	return m, nil
}

// dispatch reads what follows a '#': a set, a discarded element, a namespaced map, a special number or a tag.
func (d *decoder) dispatch(depth int) (any, error) {
	c, err := d.in.ReadByte()
	if err != nil {
		return nil, d.cut("nothing after '#'")
	}
	switch c {
	case '{':
		list, err := d.list('}', depth)
		return set(list), err
	case '_':
		dropped, err := d.element(depth + 1)
		if errors.Is(err, io.EOF) {
			return nil, d.cut("nothing to discard after #_")
		}
		if _, ok := dropped.(closingBracket); ok {
			return nil, d.fail("nothing to discard after #_")
		}
		if err != nil {
			return nil, err
		}
		return d.element(depth + 1)
	case '#', ':':
		if _, err := d.word(c); err != nil {
			return nil, err
		}
		if c == '#' {
			return symbol("#" + d.token.String()), nil // ##Inf, ##NaN
		}
		return d.element(depth + 1) // #:namespace{...}: the keys keep their short names
	}
	tag, err := d.word(c)
	if err != nil {
		return nil, err
	}
	value, err := d.element(depth + 1)
	if errors.Is(err, io.EOF) {
		return nil, d.cut("nothing after tag #" + tag)
	}
	if _, ok := value.(closingBracket); ok {
		return nil, d.fail("nothing after tag #%s", tag)
	}
	return taggedElement{tag, value}, err
}

// word reads up to the next delimiter.
func (d *decoder) word(first byte) (string, error) {
	d.token.Reset()
	d.token.WriteByte(first)
	for {
		c, err := d.in.ReadByte()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", err
		}
		if strings.IndexByte(" \t\r\n\f,;()[]{}\"\\", c) >= 0 {
			if err := d.in.UnreadByte(); err != nil {
				return "", err
			}
			break
		}
		if d.token.Len() == maxTokenBytes {
			return "", d.fail("a word of more than %d bytes", maxTokenBytes)
		}
		d.token.WriteByte(c)
	}
	return d.token.String(), nil
}

func (d *decoder) atom(first byte) (any, error) {
	word, err := d.word(first)
	if err != nil {
		return nil, err
	}
	switch {
	case word == "nil":
		return nil, nil
	case word == "true" || word == "false":
		return word == "true", nil
	case first == ':':
		if len(word) == 1 {
			return nil, d.fail("a colon without a name")
		}
		return keyword(word[1:]), nil
	case digit(first), (first == '-' || first == '+') && len(word) > 1 && digit(word[1]):
		return d.number(word)
	}
	return symbol(word), nil
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func (d *decoder) text() (string, error) {
	d.token.Reset()
	for {
		c, err := d.in.ReadByte()
		switch {
		case err != nil:
			return "", d.cut("a string is not closed")
		case c == '"':
			return d.token.String(), nil
		case d.token.Len() >= maxTokenBytes:
			return "", d.fail("a string of more than %d bytes", maxTokenBytes)
		case c == '\n':
			d.line++
		case c == '\\':
			if err := d.escape(); err != nil {
				return "", err
			}
			continue
		}
		d.token.WriteByte(c)
	}
}

var escapes = map[byte]byte{
	'n': '\n', 't': '\t', 'r': '\r', 'b': '\b', 'f': '\f', '"': '"', '\\': '\\',
}

func (d *decoder) escape() error {
	c, err := d.in.ReadByte()
	if err != nil {
		return d.cut("a string is not closed")
	}
	if plain, ok := escapes[c]; ok {
		d.token.WriteByte(plain)
		return nil
	}
	if c != 'u' {
		return d.fail("unknown escape \\%c in a string", c)
	}
	hex := make([]byte, 4)
	if _, err := io.ReadFull(d.in, hex); err != nil {
		return d.cut("a string is not closed")
	}
	code, err := strconv.ParseUint(string(hex), 16, 16)
	if err != nil {
		return d.fail("\\u%s is no character", hex)
	}
	d.token.WriteRune(rune(code))
	return nil
}

func (d *decoder) character() (any, error) {
	c, err := d.in.ReadByte()
	if err != nil {
		return nil, d.cut("nothing after '\\'")
	}
	word, err := d.word(c)
	if err != nil {
		return nil, err
	}
	if plain, ok := map[string]string{"newline": "\n", "space": " ", "tab": "\t", "return": "\r"}[word]; ok {
		return plain, nil
	}
	if len(word) == 5 && word[0] == 'u' {
		if code, err := strconv.ParseUint(word[1:], 16, 16); err == nil {
			return string(rune(code)), nil
		}
	}
	return word, nil
}
