// Package version returns the version of the running program.
//
// Package version never asks anything but the running binary.
package version

import (
	"runtime/debug"
	"strings"
)

const module = "github.com/holdfast-sim/holdfast"

// Text returns the version of the module that the program was built from, its revision where the build
// recorded it, and the version of Go, such as "v1.2.0 (revision 1a2b3c4d, go1.26.0)". A build from a work
// tree without a version is "(devel)".
func Text() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(devel)"
	}
	version := info.Main.Version
	for _, dep := range info.Deps { // a program of another module
		if dep.Path == module {
			version = dep.Version
		}
	}
	if version == "" {
		version = "(devel)"
	}
	details := []string{info.GoVersion}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && info.Main.Path == module:
			details = append([]string{"revision " + s.Value[:min(len(s.Value), 12)]}, details...)
		case s.Key == "vcs.modified" && s.Value == "true" && info.Main.Path == module:
			details = append(details, "modified")
		}
	}
	return version + " (" + strings.Join(details, ", ") + ")"
}
