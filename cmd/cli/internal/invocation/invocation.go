// Package invocation finds out how a person can run this program again: as it was called, or through
// "go run". Messages end with such commands.
//
// It never runs anything.
package invocation

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
)

// Program is how a reader of the output runs this program again: as it was called now, or
// through "go run" when that has built it into a folder that is removed afterwards.
func Program() string {
	name := os.Args[0]
	if builtByGoRun(name) {
		info, _ := debug.ReadBuildInfo()
		return goRun(info, exists)
	}
	if found, err := filepath.Abs(name); err == nil && !strings.ContainsRune(name, filepath.Separator) &&
		!exists(found) {
		return name // from the PATH
	}
	return Quote(name)
}

// goRun is the "go run" command for the main package of a program. there reports whether a path
// exists in the current folder.
func goRun(info *debug.BuildInfo, there func(path string) bool) string {
	if info == nil || !strings.HasPrefix(info.Path+"/", info.Main.Path+"/") || info.Main.Path == "" {
		return "go run ." // built from a list of files, which is not recorded
	}
	folder := strings.TrimPrefix(strings.TrimPrefix(info.Path, info.Main.Path), "/")
	switch {
	case folder == "" && there("go.mod"):
		return "go run ."
	case folder != "" && there(folder):
		return "go run ./" + folder
	case strings.HasPrefix(info.Main.Version, "v"):
		return "go run " + info.Path + "@" + info.Main.Version
	}
	return "go run " + info.Path
}

// cachedProgram matches programs that "go run" keeps in the build cache, wherever that is: in a folder
// named by a SHA-256.
var cachedProgram = regexp.MustCompile(`/[0-9a-f]{2}/[0-9a-f]{64}-d/[^/]+$`)

// builtByGoRun reports whether a program is where "go run" puts programs.
func builtByGoRun(name string) bool {
	name = filepath.ToSlash(name)
	if strings.HasSuffix(name, ".test") {
		return false
	}
	return strings.Contains(name, "/go-build") || cachedProgram.MatchString(name)
}

// exists reports whether a path exists in the current folder.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// plain are the characters that no shell treats specially.
const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./,:=@%+"

// Quote writes a word so that a shell reads it back unchanged.
func Quote(word string) string {
	if word != "" && strings.Trim(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
