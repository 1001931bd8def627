// Package library holds the scenarios that come with Holdfast: one file each, embedded. A bug that
// was found becomes a file here and stays.
//
// Package library never parses a file: that takes a subject, which its users have.
package library

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/scenarios/strictyaml"
)

//go:embed *.yaml
var embeddedFiles embed.FS

const extension = ".yaml"

// Files returns the scenario files, for programs that offer the library.
func Files() fs.FS { return embeddedFiles }

// ErrUnknown means that the library has no scenario of a name.
var ErrUnknown = errors.New("no such scenario in the library")

// Names lists the scenarios in alphabetical order.
func Names() []string {
	paths, err := fs.Glob(embeddedFiles, "*"+extension)
	if err != nil {
		panic("library: listing the embedded files: " + err.Error())
	}
	for i, path := range paths {
		paths[i] = strings.TrimSuffix(path, extension)
	}
	slices.Sort(paths)
	return paths
}

// Get returns a scenario's file. The error wraps [ErrUnknown] and names the scenario that was most
// likely meant.
func Get(name string) ([]byte, error) {
	data, err := embeddedFiles.ReadFile(name + extension)
	if err == nil {
		return data, nil
	}
	if near := strictyaml.Nearest(name, Names()); near != "" {
		return nil, fmt.Errorf("%w: %q; did you mean %q?", ErrUnknown, name, near)
	}
	return nil, fmt.Errorf("%w: %q", ErrUnknown, name)
}

// FileName is the name under which problems in a scenario's file are reported.
func FileName(name string) string { return name + extension }
