package docstest

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// known is what commands in documents may name.
type known struct {
	module    fs.FS
	targets   []string // of make
	stories   []string // of the library
	help      func(words ...string) (string, bool)
	testFlags []string
}

var (
	assignment = regexp.MustCompile(`^[A-Z][A-Z0-9_]*=\S*$`)
	flagWord   = regexp.MustCompile(`^--?[a-z][a-z.-]*`)
)

// check returns what is wrong with a command line; nil when it is not one of holdfast.
func (k *known) check(line string) error {
	line, _, _ = strings.Cut(line, " #")
	line, _, _ = strings.Cut(line, " > ")
	words := strings.Fields(line)
	for len(words) > 0 && (words[0] == "sudo" || words[0] == "$" || assignment.MatchString(words[0])) {
		words = words[1:]
	}
	switch {
	case len(words) == 0:
		return nil
	case words[0] == "make":
		return k.make(words[1:])
	case words[0] == "holdfast":
		return k.holdfast(words[1:])
	case words[0] == "go" && len(words) > 2 && words[1] == "run":
		return k.goRun(words[2:])
	case words[0] == "go" && len(words) > 1 && words[1] == "test":
		return k.goTest(words[2:])
	}
	return nil
}

func (k *known) make(words []string) error {
	for _, w := range words {
		if !assignment.MatchString(w) && !slices.Contains(k.targets, w) {
			return fmt.Errorf("there is no make target %s", w)
		}
	}
	return nil
}

func (k *known) folder(arg string) error {
	name := path.Clean(strings.TrimSuffix(strings.TrimSuffix(arg, "..."), "/"))
	if _, err := fs.Stat(k.module, name); err != nil {
		return fmt.Errorf("there is no package %s", arg)
	}
	return nil
}

func (k *known) goRun(words []string) error {
	if err := k.folder(words[0]); err != nil {
		return err
	}
	if words[0] == "./cmd/holdfast" {
		return k.holdfast(words[1:])
	}
	return nil
}

func (k *known) goTest(words []string) error {
	for _, w := range words {
		name, _, _ := strings.Cut(w, "=")
		switch {
		case strings.HasPrefix(w, "./"):
			if err := k.folder(w); err != nil {
				return err
			}
		case strings.HasPrefix(name, "-sim.") || strings.HasPrefix(name, "-chaos."):
			if !slices.Contains(k.testFlags, name) {
				return fmt.Errorf("go test has no flag %s here", name)
			}
		}
	}
	return nil
}

// holdfast checks subcommand, flags, and names of scenarios.
func (k *known) holdfast(words []string) error {
	command := 0
	for command < len(words) && regexp.MustCompile(`^[a-z]+$`).MatchString(words[command]) {
		if _, ok := k.help(words[:command+1]...); !ok {
			break
		}
		command++
	}
	if len(words) > 0 && command == 0 && !flagWord.MatchString(words[0]) {
		return fmt.Errorf("holdfast has no command %s", words[0])
	}
	help, _ := k.help(words[:command]...)
	for _, w := range words[command:] {
		name := flagWord.FindString(w)
		if name != "" && !regexp.MustCompile(regexp.QuoteMeta(name)+`\b`).MatchString(help) {
			return fmt.Errorf("holdfast %s has no flag %s", strings.Join(words[:command], " "), name)
		}
	}
	path := strings.Join(words[:command], " ")
	takesStory := path == "run" || path == "scenario show"
	if !takesStory || command == len(words) || flagWord.MatchString(words[command]) {
		return nil
	}
	story := words[command]
	if strings.HasSuffix(story, ".yaml") || story == "my-story" || slices.Contains(k.stories, story) {
		return nil
	}
	return fmt.Errorf("the library has no story %s", story)
}
