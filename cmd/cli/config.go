package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/chaos"
	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/schema"
	"github.com/holdfast-sim/holdfast/sim"
)

// Config is what a program offers. Only Subjects or Kinds is required.
type Config struct {
	// Subjects are systems that scenario files only name, without anything to configure.
	Subjects []scenarios.Subject
	// Kinds are systems with a part of their own in scenario files.
	Kinds []Kind
	// Library holds scenario files that can be named without a path, *.yaml in its top folder; usually an
	// embed.FS, or [fs.Sub] of one that embeds a folder. nil: none. Scenarios of subjects that are not in
	// Kinds are not offered.
	Library fs.FS
	// Backends are where scenarios can run, the first one by default; nil: the simulator alone.
	Backends []Backend
	// Suites are conformance suites, for the command conformance; nil: there is no such command.
	Suites []Suite
	// Doctor checks capabilities of the computer beyond those that every program needs and those of
	// the backends; nil: none.
	Doctor func(ctx context.Context) []Capability

	// Name is the program's name in help texts and errors; "": the file name of the executable.
	Name string
	// Version is printed by --version; "": the version of the main module as Go recorded it.
	Version string
	// Stdout and Stderr receive results, and progress with problems; nil: those of the process.
	Stdout, Stderr io.Writer
	// Env reads environment variables; nil: those of the process.
	Env func(key string) string
}

// Kind is a system under test, made from its part of a scenario file.
type Kind struct {
	// Name is what scenario files write under subject.kind.
	Name string
	// Decode makes the subject of a scenario.
	Decode scenarios.Decode
	// Spec is a value of the struct type that Decode reads the subject's part of a scenario into, for
	// the JSON Schema; nil: the part has no keys but kind.
	Spec any
	// Descriptions explain the keys of Spec in the schema, by their paths.
	Descriptions map[string]string
	// Topology takes the machines of a scenario from a configuration file of the subject, for the flag
	// --topology; nil: the subject has no such file.
	Topology Topology
	// Etc takes machines and services of a scenario from a folder of configuration files of the subject, for
	// the flag --etc; nil: the subject has no such folder.
	Etc Etc
}

// Topology changes a scenario so that it runs on the machines of a configuration file, whose name
// and content it is given. Its errors name the place in that file.
type Topology func(s *scenarios.Scenario, file string, data []byte) error

// Etc changes a scenario so that it runs on what a folder of configuration files describes. It returns one
// line for everything that it took and that it could not take.
type Etc func(s *scenarios.Scenario, folder string) ([]string, error)

// Backend is a place where scenarios can run.
type Backend struct {
	Name   string // for --on
	About  string // in a few words
	Runner scenarios.Runner
	// RealTime means that a run lasts as long as its scenario says, so that a timescale is useful.
	RealTime bool
	// Doctor checks what the backend needs from the computer; nil: nothing.
	Doctor func(ctx context.Context) []Capability
	// CleanUp removes what killed runs have left and returns the ids of these runs; nil: nothing is
	// ever left.
	CleanUp func() ([]string, error)
}

// Simulator is the deterministic simulator. It is the default.
func Simulator() Backend { return Backend{Name: "sim", About: "simulator", Runner: sim.Runner{}} }

// RealNodes runs the subject's driver on network namespaces. It needs Linux and root; elsewhere its
// runs are refused with the reason.
func RealNodes() Backend {
	return Backend{Name: chaos.Backend, About: "real nodes in network namespaces (root)",
		Runner: chaos.Runner{}, RealTime: true, CleanUp: chaos.CleanUp, Doctor: realNodes}
}

// realNodes checks what real nodes need.
func realNodes(context.Context) []Capability {
	var out []Capability
	for _, c := range chaos.Doctor() {
		out = append(out, Capability{Name: "real nodes: " + c.Name, OK: c.OK, Detail: c.Detail,
			Remedy: c.Remedy})
	}
	return out
}

// Suite is a conformance suite.
type Suite struct {
	Name, About string
	// Long is the help text after About; the default is About alone.
	Long string
	// Seeds is the default range of seeds, such as 1-20, of a suite that draws its cases. Such a suite gets
	// seeds instead of folders. The default is "": the suite reads folders.
	Seeds string
	// Switches are flags of its own, and so are Values.
	Switches []Switch
	Values   []Value
	// Run runs the cases in folders, or those of the seeds, writes their results and returns the worst of
	// them.
	Run func(ctx context.Context, folders []string, o SuiteOptions) (linearizability.Validity, error)
}

// Switch is a flag of a suite that is on or off.
type Switch struct{ Name, About string }

// Value is a flag of a suite with a text. The name of the text is in backquotes in About.
type Value struct{ Name, About string }

