package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Limits of a file.
const (
	MaxFileBytes = 512 << 10
	MaxDepth     = 16
	MaxNodes     = 50_000
)

// Parse reads the one mapping that a file consists of and refuses everything that has no place
// in such a file, however it would be decoded.
func Parse(file string, data []byte) (*yaml.Node, error) {
	whole := func(format string, args ...any) error {
		return Problems{{File: file, Line: 1, Column: 1, Text: fmt.Sprintf(format, args...)}}
	}
	switch {
	case len(data) > MaxFileBytes:
		return nil, whole("the file has %d bytes; at most %d are read", len(data), MaxFileBytes)
	case !utf8.Valid(data):
		return nil, whole("the file is not UTF-8 text; save it as UTF-8")
	case nestsTooDeep(data):
		return nil, whole("the file nests deeper than %d levels; write it flatter", MaxDepth)
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, whole("the file is empty; write a mapping such as \"name: my-scenario\"")
	case err != nil:
		return nil, syntaxProblem(file, data, err)
	}
	switch err := dec.Decode(&more); {
	case err == nil:
		at := Problem{File: file, Line: max(more.Line, 1), Column: max(more.Column, 1)}
		at.Text = "a second document begins here; write one document a file"
		return nil, Problems{&at}
	case !errors.Is(err, io.EOF):
		return nil, syntaxProblem(file, data, err)
	}
	root := doc.Content[0]
	c := nodeChecker{file: file}
	c.checkNode(root, 1)
	if len(c.problems) == 0 && root.Kind != yaml.MappingNode {
		c.reportProblem(root, "the file holds %s; write a mapping such as \"name: my-scenario\"",
			nodeKindWord(root))
	}
	if err := c.problems.Err(); err != nil {
		return nil, err
	}
	return root, nil
}

// nestsTooDeep reports whether flow collections open deeper than a file may nest. It counts brackets in
// text too: the parser would spend quadratic time on what this turns away.
func nestsTooDeep(data []byte) bool {
	depth := 0
	for _, b := range data {
		switch b {
		case '[', '{':
			depth++
		case ']', '}':
			depth = max(depth-1, 0)
		case '\n':
			if depth <= MaxDepth {
				continue
			}
		}
		if depth > maxOpenBrackets {
			return true
		}
	}
	return false
}

// maxOpenBrackets is far beyond what MaxDepth allows, because brackets in texts count too.
const maxOpenBrackets = 40 * MaxDepth

var syntaxLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// remedies holds what usually resolves an error of the YAML parser, by a part of the error's text.
var remedies = []struct{ complaint, remedy string }{
	{"cannot start any token", "indent with spaces instead of tabs, and put text with special characters " +
		"in quotes"},
	{"mapping values are not allowed", "check the indentation, and put text that contains \": \" in quotes"},
	{"did not find expected key", "check the indentation here and in the lines above"},
	{"could not find expected ':'", "write \"key: value\""},
	{"did not find expected ',' or", "close the bracket, or put a comma between its items"},
	{"found unexpected end of stream", "close the quote or bracket that is open"},
	{"unknown anchor", "write the value out; anchors and aliases are not read"},
	{"did not find expected alphabetic", "put text that begins with * or & in quotes"},
}

// syntaxProblem turns the parser's complaint into a problem with a place.
func syntaxProblem(file string, data []byte, err error) error {
	p := &Problem{File: file, Line: 1, Column: 1, Text: err.Error()}
	text, _, _ := strings.Cut(err.Error(), "\n")
	if m := syntaxLine.FindStringSubmatch(text); m != nil {
		p.Text = m[2]
		p.setPlace(m[1], data)
	}
	p.Text = "this is not YAML: " + p.Text
	for _, r := range remedies {
		if strings.Contains(p.Text, r.complaint) {
			p.Text += "; " + r.remedy
			break
		}
	}
	return Problems{p}
}

var unknownAnchor = regexp.MustCompile(`^unknown anchor '([^']+)'`)

