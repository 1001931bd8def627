// Package words writes what a run contains as short texts for people: times, values, operations, faults.
//
// Package words never shows a text as it was given: what comes from the system under test is cleaned and cut.
package words

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// Decimal writes a whole number.
func Decimal(n int64) string { return strconv.FormatInt(n, 10) }

// GroupDigits writes a number with thin spaces between groups of three digits.
func GroupDigits[T int | int64 | uint64](n T) string {
	digits := strconv.FormatUint(uint64(n), 10)
	var b strings.Builder
	for i := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteString("\u202f")
		}
		b.WriteByte(digits[i])
	}
	return b.String()
}

// Seconds writes a time as seconds with the given number of decimals, cut, not rounded.
func Seconds(d time.Duration, decimals int) string {
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	whole := sign + Decimal(int64(d/time.Second))
	if decimals == 0 {
		return whole
	}
	fraction := strconv.FormatInt(int64(d%time.Second)+int64(time.Second), 10)[1:]
	return whole + "." + fraction[:decimals]
}

// Instant writes an instant of a run for reading, to the millisecond.
func Instant(d time.Duration) string { return Seconds(d, 3) + "\u00a0s" }

// Duration writes a length of time with three digits that count.
func Duration(d time.Duration) string {
	units := []struct {
		size time.Duration
		name string
	}{{time.Second, "s"}, {time.Millisecond, "ms"}, {time.Microsecond, "µs"}}
	if d < 0 {
		return "-" + Duration(-d)
	}
	for _, u := range units {
		if d < u.size {
			continue
		}
		whole := Decimal(int64(d / u.size))
		rest := strconv.FormatInt(1000+int64(d%u.size*1000/u.size), 10)[1:]
		rest = strings.TrimRight(rest[:max(0, 3-len(whole))], "0")
		if rest != "" {
			whole += "." + rest
		}
		return whole + "\u00a0" + u.name
	}
	return Decimal(int64(d)) + "\u00a0ns"
}

// Clean makes a text safe to print on one line of a terminal: control characters, line ends,
// invalid bytes and invisible marks that turn the reading direction are written as escapes.
func Clean(s string) string {
	if isCleanLine(s) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			b.WriteString(`\x` + strconv.FormatUint(uint64(s[i])+0x100, 16)[1:])
		case printsAsItself(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}

func isCleanLine(s string) bool {
	for _, r := range s {
		if r == utf8.RuneError || !printsAsItself(r) {
			return false
		}
	}
	return true
}

// printsAsItself reports whether a character is printed as itself. This package writes the thin and the fixed
// space itself.
func printsAsItself(r rune) bool {
	return r == '\u202f' || r == '\u00a0' || unicode.IsPrint(r)
}

// JoinLines joins the lines of each paragraph: where a file breaks them has no meaning for a page's
// width. Empty lines stay, and so do lines that are indented, such as lists.
func JoinLines(text string) string {
	var b strings.Builder
	previous := ""
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		line = strings.TrimRight(line, " \t\r")
		switch {
		case i == 0:
		case line == "", previous == "", strings.TrimLeft(line, " \t-*") != line:
			b.WriteByte('\n')
		default:
			b.WriteByte(' ')
		}
		b.WriteString(line)
		previous = line
	}
	return b.String()
}

// Shorten cuts a text to a number of characters, with a mark where something is missing.
func Shorten(s string, limit int) string {
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	runes := []rune(s)
	return string(runes[:limit-1]) + "…"
}

// MaxValueChars is how much of a value is shown.
const MaxValueChars = 60

// Value shows a JSON value: a string as it is, in quotes.
func Value(raw json.RawMessage) string {
	if len(raw) == 0 {
		return ""
	}
	return Shorten(Clean(string(raw)), MaxValueChars)
}

// Call describes the call of an operation, such as: write k1 = "v".
func Call(op *history.Operation) string {
	words := Clean(op.F)
	if op.Key != "" {
		words += " " + Shorten(Clean(op.Key), MaxValueChars)
	}
	if len(op.Input) > 0 {
		sign := " = "
		if op.F == "rename" {
			sign = " to "
		}
		words += sign + Value(op.Input)
	}
	if op.F == "cas" {
		words += " if at revision " + strconv.FormatUint(op.Expect, 10)
	}
	return words
}

