package tree

import (
	"strings"
	"unicode/utf8"
)

// CheckPath reports whether a path is in its one valid form: names joined by single slashes, none at
// either end, no "." or "..", valid UTF-8 without control characters. "" is the root directory.
func CheckPath(path string) *Refusal {
	if path == "" {
		return nil
	}
	if len(path) > MaxPathBytes {
		return refuse(NameTooLong, "the path is longer than 4096 bytes")
	}
	for name := range strings.SplitSeq(path, "/") {
		if r := checkName(name); r != nil {
			return r
		}
	}
	return nil
}

func checkName(name string) *Refusal {
	switch {
	case name == "":
		return refuse(Invalid, "empty name in path: write a/b, without slashes at the ends or doubled")
	case name == "." || name == "..":
		return refuse(Invalid, "the names . and .. are not allowed")
	case len(name) > MaxNameBytes:
		return refuse(NameTooLong, "a name is longer than 256 bytes")
	case !utf8.ValidString(name):
		return refuse(Invalid, "a name is not valid UTF-8")
	case strings.IndexFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) >= 0:
		return refuse(Invalid, "a name holds a control character")
	}
	return nil
}

// splitPath cuts a path into its directory and its last name.
func splitPath(path string) (dir, name string) {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i], path[i+1:]
	}
	return "", path
}
