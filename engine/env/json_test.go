package env_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
)

func TestEncodeJSON(t *testing.T) {
	require.Equal(t, `{"a":[1,2]}`, string(env.EncodeJSON(map[string][]int{"a": {1, 2}})))
	require.PanicsWithValue(t, "env: encoding chan int: json: unsupported type: chan int", func() {
		env.EncodeJSON(make(chan int))
	})
}
