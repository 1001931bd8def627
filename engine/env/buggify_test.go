package env_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// rare is an Env that asks for the rare path of one site.
type rare struct {
	env.Env
	site string
}

func (r rare) Buggify(site string) bool { return site == r.site }

func TestBuggify(t *testing.T) {
	plain := struct{ env.Env }{}
	require.False(t, env.Buggify(plain, "a"))
	require.Equal(t, 7, env.Limit(plain, "a", 7, 1))
	require.True(t, env.Buggify(rare{site: "a"}, "a"))
	require.Equal(t, 1, env.Limit(rare{site: "a"}, "a", 7, 1))
	require.Equal(t, 7, env.Limit(rare{site: "b"}, "a", 7, 1))
}
