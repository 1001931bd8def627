package watchdog

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func FuzzDecode(f *testing.F) {
	f.Add(encode(msgOpen, time.Second, ""))
	f.Add(encode(msgRefused, 0, "no device"))
	f.Add([]byte{})
	f.Add([]byte{msgFeed, 1, 2})
	f.Fuzz(func(t *testing.T, data []byte) {
		kind, at, text := decode(data)
		if len(data) < headerBytes {
			require.Zero(t, kind)
			return
		}
		require.Equal(t, data, encode(kind, at, text))
	})
}