// SuiteOptions are what a suite gets besides its folders.
type SuiteOptions struct {
	Out io.Writer
	// JSON asks for one JSON value instead of text.
	JSON bool
	// On are the switches that are on.
	On map[string]bool
	// Values are the texts of the flags that were given.
	Values map[string]string
	// FirstSeed and LastSeed are the range of seeds of a suite that draws its cases.
	FirstSeed, LastSeed uint64
	// Progress must be called with the name of each case that has ended.
	Progress func(name string)
}

// withDefaults fills in what the configuration leaves out.
func (c Config) withDefaults() Config {
	if c.Stdout == nil {
		c.Stdout = os.Stdout
	}
	if c.Stderr == nil {
		c.Stderr = os.Stderr
	}
	if c.Env == nil {
		c.Env = os.Getenv
	}
	if len(c.Backends) == 0 {
		c.Backends = []Backend{Simulator()}
	}
	for _, s := range c.Subjects {
		c.Kinds = append(slices.Clip(c.Kinds), Kind{Name: s.Kind(), Decode: scenarios.KindsOf(s)[s.Kind()]})
	}
	c.Subjects = nil
	c.Name = cmp.Or(c.Name, strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe"))
	c.Version = cmp.Or(c.Version, recordedVersion())
	return c
}

// modulePath is Holdfast's own module.
const modulePath = "github.com/holdfast-sim/holdfast"

// recordedVersion is the version of the main module and, in other modules, that of Holdfast.
func recordedVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	version := cmp.Or(info.Main.Version, "(devel)")
	for _, m := range info.Deps {
		if m.Path == modulePath {
			version += ", holdfast " + cmp.Or(m.Version, "(devel)")
		}
	}
	return version
}

// validate finds mistakes in a configuration, which are mistakes of a main package.
func (c *Config) validate() error {
	if len(c.Kinds) == 0 {
		return internalError(errors.New("cli.Config has no Subjects and no Kinds: " +
			"this program has no subject to run"))
	}
	seen := map[string]bool{}
	for i, k := range c.Kinds {
		switch {
		case k.Name == "" || k.Decode == nil:
			return internalError(fmt.Errorf("cli.Config.Kinds[%d] needs a Name and Decode", i))
		case seen[k.Name]:
			return internalError(fmt.Errorf("cli.Config.Kinds names %q twice", k.Name))
		}
		seen[k.Name] = true
	}
	for i, b := range c.Backends {
		if b.Name == "" || b.Runner == nil {
			return internalError(fmt.Errorf("cli.Config.Backends[%d] needs a Name and a Runner", i))
		}
	}
	return nil
}

// kind finds a kind by its name; nil if the program does not have it.
func (c *Config) kind(name string) *Kind {
	for i := range c.Kinds {
		if c.Kinds[i].Name == name {
			return &c.Kinds[i]
		}
	}
	return nil
}

// decoders are the kinds in the form of package scenarios.
func (c *Config) decoders() scenarios.Kinds {
	out := scenarios.Kinds{}
	for _, k := range c.Kinds {
		out[k.Name] = k.Decode
	}
	return out
}

// hasTopologies reports whether some kind has a topology file.
func (c *Config) hasTopologies() bool {
	for _, k := range c.Kinds {
		if k.Topology != nil {
			return true
		}
	}
	return false
}

// hasEtc reports whether some kind takes its machines and services from a folder.
func (c *Config) hasEtc() bool {
	return slices.ContainsFunc(c.Kinds, func(k Kind) bool { return k.Etc != nil })
}

// schemaParts describe the kinds for the JSON Schema.
func (c *Config) schemaParts() []schema.Part {
	var parts []schema.Part
	for _, k := range c.Kinds {
		t := reflect.TypeFor[struct{}]()
		if k.Spec != nil {
			t = reflect.TypeOf(k.Spec)
		}
		parts = append(parts, schema.Part{Kind: k.Name, Type: t, Descriptions: k.Descriptions})
	}
	return parts
}

// findBackend finds a backend by its name and checks that a timescale is useful there.
func (c *Config) findBackend(name string, ts timescale.Ratio) (*Backend, error) {
	for i := range c.Backends {
		b := &c.Backends[i]
		if b.Name != name {
			continue
		}
		if !ts.IsOne() && !b.RealTime {
			return nil, usagef(
				"--timescale %s: the %s uses virtual time, which is not scaled; leave the flag out",
				ts, b.About)
		}
		return b, nil
	}
	return nil, usagef("--on %s: no such backend in this program; write one of %s", name, c.backendList())
}

func (c *Config) backendList() string {
	var list []string
	for _, b := range c.Backends {
		list = append(list, b.Name+" ("+b.About+")")
	}
	return strings.Join(list, ", ")
}
