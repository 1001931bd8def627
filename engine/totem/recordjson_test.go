package totem

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestRecordsWriteTheJSONThatTheyAreReadFrom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sent, delivered := rapid.Make[Sent]().Draw(t, "sent"), rapid.Make[Delivered]().Draw(t, "delivered")
		for _, r := range []interface{ AppendJSON([]byte) []byte }{sent, delivered} {
			want, err := json.Marshal(r)
			require.NoError(t, err)
			require.Equal(t, "before"+string(want), string(r.AppendJSON([]byte("before"))))
		}
	})
}
