package schema_test

import (
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/google/jsonschema-go/jsonschema"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/library"
	"github.com/holdfast-sim/holdfast/scenarios/schema"
)

var update = flag.Bool("update", false, "write scenario.schema.json anew")

func TestCommittedSchemaIsGenerated(t *testing.T) {
	made, err := schema.Generate()
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.WriteFile("scenario.schema.json", made, 0o644))
		return
	}
	require.Equal(t, string(made), string(schema.JSON),
		"the types have changed; run: go test ./scenarios/schema -update")
}

func resolved(t *testing.T) *jsonschema.Resolved {
	var s jsonschema.Schema
	require.NoError(t, json.Unmarshal(schema.JSON, &s))
	r, err := s.Resolve(nil)
	require.NoError(t, err)
	return r
}

// plain reads YAML as an editor does.
func plain(t *testing.T, text []byte) any {
	var value any
	require.NoError(t, yaml.Unmarshal(text, &value))
	data, err := json.Marshal(value)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &value))
	return value
}

func TestLibraryFitsTheSchema(t *testing.T) {
	r := resolved(t)
	for _, name := range library.Names() {
		data, err := library.Get(name)
		require.NoError(t, err)
		require.NoError(t, r.Validate(plain(t, data)), name)

		s, err := scenarios.ParseScenario(name, data)
		require.NoError(t, err)
		canonical, err := scenarios.Marshal(s)
		require.NoError(t, err)
		require.NoError(t, r.Validate(plain(t, canonical)), name)
	}
}

// TestSchemaRefusesBrokenFiles takes the broken files of package scenarios. Those that are wrong
// in their keys and types must not pass; what a schema cannot know is named here.
func TestSchemaRefusesBrokenFiles(t *testing.T) {
	r := resolved(t)
	refused := 0
	datadriven.RunTest(t, "../testdata/broken/keys-and-types", func(t *testing.T,
		d *datadriven.TestData) string {
		if !strings.Contains(d.Expected, "stands for the default") && !strings.Contains(d.Expected,
			"longer than") &&
			!strings.Contains(d.Expected, "101%") {
			require.Error(t, r.Validate(plain(t, []byte(d.Input))), d.Pos)
			refused++
		}
		return d.Expected
	})
	require.GreaterOrEqual(t, refused, 10)
}

func TestSchemaKnowsTheFieldsOfEachFault(t *testing.T) {
	r := resolved(t)
	file := func(fault string) any {
		return plain(t, []byte("{name: x, story: s, machines: 3, duration: 9s, subject: {kind: toy}, "+
			"faults: ["+fault+"]}"))
	}
	require.NoError(t, r.Validate(file("{kind: kill, at: 1s, machines: [n1], process: store}")))
	require.NoError(t, r.Validate(file("{kind: flap, at: 1s, from: [n1], to: [n2], up: 1s, down: 500ms}")))
	require.Error(t, r.Validate(file("{kind: kill, at: 1s, machines: [n1], loss: 5%}")))
	require.Error(t, r.Validate(file("{kind: kill, at: 1s}")))
	require.Error(t, r.Validate(file("{kind: kil, at: 1s, machines: [n1]}")))
	require.Error(t, r.Validate(file("{kind: pause, at: 1, machines: [n1]}")))
}

func TestEverythingIsDescribed(t *testing.T) {
	var s jsonschema.Schema
	require.NoError(t, json.Unmarshal(schema.JSON, &s))
	requireDescribed(t, "", &s)
}

func requireDescribed(t *testing.T, path string, s *jsonschema.Schema) {
	require.NotEmpty(t, s.Description, path)
	for name, property := range s.Properties {
		requireDescribed(t, path+"."+name, property)
	}
	if s.Items != nil {
		for name, property := range s.Items.Properties {
			requireDescribed(t, path+"[]."+name, property)
		}
		for i, kind := range s.Items.AllOf {
			require.NotEmpty(t, kind.Then.Description, "%s: kind %d", path, i)
		}
	}
}

// part is what a subject might read.
type part struct {
	Votes  map[string]uint32 `yaml:"votes,omitempty"`
	Token  time.Duration     `yaml:"token,omitempty"`
	Policy string            `yaml:"policy"`
}

func TestSubjectsBringTheirParts(t *testing.T) {
	made, err := schema.Generate(schema.Part{Kind: "toy", Type: reflect.TypeFor[part](),
		Descriptions: map[string]string{"policy": "How careful the toy is."}})
	require.NoError(t, err)
	require.Contains(t, string(made), "How careful the toy is.")
	var s jsonschema.Schema
	require.NoError(t, json.Unmarshal(made, &s))
	r, err := s.Resolve(nil)
	require.NoError(t, err)
	file := func(subject string) any {
		return plain(t, []byte("{name: x, story: s, machines: 3, duration: 9s, subject: {"+subject+"}}"))
	}
	require.NoError(t, r.Validate(file("kind: toy, policy: strict, votes: {n1: 2}, token: 3s")))
	require.NoError(t, r.Validate(file("kind: other, anything: [goes]")))
	require.Error(t, r.Validate(file("kind: toy")))
	require.Error(t, r.Validate(file("kind: toy, policy: strict, vote: {n1: 2}")))
	require.Error(t, r.Validate(file("kind: toy, policy: strict, votes: {n1: -2}")))
	require.Error(t, r.Validate(file("kind: toy, policy: strict, token: 3")))
}
