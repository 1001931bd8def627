package output

import (
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// Style is how a table is drawn. The zero value draws ASCII borders and a header, however wide it is.
type Style struct {
	NoBorder, NoHeader bool
	// UTF8 draws the borders with box-drawing characters.
	UTF8 bool
	// Columns is where lines are cut off; 0 for nowhere.
	Columns int
}

// InTerminal returns the style with the borders that the locale can show, and with the width of the
// terminal if the output is one.
func (s Style) InTerminal(w io.Writer, getenv func(string) string) Style {
	locale := getenv("LC_ALL")
	for _, name := range []string{"LC_CTYPE", "LANG"} {
		if locale == "" {
			locale = getenv(name)
		}
	}
	_, charset, _ := strings.Cut(strings.ToLower(locale), ".")
	charset, _, _ = strings.Cut(charset, "@")
	s.UTF8 = charset == "utf-8" || charset == "utf8"
	if file, ok := w.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil {
			s.Columns = width
		}
	}
	return s
}

// border holds the characters of one horizontal line: the corners, the crossings and what is between them.
type border struct{ left, cross, right, line string }

// borders are the lines above the table, below its header, between its rows and below it.
type borders struct {
	top, header, middle, bottom border
	side                        string
}

var (
	asciiBorders = borders{top: border{"+", "+", "+", "-"}, header: border{"+", "+", "+", "="},
		middle: border{"+", "+", "+", "-"}, bottom: border{"+", "+", "+", "-"}, side: "|"}
	utf8Borders = borders{top: border{"┌", "┬", "┐", "─"}, header: border{"╞", "╪", "╡", "═"},
		middle: border{"├", "┼", "┤", "─"}, bottom: border{"└", "┴", "┘", "─"}, side: "│"}
)

// tableWriter writes the lines of one table.
type tableWriter struct {
	w      io.Writer
	style  Style
	widths []int
	err    error
}

// WriteTable writes rows in columns under their titles. A cell may have several lines. Control characters
// are replaced: each client that may write a configuration chooses what a cell holds.
func WriteTable(w io.Writer, titles []string, rows [][]string, s Style) error {
	t := &tableWriter{w: w, style: s}
	heads := cellLines(titles)
	bodies := make([][][]string, 0, len(rows))
	for _, cells := range heads {
		t.widths = append(t.widths, widest(cells))
	}
	for _, row := range rows {
		cells := cellLines(row)
		for i := range cells {
			t.widths[i] = max(t.widths[i], widest(cells[i]))
		}
		bodies = append(bodies, cells)
	}
	lines := asciiBorders
	if s.UTF8 {
		lines = utf8Borders
	}
	t.writeRule(lines.top)
	between := lines.middle
	if !s.NoHeader {
		t.row(lines.side, heads)
		between = lines.header
	}
	for i, cells := range bodies {
		if i > 0 || !s.NoHeader {
			t.writeRule(between)
			between = lines.middle
		}
		t.row(lines.side, cells)
	}
	t.writeRule(lines.bottom)
	return t.err
}

// cellLines divides each cell into its lines.
func cellLines(cells []string) [][]string {
	out := make([][]string, len(cells))
	for i, cell := range cells {
		for _, line := range strings.Split(strings.TrimRight(cell, "\n"), "\n") {
			out[i] = append(out[i], strings.Map(func(r rune) rune {
				if unicode.IsControl(r) {
					return unicode.ReplacementChar
				}
				return r
			}, line))
		}
	}
	return out
}

func widest(lines []string) (width int) {
	for _, line := range lines {
		width = max(width, utf8.RuneCountInString(line))
	}
	return width
}

func (t *tableWriter) writeRule(b border) {
	if t.style.NoBorder {
		return
	}
	var out strings.Builder
	for i, width := range t.widths {
		corner := b.cross
		if i == 0 {
			corner = b.left
		}
		out.WriteString(corner + strings.Repeat(b.line, width+2))
	}
	t.line(out.String() + b.right)
}

func (t *tableWriter) row(side string, cells [][]string) {
	height := 0
	for _, lines := range cells {
		height = max(height, len(lines))
	}
	for n := range height {
		var out strings.Builder
		for i, lines := range cells {
			text := ""
			if n < len(lines) {
				text = lines[n]
			}
			padding := strings.Repeat(" ", t.widths[i]-utf8.RuneCountInString(text))
			switch {
			case !t.style.NoBorder:
				out.WriteString(side + " " + text + padding + " ")
			case i < len(cells)-1:
				out.WriteString(text + padding + " ")
			default:
				out.WriteString(text)
			}
		}
		if !t.style.NoBorder {
			out.WriteString(side)
		}
		t.line(out.String())
	}
}

// line writes one line, cut off at the end of the terminal's.
func (t *tableWriter) line(text string) {
	if runes := []rune(text); t.style.Columns > 0 && len(runes) > t.style.Columns {
		text = string(runes[:t.style.Columns])
	}
	if t.err == nil {
		_, t.err = io.WriteString(t.w, text+"\n")
	}
}
