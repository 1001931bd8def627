// Package archtest knows which package may import which, and what protocol code may not touch. Its
// test looks at every file of the module.
//
// It never judges style or size: tidytest does.
package archtest

import (
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/cmd/internal/gosource"
)

// Layer is a set of packages and what they may import from this module.
type Layer struct {
	// Packages are folders; a trailing /... takes in everything below, and a leading ! takes out.
	Packages []string
	// May lists what they may import, in the same form, besides each other.
	May []string
	// TestsMay lists what only their tests may import.
	TestsMay []string
	// StdOnly forbids other modules, except in tests.
	StdOnly bool
	// Why is the reason, for the message of a violation.
	Why string
}

// harness is what both backends and the reports may import: every description of runs, but not the
// adapter to the engine.
var harness = []string{"engine/env", "engine/env/timescale", "linearizability/...", "scenarios/...",
	"!scenarios/pve/..."}

// Layers is the table. The first layer that names a package is its layer, so special ones come
// first.
var Layers = []Layer{
	{Packages: []string{"engine/env/..."}, StdOnly: true,
		Why: "the env interface is public and stable: a process that uses it needs no other package"},
	{Packages: []string{"linearizability/..."},
		Why: "the checkers judge the history of any system, so they know nothing of its origin"},
	{Packages: []string{"scenarios/draw/..."}, StdOnly: true,
		Why: "one arithmetic gives both backends the same draws, so it depends on nothing else"},
	{Packages: []string{"scenarios/fault/..."}, May: []string{"scenarios/draw"}, StdOnly: true,
		Why: "both backends compute the effect of a fault with the same pure functions"},
	{Packages: []string{"engine/host/..."}, May: []string{"engine/env", "engine/env/timescale"},
		TestsMay: []string{"engine/env/..."},
		Why:      "the host runs the processes of any system, so it knows the env interface and no protocol"},
	{Packages: []string{"engine/..."}, May: []string{"engine/..."},
		Why: "the engine runs on real machines without the harness, and cannot know where it runs"},
	{Packages: []string{"scenarios/pve/..."},
		May:      []string{"engine/...", "linearizability/...", "scenarios/..."},
		TestsMay: []string{"sim/...", "chaos/...", "reports/..."},
		Why:      "this is the one adapter between the engine and the harness; it depends on no backend"},
	{Packages: []string{"scenarios/..."},
		May:      harness,
		TestsMay: []string{"engine/env/...", "sim/...", "chaos/..."},
		Why:      "scenarios describe runs of any system, so they know the env interface and no system"},
	{Packages: []string{"sim/..."},
		May:      harness,
		TestsMay: []string{"engine/env/...", "reports/..."},
		Why:      "the simulator runs any process: it knows the env interface, not the engine, not chaos"},
	{Packages: []string{"chaos/..."},
		May:      harness,
		TestsMay: []string{"engine/env/...", "engine/host/...", "reports/..."},
		Why:      "real nodes run any program: chaos knows the env interface, not the engine, not sim"},
	{Packages: []string{"reports/..."},
		May:      harness,
		TestsMay: []string{"engine/env/envtest/thorough"},
		Why: "reports show what was found and cannot run or judge anything; of the engine they know the " +
			"numbers of machines"},
	{Packages: []string{"cmd/cli/..."},
		May: []string{"engine/env", "engine/env/timescale", "engine/host", "linearizability/...",
			"scenarios/...", "!scenarios/pve/...",
			"!scenarios/library/...", "sim/...", "chaos/...", "reports/..."},
		TestsMay: []string{"engine/env/envtest/thorough", "scenarios/library"},
		Why:      "other teams build their own command from it, so it imports neither engine nor library"},
	{Packages: []string{"cmd/..."}, May: []string{"..."},
		Why: "commands combine everything"},
}

// Protocol are the packages whose code must be deterministic: they have no input and no output but
// engine/env. NotProtocol lists the exceptions.
var Protocol = Layer{
	Packages: []string{"engine/..."},
	Why: "protocol code is a pure state machine: time, input, output and random numbers come through " +
		"engine/env; otherwise no run could be repeated",
}

// NotProtocol are the exceptions, each with its reason.
var NotProtocol = map[string]string{
	"engine/host/...":                     "the host implements the env interface with the operating system",
	"engine/env/envtest/...":              "an environment for tests",
	"engine/store/internal/faultdisk/...": "a disk for tests",
	"engine/ha/conformance/...":           "reads suites from folders, prints reports and decides nothing",
}

