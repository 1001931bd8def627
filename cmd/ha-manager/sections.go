package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/cmd/internal/salvage"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
)

// readSections reads a file of sections as far as it can be read, with its digest, and warns of the rest.
func (t *tool) readSections(cmd *cobra.Command, path string) ([]config.Section, string, error) {
	a, err := t.newAPIClient()
	if err != nil {
		return nil, "", err
	}
	text, _, err := a.readFile(cmd.Context(), path)
	if err != nil {
		return nil, "", err
	}
	sections, problems, err := config.ParseSections(text)
	var damaged salvage.Report
	damaged.Add(path, problems, err)
	damaged.Warn(cmd.ErrOrStderr())
	return sections, configDigest(text), nil
}

// sectionShape is how a file of sections is shown.
type sectionShape struct {
	idKey, kindKey string // the names of id and kind in JSON; no kind where it is always the same
	titleOf, idOf  func(config.Section) string
}

// printSections prints the sections in the order of their ids, each as a title with its sorted properties
// and an empty line below.
func (t *tool) printSections(cmd *cobra.Command, sections []config.Section, digest string,
	shape sectionShape) error {
	list := make([]map[string]string, 0, len(sections))
	for i, s := range sections {
		item := map[string]string{shape.idKey: shape.idOf(s), "digest": digest}
		if shape.kindKey != "" {
			item[shape.kindKey] = s.Kind
		}
		sections[i].Keys = slices.Clone(s.Keys)
		slices.SortStableFunc(sections[i].Keys,
			func(a, b config.KeyValue) int { return strings.Compare(a.Key, b.Key) })
		for _, kv := range s.Keys {
			item[kv.Key] = kv.Value
		}
		list = append(list, item)
	}
	byID := func(a, b config.Section) int { return strings.Compare(shape.idOf(a), shape.idOf(b)) }
	slices.SortStableFunc(sections, byID)
	slices.SortStableFunc(list, func(a, b map[string]string) int {
		return strings.Compare(a[shape.idKey], b[shape.idKey])
	})
	return t.printValue(cmd, list, func(w io.Writer) error {
		for _, s := range sections {
			fmt.Fprintln(w, shape.titleOf(s))
			for _, kv := range s.Keys {
				fmt.Fprintf(w, "\t%s %s\n", kv.Key, kv.Value)
			}
			fmt.Fprintln(w)
		}
		return nil
	})
}

// changeSections edits a file of sections, and refuses a result that cannot be read. An error about its
// content begins with what failed.
func (t *tool) changeSections(cmd *cobra.Command, path, what string, understood func(string) error,
	change func([]config.Section) ([]config.Section, error)) error {
	a, err := t.newAPIClient()
	if err != nil {
		return err
	}
	return a.editFile(cmd.Context(), path, func(old string) (string, error) {
		text, err := changedSections(path, old, change)
		if err == nil {
			err = sameDigest(cmd, old)
		}
		if err == nil {
			err = understood(text)
		}
		if err != nil {
			return "", fmt.Errorf("%s: %w", what, err)
		}
		return text, nil
	})
}

// changedSections returns the text of a file of sections after a change.
func changedSections(path, old string, change func([]config.Section) ([]config.Section, error),
) (string, error) {
	sections, problems, err := config.ParseSections(old)
	if err == nil && len(problems) > 0 {
		err = fmt.Errorf("%w: %s", errDamaged, salvage.Damage{Path: path, Problems: problems})
	}
	if err == nil {
		sections, err = change(sections)
	}
	return config.FormatSections(sections), err
}

// checkOneLine returns an error for a value that a line of a configuration cannot hold.
func checkOneLine(name, value string) error {
	if strings.ContainsFunc(value, unicode.IsControl) || !utf8.ValidString(value) {
		return fmt.Errorf("%w: --%s: write one line of text", errUsage, name)
	}
	return nil
}

func firstProblem(problems []config.Problem, err error) error {
	if err == nil && len(problems) > 0 {
		err = errors.New(problems[0].Text)
	}
	return err
}

func findSection(sections []config.Section, id string) int {
	return slices.IndexFunc(sections, func(s config.Section) bool { return s.ID == id })
}

// option is an option of a section, which is one of its properties.
type option struct {
	name, usage string
	isSwitch    bool
	isRequired  bool // a section cannot be created without it
}

func withOptions(cmd *cobra.Command, options []option) *cobra.Command {
	for _, o := range options {
		if o.isSwitch {
			withBooleanFlag(cmd, o.name, "0", o.usage)
		} else {
			cmd.Flags().String(o.name, "", o.usage)
		}
	}
	return cmd
}

// withChanges gives a command that changes a section the options that all such commands have.
func withChanges(cmd *cobra.Command, unset *[]string) *cobra.Command {
	cmd.Flags().StringSliceVar(unset, "delete", nil, "the `options` to remove, separated by commas")
	cmd.Flags().String("digest", "", "change nothing unless the configuration has this `digest`")
	return cmd
}

// setKeys applies the given options to a section; "" removes a property.
func setKeys(cmd *cobra.Command, s *config.Section, options []option, unset []string) error {
	for _, name := range unset {
		if !slices.ContainsFunc(options, func(o option) bool { return o.name == name }) {
			return fmt.Errorf("%w: --delete: there is no option %q", errUsage, name)
		}
		s.Keys = slices.DeleteFunc(s.Keys, func(kv config.KeyValue) bool { return kv.Key == name })
	}
	for _, o := range options {
		flag := cmd.Flags().Lookup(o.name)
		if !flag.Changed {
			continue
		}
		value := flag.Value.String()
		if err := checkOneLine(o.name, value); err != nil {
			return err
		}
		s.Keys = slices.DeleteFunc(s.Keys, func(kv config.KeyValue) bool { return kv.Key == o.name })
		if value != "" {
			s.Keys = append(s.Keys, config.KeyValue{Key: o.name, Value: value})
		}
	}
	return nil
}

// checkRequired returns an error for a new section without a required property.
func checkRequired(cmd *cobra.Command, options []option) error {
	for _, o := range options {
		if o.isRequired && cmd.Flags().Lookup(o.name).Value.String() == "" {
			return fmt.Errorf("%w: --%s is missing: %s", errUsage, o.name, o.usage)
		}
	}
	return nil
}
