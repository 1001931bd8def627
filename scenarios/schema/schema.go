// Package schema holds the JSON Schema of scenario files, which lets editors complete and check
// them, and makes it from the Go types that the files are read into.
//
// The schema accepts every file that is read without an error. It cannot express everything that
// makes a file wrong; package scenarios never consults it.
package schema

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/strictyaml"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// JSON is the schema as a file, without the parts of subjects: what [Generate] makes.
//
//go:embed scenario.schema.json
var JSON []byte

// Part describes what a subject reads from its part of a scenario.
type Part struct {
	Kind string
	// Type is the struct that the part is read into, with yaml tags.
	Type reflect.Type
	// Descriptions holds the meaning of each key, by its path within the part.
	Descriptions map[string]string
}

// Generate makes the schema as indented JSON. Without a subject's part everything is accepted
// under subject.
func Generate(parts ...Part) ([]byte, error) {
	g := generator{descriptions: maps.Clone(descriptions)}
	root := g.structSchema(reflect.TypeFor[scenarios.Scenario](), "")
	for _, part := range parts {
		for path, text := range part.Descriptions {
			g.descriptions[subjectPath+path] = text
		}
		subject := root.Properties["subject"]
		subject.AllOf = append(subject.AllOf, g.partSchema(part))
	}
	root.Schema = "https://json-schema.org/draft/2020-12/schema"
	root.Title = "Holdfast scenario"
	root.Description = "One scenario: the machines, what clients do, what goes wrong and when, " +
		"and how the run must end."
	raw, err := json.Marshal(root)
	if err != nil {
		return nil, fmt.Errorf("generating the scenario schema: %w", err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		return nil, fmt.Errorf("generating the scenario schema: %w", err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// subjectPath is what the paths of subjects' parts begin with.
const subjectPath = "subject."

// partSchema describes a subject's part where the kind is the subject's.
func (g *generator) partSchema(part Part) *jsonschema.Schema {
	then := g.structSchema(part.Type, strings.TrimSuffix(subjectPath, "."))
	then.Properties["kind"] = &jsonschema.Schema{Type: "string"}
	var kind any = part.Kind
	return &jsonschema.Schema{
		If:   &jsonschema.Schema{Properties: map[string]*jsonschema.Schema{"kind": {Const: &kind}}},
		Then: then,
	}
}

// generator makes the schemas of types.
type generator struct{ descriptions map[string]string }

// structSchema describes a struct by its yaml tags.
func (g *generator) structSchema(t reflect.Type, path string) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "object", Properties: map[string]*jsonschema.Schema{},
		AdditionalProperties: rejectAllSchema()}
	for _, f := range strictyaml.Fields(t) {
		at := f.Name
		if path != "" {
			at = path + "." + f.Name
		}
		property := g.valueSchema(t.Field(f.Index).Type, at)
		property.Description = g.descriptions[at]
		s.Properties[f.Name] = property
		s.PropertyOrder = append(s.PropertyOrder, f.Name)
		if f.Required {
			s.Required = append(s.Required, f.Name)
		}
	}
	if t == reflect.TypeFor[fault.Fault]() {
		s.AllOf = faultKindSchemas()
	}
	return s
}

// rejectAllSchema refuses every value.
func rejectAllSchema() *jsonschema.Schema { return &jsonschema.Schema{Not: &jsonschema.Schema{}} }

// valueSchema describes a value by its type, and by its place where the type does not say enough.
func (g *generator) valueSchema(t reflect.Type, path string) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[time.Duration]():
		return &jsonschema.Schema{Type: "string", Pattern: strictyaml.DurationPattern,
			Examples: []any{"250ms", "10s", "1m30s"}}
	case reflect.TypeFor[fault.PPM]():
		return &jsonschema.Schema{Type: "string", Pattern: `^\s*([0-9]+(\.[0-9]{0,4})?%|[0-9]+\s*ppm)\s*$`,
			Examples: []any{"5%", "0.25%", "200ppm"}}
	case reflect.TypeFor[scenarios.Machines]():
		return machinesSchema()
	case reflect.TypeFor[scenarios.SubjectSpec]():
		return subjectSchema()
	}
	if set, ok := reflect.Zero(t).Interface().(strictyaml.OneOf); ok {
		return enumSchema(set.OneOf()...)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return g.valueSchema(t.Elem(), path)
	case reflect.Struct:
		return g.structSchema(t, path)
	case reflect.Slice:
		return &jsonschema.Schema{Type: "array", Items: g.valueSchema(t.Elem(), path)}
	case reflect.Map:
		return &jsonschema.Schema{Type: "object", AdditionalProperties: g.valueSchema(t.Elem(), path)}
	case reflect.String:
		return textSchema(path)
	case reflect.Bool:
		return &jsonschema.Schema{Type: "boolean"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return integerSchema(path, math.MinInt32)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return integerSchema(path, 0)
	}
	panic(fmt.Sprintf("schema: %s has type %s, which has no description", path, t))
}

func enumSchema(list ...string) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string"}
	for _, word := range list {
		s.Enum = append(s.Enum, word)
	}
	return s
}

