package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
)

// modulePath is where the program's source is.
const modulePath = "github.com/holdfast-sim/holdfast"

// invocation is how a person who reads the output calls this program: as it was called now, or
// through "go run" when that has built it into a folder that is gone afterwards.
func invocation() string {
	name := os.Args[0]
	if !builtByGoRun(name) {
		if found, err := filepath.Abs(name); err == nil && !strings.ContainsRune(name, filepath.Separator) && !exists(found) {
			return name // from the PATH
		}
		return quote(name)
	}
	info, ok := debug.ReadBuildInfo()
	if ok && info.Main.Path == modulePath && strings.HasPrefix(info.Main.Version, "v") && !exists("cmd/holdfast/main.go") {
		return "go run " + modulePath + "/cmd/holdfast@" + info.Main.Version
	}
	return "go run ./cmd/holdfast"
}

// cachedProgram is where "go run" keeps programs in the build cache, wherever that is: in a folder
// named by a SHA-256.
var cachedProgram = regexp.MustCompile(`/[0-9a-f]{2}/[0-9a-f]{64}-d/[^/]+$`)

// builtByGoRun says whether a program lies where "go run" puts them.
func builtByGoRun(name string) bool {
	name = filepath.ToSlash(name)
	if strings.HasSuffix(name, ".test") {
		return false
	}
	return strings.Contains(name, "/go-build") || cachedProgram.MatchString(name)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// command is a command line of this program that can be pasted into a shell.
func (a *app) command(args ...string) string {
	words := []string{a.program}
	for _, arg := range args {
		words = append(words, quote(arg))
	}
	return strings.Join(words, " ")
}

// plain are the characters that no shell treats specially.
const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./,:=@%+"

func quote(word string) string {
	if word != "" && strings.Trim(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
