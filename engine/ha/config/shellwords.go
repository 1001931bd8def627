package config

import (
	"errors"
	"strings"
	"unicode"
)

// Lines that are refused although Proxmox VE takes them: with an open quote it reads a line as if it had no
// arguments at all, and a blank of another alphabet becomes part of a word, where it cannot be seen.
var (
	errUnclosedQuote = errors.New("a quote is not closed, or the line ends with a backslash")
	errForeignBlank  = errors.New("a blank is not a space; type it again, or put the value into quotes")
)

// isBlank reports whether a character separates words.
func isBlank(r rune) bool { return r == ' ' || r >= '\t' && r <= '\r' }

// splitShellWords splits a text into words as Text::ParseWords::shellwords of Perl does it. Blanks separate
// words. Within quotes of either kind they do not. A backslash stands for the character behind it. Between
// single quotes both are kept, and a quote behind a backslash closes nothing, unlike in a shell. A word can
// consist of several pieces, as in ip="10.0.0.1".
func splitShellWords(text string) (words []string, err error) {
	var word strings.Builder
	inWord, escaped, quote := false, false, rune(0)
	for _, r := range text {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\':
			inWord, escaped = true, true
			if quote == '\'' {
				word.WriteRune(r)
			}
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '"' || r == '\'':
			inWord, quote = true, r
		case unicode.IsSpace(r) && !isBlank(r):
			return nil, errForeignBlank
		case isBlank(r):
			if inWord {
				words = append(words, word.String())
			}
			word.Reset()
			inWord = false
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	if escaped || quote != 0 {
		return nil, errUnclosedQuote
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}