func textSchema(path string) *jsonschema.Schema {
	switch path {
	case "name":
		return nameSchema(scenarios.NamePattern)
	case "story":
		return &jsonschema.Schema{Type: "string", MinLength: jsonschema.Ptr(1),
			MaxLength: jsonschema.Ptr(scenarios.MaxStoryBytes)}
	case "expect.verdict":
		return enumSchema("valid", "invalid")
	case "faults.operation":
		return enumSchema("read", "write", "sync")
	}
	return &jsonschema.Schema{Type: "string"}
}

func nameSchema(pattern string) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: pattern,
		MaxLength: jsonschema.Ptr(scenarios.MaxNameBytes)}
}

// ranges are the bounds of whole numbers by path.
var ranges = map[string][2]float64{
	"disk.capacity_bytes":  {0, 1 << 53},
	"workload.clients":     {1, workload.MaxClients},
	"workload.operations":  {1, workload.MaxOperations},
	"workload.keys":        {1, workload.MaxKeys},
	"workload.value_bytes": {1, workload.MaxValueBytes},
	"workload.mix":         {0, scenarios.MaxWeight},
	"nemesis.at_once":      {1, scenarios.MaxAtOnce},
	"nemesis.disk_calls":   {1, fault.MaxDiskCall},

	"faults.at_disk_call":     {1, fault.MaxDiskCall},
	"faults.nth":              {1, fault.MaxNth},
	"faults.times":            {2, fault.MaxTimes},
	"faults.bytes_per_second": {1, fault.MaxBytesPerSecond},
	"faults.queue_bytes":      {1, fault.MaxQueueBytes},
	"faults.mtu_bytes":        {1, fault.MaxMTUBytes},
	"faults.bits":             {1, fault.MaxBits},
	"faults.drift_ppm":        {-fault.MaxDriftPPM, fault.MaxDriftPPM},
}

func integerSchema(path string, least float64) *jsonschema.Schema {
	r, ok := ranges[path]
	if !ok {
		if !strings.HasPrefix(path, subjectPath) {
			panic("schema: no range is known for " + path)
		}
		return &jsonschema.Schema{Type: "integer", Minimum: &least}
	}
	return &jsonschema.Schema{Type: "integer", Minimum: &r[0], Maximum: &r[1]}
}

func machinesSchema() *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{
		{Type: "integer", Minimum: jsonschema.Ptr(1.0),
			Maximum: jsonschema.Ptr(float64(scenarios.MaxMachines))},
		{Type: "array", Items: nameSchema(scenarios.MachinePattern), MinItems: jsonschema.Ptr(1),
			MaxItems: jsonschema.Ptr(scenarios.MaxMachines), UniqueItems: true},
	}, Examples: []any{3, []string{"n1", "n2", "n3"}}}
}

// subjectSchema is open: what else it holds is the subject's own affair.
func subjectSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "object", Required: []string{"kind"},
		Properties: map[string]*jsonschema.Schema{
			"kind": {Type: "string", Description: "The system under test, for example pve or register."},
		}}
}

// faultKindSchemas states for each kind of fault which keys it must and may have.
func faultKindSchemas() []*jsonschema.Schema {
	var all []*jsonschema.Schema
	for _, k := range fault.Kinds() {
		must, may := fault.Fields(k)
		var kind any = string(k)
		byRole := fault.RoleKey(k)
		always := slices.DeleteFunc(slices.Clone(must), func(key string) bool { return key == byRole })
		either := []*jsonschema.Schema{{Required: []string{byRole}}, {Required: []string{"role"}}}
		all = append(all, &jsonschema.Schema{
			If: &jsonschema.Schema{Properties: map[string]*jsonschema.Schema{"kind": {Const: &kind}}},
			Then: &jsonschema.Schema{Description: kindDescriptions[k], Required: always,
				OneOf:         either,
				PropertyNames: enumSchema(slices.Concat([]string{"kind", "at", "for"}, must, may)...)},
		})
	}
	return all
}