// bannedImports are packages with which protocol code would bypass the env interface.
var bannedImports = []string{"os", "os/...", "net", "net/...", "sync", "sync/...", "math/rand",
	"math/rand/v2",
	"crypto/rand", "syscall", "log", "plugin", "golang.org/x/sys/..."}

// allowedImports are exceptions of bannedImports: pure values.
var allowedImports = []string{"net/netip"}

// bannedCalls are functions of package time that read or wait for a clock.
var bannedCalls = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer",
	"NewTicker"}

// in reports whether a path is in a list of folders.
func in(list []string, folder string) bool {
	found := false
	for _, pattern := range list {
		pattern, out := strings.CutPrefix(pattern, "!")
		base, below := strings.CutSuffix(pattern, "...")
		base = strings.TrimSuffix(base, "/")
		if folder == base || below && (base == "" || strings.HasPrefix(folder, base+"/")) {
			found = !out
		}
	}
	return found
}

// Check returns what is wrong with the files of a module, in their order.
func Check(files []*gosource.File) []string {
	var problems []string
	homeless := map[string]bool{}
	for _, f := range files {
		layer := layerOf(f.Dir)
		if layer == nil {
			if !homeless[f.Dir] {
				problems = append(problems, f.Dir+": package is in no layer; add it to the table of archtest")
			}
			homeless[f.Dir] = true
			continue
		}
		problems = append(problems, checkImports(f, layer)...)
		if !f.Test && in(Protocol.Packages, f.Dir) && !in(slices.Collect(maps.Keys(NotProtocol)), f.Dir) {
			problems = append(problems, checkProtocol(f)...)
		}
	}
	return problems
}

func layerOf(folder string) *Layer {
	for i := range Layers {
		if in(Layers[i].Packages, folder) {
			return &Layers[i]
		}
	}
	return nil
}

func checkImports(f *gosource.File, layer *Layer) []string {
	var problems []string
	imports := f.Imports()
	for _, path := range slices.Sorted(maps.Keys(imports)) {
		folder, ours := strings.CutPrefix(path, gosource.ModulePath)
		folder = strings.TrimPrefix(folder, "/")
		switch {
		case !ours:
			if layer.StdOnly && !f.Test && strings.Contains(strings.Split(path, "/")[0], ".") {
				problems = append(problems, fmt.Sprintf("%s: %s may not import %s: %s",
					f.Pos(imports[path]), f.Dir, path, layer.Why))
			}
		case in(layer.May, folder) || in(layer.Packages, folder) && !inSpecialLayer(folder, layer):
		case f.Test && in(layer.TestsMay, folder):
		default:
			problems = append(problems, fmt.Sprintf("%s: %s may not import %s: %s", f.Pos(imports[path]),
				f.Dir, folder, layer.Why))
		}
	}
	return problems
}

// inSpecialLayer reports whether a more special layer contains the folder.
func inSpecialLayer(folder string, layer *Layer) bool { return layerOf(folder) != layer }

func checkProtocol(f *gosource.File) []string {
	var problems []string
	report := func(pos token.Pos, format string, args ...any) {
		problems = append(problems, fmt.Sprintf("%s: %s in %s: %s", f.Pos(pos),
			fmt.Sprintf(format, args...), f.Dir, Protocol.Why))
	}
	imports := f.Imports()
	for _, path := range slices.Sorted(maps.Keys(imports)) {
		if in(bannedImports, path) && !in(allowedImports, path) {
			report(imports[path], "import of %s", path)
		}
	}
	clock := nameOf(f, "time")
	ast.Inspect(f.AST, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			report(n.Pos(), "go statement")
		case *ast.ChanType:
			report(n.Pos(), "channel")
		case *ast.SelectStmt:
			report(n.Pos(), "select statement")
		case *ast.SendStmt:
			report(n.Pos(), "send on a channel")
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && clock != "" && x.Name == clock &&
				slices.Contains(bannedCalls, n.Sel.Name) {
				report(n.Pos(), "time.%s", n.Sel.Name)
			}
		}
		return true
	})
	return problems
}

// nameOf is the name by which a file knows a package; "" when it does not import it.
func nameOf(f *gosource.File, path string) string {
	for _, spec := range f.AST.Imports {
		if strings.Trim(spec.Path.Value, `"`) != path {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return path[strings.LastIndexByte(path, '/')+1:]
	}
	return ""
}