// Outcome describes the outcome of an operation.
func Outcome(op *history.Operation) string {
	var parts []string
	switch op.Outcome {
	case history.OK:
		parts = append(parts, "ok")
	case history.Fail:
		parts = append(parts, "failed")
	default:
		parts = append(parts, "outcome unknown")
	}
	if op.Error != "" {
		parts[0] += " (" + Shorten(Clean(op.Error), MaxValueChars) + ")"
	}
	if len(op.Output) > 0 {
		parts = append(parts, "answer "+Value(op.Output))
	}
	if op.Rev != 0 {
		parts = append(parts, "revision "+strconv.FormatUint(op.Rev, 10))
	}
	if op.Mod != 0 && op.Mod != op.Rev {
		parts = append(parts, "last changed at "+strconv.FormatUint(op.Mod, 10))
	}
	return strings.Join(parts, ", ")
}

// When describes when an operation was called and how long it took.
func When(op *history.Operation) string {
	words := "at " + Instant(time.Duration(op.Call))
	switch {
	case op.Return != history.Never:
		words += ", took " + Duration(time.Duration(op.Return-op.Call))
	case op.Ended != 0:
		words += ", given up after " + Duration(time.Duration(op.Ended-op.Call))
	default:
		words += ", never answered"
	}
	return words
}

// Fault names a fault in one line, such as: partition n1 | n2 n3.
func Fault(f *fault.Fault) string {
	words := strings.ReplaceAll(string(f.Kind), "-", " ")
	switch {
	case f.IsAimed():
		words += " the machine with the role " + f.Role
	case f.Kind == fault.Partition:
		groups := make([]string, len(f.Groups))
		for i, g := range f.Groups {
			groups[i] = strings.Join(g, " ")
		}
		words += " " + strings.Join(groups, " | ")
	case f.IsNetwork():
		arrow := " ↔ "
		if f.OneWay {
			arrow = " → "
		}
		words += " " + strings.Join(f.From, " ") + arrow + strings.Join(f.To, " ")
	default:
		words += " " + strings.Join(f.Machines, " ")
	}
	if f.Process != "" {
		words += " (" + f.Process + ")"
	}
	if f.Role != "" && !f.IsAimed() {
		words += " (" + f.Role + ")"
	}
	if f.Trigger != "" {
		words += " on " + f.Trigger
		if f.Nth > 1 {
			words += " no. " + Decimal(int64(f.Nth))
		}
		if f.Delay > 0 {
			words += ", " + Duration(f.Delay) + " later"
		}
	}
	if f.Follow > 0 {
		words += " followed every " + Duration(f.Follow)
	}
	if extra := faultNumbers(f); extra != "" {
		words += ": " + extra
	}
	return Clean(words)
}

func faultNumbers(f *fault.Fault) string {
	var parts []string
	add := func(on bool, text string) {
		if on {
			parts = append(parts, text)
		}
	}
	add(f.Loss > 0, "loss "+f.Loss.String())
	add(f.Duplicate > 0, "duplicates "+f.Duplicate.String())
	add(f.Reorder > 0, "reordering "+f.Reorder.String())
	add(f.Latency > 0, "+"+Duration(f.Latency))
	add(f.Jitter > 0, "jitter "+Duration(f.Jitter))
	add(f.Down > 0, Duration(f.Down)+" down")
	add(f.Up > 0, Duration(f.Up)+" up")
	add(f.Operation != "", "EIO on "+f.Operation)
	add(f.Step > 0, "+"+Duration(f.Step))
	add(f.Step < 0, Duration(f.Step))
	add(f.DriftPPM > 0, "+"+Decimal(f.DriftPPM)+" ppm")
	add(f.DriftPPM < 0, Decimal(f.DriftPPM)+" ppm")
	add(f.Times > 0, Decimal(f.Times)+" times as long")
	add(f.BytesPerSecond > 0, Decimal(f.BytesPerSecond)+" bytes/s")
	add(f.MTUBytes > 0, "at most "+Decimal(int64(f.MTUBytes))+" bytes")
	add(f.Share > 0 && f.Kind == fault.Corrupt, "bits flip in "+f.Share.String())
	add(f.Share > 0 && f.Kind == fault.Buggify, f.Share.String()+" of visits")
	add(len(f.Sites) > 0, "at "+strings.Join(f.Sites, ", "))
	add(f.Bits > 0, Decimal(int64(f.Bits))+" bits")
	when := "at disk call "
	if f.AfterCall {
		when = "after disk call "
	}
	add(f.AtDiskCall > 0, when+Decimal(int64(f.AtDiskCall)))
	return strings.Join(parts, ", ")
}
