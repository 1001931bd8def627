package watchdog

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func FuzzDecode(f *testing.F) {
	f.Add(encodeMessage(msgOpen, time.Second, ""))
	f.Add(encodeMessage(msgRefused, 0, "no device"))
	f.Add([]byte{})
	f.Add([]byte{msgFeed, 1, 2})
	f.Fuzz(func(t *testing.T, data []byte) {
		kind, at, text := decodeMessage(data)
		if len(data) < headerBytes {
			require.Zero(t, kind)
			return
		}
		require.Equal(t, data, encodeMessage(kind, at, text))
	})
}
