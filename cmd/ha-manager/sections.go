package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/engine/ha/config"
)

// changeSections edits a file of sections, and refuses a result that cannot be read.
func (t *tool) changeSections(cmd *cobra.Command, path string, understood func(string) error,
	change func([]config.Section) ([]config.Section, error)) error {
	a, err := t.connectAPI()
	if err != nil {
		return err
	}
	return a.editFile(cmd.Context(), path, func(old string) (string, error) {
		if err := sameDigest(cmd, old); err != nil {
			return "", err
		}
		sections, problems, err := config.ParseSections(old)
		if err == nil && len(problems) > 0 {
			err = fmt.Errorf("%s: %s; correct the file first", path, problems[0])
		}
		if err != nil {
			return "", err
		}
		if sections, err = change(sections); err != nil {
			return "", err
		}
		text := config.FormatSections(sections)
		return text, understood(text)
	})
}

func firstProblem(problems []config.Problem, err error) error {
	if err == nil && len(problems) > 0 {
		err = fmt.Errorf("%w: %s", errUsage, problems[0].Text)
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

func (t *tool) removeSection(
	cmd *cobra.Command, path string, understood func(string) error, what, id string,
) error {
	return t.changeSections(cmd, path, understood, func(all []config.Section) ([]config.Section, error) {
		i := findSection(all, id)
		if i < 0 {
			return nil, fmt.Errorf("no such %s '%s'", what, id)
		}
		return slices.Delete(all, i, i+1), nil
	})
}
