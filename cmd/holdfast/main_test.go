package main

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/holdfast-sim/holdfast/cmd/cli"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/library"
)

// TestLibraryIsOurs reads every story with the subjects of this program and checks it against the
// schema that this program prints.
func TestLibraryIsOurs(t *testing.T) {
	kinds := scenarios.Kinds{}
	for _, k := range config().Kinds {
		kinds[k.Name] = k.Decode
	}
	s := fullSchema(t)
	resolved, err := s.Resolve(nil)
	require.NoError(t, err)
	for _, name := range library.Names() {
		data, err := library.Get(name)
		require.NoError(t, err)
		_, _, err = scenarios.Parse(library.FileName(name), data, kinds)
		require.NoError(t, err)
		var value any
		require.NoError(t, yaml.Unmarshal(data, &value))
		text, err := json.Marshal(value)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, &value))
		require.NoError(t, resolved.Validate(value), name)
	}
}

func TestPartsAreDescribed(t *testing.T) {
	subject := fullSchema(t).Properties["subject"]
	require.Len(t, subject.AllOf, len(config().Kinds), "every subject describes its part")
	for _, part := range subject.AllOf {
		for name, property := range part.Then.Properties {
			require.True(t, name == "kind" || property.Description != "", name)
		}
	}
}

func fullSchema(t *testing.T) *jsonschema.Schema {
	c := config()
	var out bytes.Buffer
	c.Stdout = &out
	require.Equal(t, cli.ExitValid, cli.Run([]string{"scenario", "schema"}, c))
	var s jsonschema.Schema
	require.NoError(t, json.Unmarshal(out.Bytes(), &s))
	return &s
}
