package docstest

import (
	"regexp"
	"strings"
)

// block is a piece of a document in a fence, or indented by four spaces.
type block struct {
	Language string // what follows the fence; "indented" for the others
	Line     int    // of its first line of content, from 1
	Lines    []string
}

// Text is the block's content.
func (b *block) Text() string { return strings.Join(b.Lines, "\n") + "\n" }

// blocks lists the code blocks of a document in Markdown.
func blocks(text string) []block {
	var out []block
	var open *block
	blank := true
	for i, line := range strings.Split(text, "\n") {
		switch {
		case open != nil && open.Language != "indented":
			if strings.HasPrefix(line, "```") {
				out, open = append(out, *open), nil
				continue
			}
			open.Lines = append(open.Lines, line)
		case strings.HasPrefix(line, "```"):
			open = &block{Language: strings.TrimPrefix(line, "```"), Line: i + 2}
		case open != nil && strings.HasPrefix(line, "    "):
			open.Lines = append(open.Lines, line[4:])
		case open != nil:
			out, open = append(out, *open), nil
		case blank && strings.HasPrefix(line, "    "):
			open = &block{Language: "indented", Line: i + 1, Lines: []string{line[4:]}}
		}
		blank = strings.TrimSpace(line) == ""
	}
	return out
}

// prose is a document without its code blocks, line by line.
func prose(text string) []string {
	lines := strings.Split(text, "\n")
	fenced := false
	for i, line := range lines {
		fence := strings.HasPrefix(line, "```")
		if fence {
			fenced = !fenced
		}
		if fence || fenced {
			lines[i] = ""
		}
	}
	return lines
}

var (
	linkTarget = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	codeSpan   = regexp.MustCompile("`[^`]*`")
)

// links lists where the links of a line lead.
func links(line string) []string {
	var out []string
	for _, match := range linkTarget.FindAllStringSubmatch(line, -1) {
		out = append(out, match[1])
	}
	return out
}

var notInAnchors = regexp.MustCompile(`[^a-z0-9 _-]`)

// anchors are the names by which a document's headings can be linked to.
func anchors(text string) map[string]bool {
	out := map[string]bool{}
	for _, line := range prose(text) {
		title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " ")
		if ok && strings.HasPrefix(line, "#") {
			name := notInAnchors.ReplaceAllString(strings.ToLower(title), "")
			out[strings.ReplaceAll(name, " ", "-")] = true
		}
	}
	return out
}
