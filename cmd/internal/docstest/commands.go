package docstest

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// knownNames is what commands in documents may name.
type knownNames struct {
	moduleFS         fs.FS
	makeTargets      []string // of make
	libraryScenarios []string // of the library
	helpOf           func(words ...string) (string, bool)
	testFlags        []string
}

var (
	assignment = regexp.MustCompile(`^[A-Z][A-Z0-9_]*=\S*$`)
	flagWord   = regexp.MustCompile(`^--?[a-z][a-z.-]*`)
)

// checkLine returns what is wrong with a command line; nil when it is not one of holdfast.
func (k *knownNames) checkLine(line string) error {
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
		return k.checkMake(words[1:])
	case words[0] == "holdfast":
		return k.checkHoldfast(words[1:])
	case words[0] == "go" && len(words) > 2 && words[1] == "run":
		return k.checkGoRun(words[2:])
	case words[0] == "go" && len(words) > 1 && words[1] == "test":
		return k.checkGoTest(words[2:])
	}
	return nil
}

func (k *knownNames) checkMake(words []string) error {
	for _, w := range words {
		if !assignment.MatchString(w) && !slices.Contains(k.makeTargets, w) {
			return fmt.Errorf("there is no make target %s", w)
		}
	}
	return nil
}

func (k *knownNames) checkFolder(arg string) error {
	name := path.Clean(strings.TrimSuffix(strings.TrimSuffix(arg, "..."), "/"))
	if _, err := fs.Stat(k.moduleFS, name); err != nil {
		return fmt.Errorf("there is no package %s", arg)
	}
	return nil
}

func (k *knownNames) checkGoRun(words []string) error {
	if err := k.checkFolder(words[0]); err != nil {
		return err
	}
	if words[0] == "./cmd/holdfast" {
		return k.checkHoldfast(words[1:])
	}
	return nil
}

func (k *knownNames) checkGoTest(words []string) error {
	for _, w := range words {
		name, _, _ := strings.Cut(w, "=")
		switch {
		case strings.HasPrefix(w, "./"):
			if err := k.checkFolder(w); err != nil {
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

// checkHoldfast checks subcommand, flags, and names of scenarios.
func (k *knownNames) checkHoldfast(words []string) error {
	command := 0
	for command < len(words) && regexp.MustCompile(`^[a-z][a-z-]*$`).MatchString(words[command]) {
		if _, ok := k.helpOf(words[:command+1]...); !ok {
			break
		}
		command++
	}
	if len(words) > 0 && command == 0 && !flagWord.MatchString(words[0]) {
		return fmt.Errorf("holdfast has no command %s", words[0])
	}
	help, _ := k.helpOf(words[:command]...)
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
	if strings.HasSuffix(story, ".yaml") || story == "my-story" ||
		slices.Contains(k.libraryScenarios, story) {
		return nil
	}
	return fmt.Errorf("the library has no story %s", story)
}
