package conformance

import (
	"fmt"
	"strings"
)

// diffContext is how many equal lines are shown around a difference.
const diffContext = 3

// maxDiffCells bounds the table of the comparison; longer texts are compared as a whole.
const maxDiffCells = 16 << 20

// diffLine is one line of a comparison: ' ' in both, '-' only expected, '+' only got.
type diffLine struct {
	kind byte
	text string
}

// UnifiedDiff compares two texts line by line, "" when they are equal.
func UnifiedDiff(wantName, gotName, want, got string) string {
	if want == got {
		return ""
	}
	edits := compareLines(splitLines(want), splitLines(got))
	var out strings.Builder
	fmt.Fprintf(&out, "--- %s\n+++ %s\n", wantName, gotName)
	wantLine, gotLine := 1, 1
	for i := 0; i < len(edits); {
		if edits[i].kind == ' ' {
			wantLine++
			gotLine++
			i++
			continue
		}
		first := max(0, i-diffContext)
		last, quiet := i, 0
		for j := i; j < len(edits) && quiet <= 2*diffContext; j++ {
			if edits[j].kind == ' ' {
				quiet++
			} else {
				quiet, last = 0, j
			}
		}
		end := min(len(edits), last+1+diffContext)
		writeHunk(&out, edits[first:end], wantLine-(i-first), gotLine-(i-first))
		for ; i < end; i++ {
			if edits[i].kind != '+' {
				wantLine++
			}
			if edits[i].kind != '-' {
				gotLine++
			}
		}
	}
	return out.String()
}

func writeHunk(out *strings.Builder, edits []diffLine, wantLine, gotLine int) {
	wantCount, gotCount := 0, 0
	for _, e := range edits {
		if e.kind != '+' {
			wantCount++
		}
		if e.kind != '-' {
			gotCount++
		}
	}
	fmt.Fprintf(out, "@@ -%d,%d +%d,%d @@\n", wantLine, wantCount, gotLine, gotCount)
	for _, e := range edits {
		out.WriteByte(e.kind)
		out.WriteString(e.text)
		out.WriteByte('\n')
	}
}

func splitLines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// compareLines finds a shortest edit by the longest common subsequence of what is left between the
// common beginning and the common end.
func compareLines(a, b []string) []diffLine {
	var head, tail []diffLine
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		head = append(head, diffLine{' ', a[0]})
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		tail = append(tail, diffLine{' ', a[len(a)-1]})
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	out := append(head, diffMiddle(a, b)...)
	for i := len(tail) - 1; i >= 0; i-- {
		out = append(out, tail[i])
	}
	return out
}

func diffMiddle(a, b []string) []diffLine {
	var out []diffLine
	if len(a)*len(b) > maxDiffCells {
		for _, line := range a {
			out = append(out, diffLine{'-', line})
		}
		for _, line := range b {
			out = append(out, diffLine{'+', line})
		}
		return out
	}
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(out, diffLine{' ', a[i]})
			i++
			j++
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			out = append(out, diffLine{'-', a[i]})
			i++
		default:
			out = append(out, diffLine{'+', b[j]})
			j++
		}
	}
	return out
}