// setPlace finds where the parser stumbled. It gives a line only, counts from 0 in complaints of
// its upper half, and gives none at all for aliases.
func (p *Problem) setPlace(number string, data []byte) {
	lines := strings.Split(string(data), "\n")
	if m := unknownAnchor.FindStringSubmatch(p.Text); m != nil {
		for i, line := range lines {
			if at := strings.Index(line, "*"+m[1]); at >= 0 {
				p.Line, p.Column = i+1, at+1
				return
			}
		}
	}
	line, err := strconv.Atoi(number)
	if err != nil {
		return
	}
	if strings.HasPrefix(p.Text, "did not find expected") && !strings.Contains(p.Text, "alphabetic") {
		line++
	}
	p.Line = min(max(line, 1), len(lines))
	text := lines[p.Line-1]
	p.Column = len(text) - len(strings.TrimLeft(text, " ")) + 1
}

// nodeChecker walks a document once before anything is decoded.
type nodeChecker struct {
	file      string
	problems  Problems
	nodeCount int
}

func (c *nodeChecker) reportProblem(n *yaml.Node, format string, args ...any) {
	c.problems = append(c.problems, &Problem{File: c.file, Line: n.Line, Column: n.Column,
		Text: fmt.Sprintf(format, args...)})
}

func (c *nodeChecker) checkNode(n *yaml.Node, depth int) {
	c.nodeCount++
	switch {
	case c.nodeCount == MaxNodes:
		c.reportProblem(n, "the file has more than %d values; split it", MaxNodes)
		return
	case c.nodeCount > MaxNodes || len(c.problems) > MaxProblems:
		return
	case depth > MaxDepth:
		c.reportProblem(n, "the file nests deeper than %d levels; write it flatter", MaxDepth)
		return
	case n.Kind == yaml.AliasNode:
		c.reportProblem(n, "aliases are not read; write the value of *%s out", n.Value)
		return
	case n.Anchor != "":
		c.reportProblem(n, "anchors are not read; remove &%s", n.Anchor)
	case n.Style&yaml.TaggedStyle != 0:
		c.reportProblem(n, "the tag %s is not read; remove it", n.Tag)
	}
	if n.Kind == yaml.MappingNode {
		c.checkKeys(n)
	}
	for _, child := range n.Content {
		c.checkNode(child, depth+1)
	}
}

func (c *nodeChecker) checkKeys(n *yaml.Node) {
	first := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		switch {
		case key.Kind != yaml.ScalarNode || key.Tag == "!!null":
			c.reportProblem(key, "this key is %s; write a name", nodeKindWord(key))
			continue
		case key.Tag == "!!merge":
			c.reportProblem(key, "merge keys are not read; write the values out")
			continue
		}
		if other := first[key.Value]; other != nil {
			c.reportProblem(key, "key %q is given twice, first in line %d; keep one of them", key.Value,
				other.Line)
			continue
		}
		first[key.Value] = key
	}
}

// nodeKindWord names in words what a node is.
func nodeKindWord(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	switch n.Tag {
	case "!!null":
		return "nothing"
	case "!!int":
		return "the whole number " + n.Value
	case "!!float":
		return "the number " + n.Value
	case "!!bool":
		return "the truth value " + n.Value
	}
	return fmt.Sprintf("the text %q", shorten(n.Value))
}

// maxShown is how much of a value a message repeats.
const maxShown = 40

func shorten(s string) string {
	if len(s) <= maxShown {
		return s
	}
	return strings.ToValidUTF8(s[:maxShown], "") + "…"
}

// Find returns the value at a path such as "faults[2].groups" and whether it is there. When it is
// not, Find returns the innermost value on the way that is.
func Find(root *yaml.Node, path string) (*yaml.Node, bool) {
	n := root
	for path != "" {
		next, rest := stepAlongPath(n, path)
		if next == nil {
			return n, false
		}
		n, path = next, strings.TrimPrefix(rest, ".")
	}
	return n, true
}

// stepAlongPath goes one step along a path: to an item by its index in brackets, or to the value of the
// longest key that the path begins with, because keys may hold dots.
func stepAlongPath(n *yaml.Node, path string) (next *yaml.Node, rest string) {
	if n.Kind == yaml.SequenceNode {
		index, after, closed := strings.Cut(path, "]")
		i, err := strconv.Atoi(strings.TrimPrefix(index, "["))
		if !closed || err != nil || i < 0 || i >= len(n.Content) {
			return nil, ""
		}
		return n.Content[i], after
	}
	longest := 0
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		key := n.Content[i].Value
		after, begins := strings.CutPrefix(path, key)
		if begins && len(key) > longest && (after == "" || after[0] == '.' || after[0] == '[') {
			longest, next, rest = len(key), n.Content[i+1], after
		}
	}
	return next, rest
}
