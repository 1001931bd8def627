// Package oneof has options that take one of some words.
package oneof

import (
	"fmt"
	"slices"
	"strings"
)

// Flag is an option that takes one of some words.
type Flag struct {
	Value *string
	Words []string
}

// String returns the word.
func (f *Flag) String() string { return *f.Value }

// Type implements pflag.Value.
func (*Flag) Type() string { return "string" }

// Set takes a word.
func (f *Flag) Set(text string) error {
	if !slices.Contains(f.Words, text) {
		return fmt.Errorf("write %s", strings.Join(f.Words, ", "))
	}
	*f.Value = text
	return nil
}
