package watchdog

import (
	"encoding/binary"
	"time"
)

// Messages consist of a letter, the instant from which they count, and text.
const (
	msgOpen    = 'o'
	msgFeed    = 'f'
	msgClose   = 'V' // an end without it counts as the client's death
	msgOpened  = 'k'
	msgRefused = 'r'
)

const headerBytes = 9

func encodeMessage(kind byte, at time.Duration, text string) []byte {
	b := binary.LittleEndian.AppendUint64([]byte{kind}, uint64(at))
	return append(b, text...)
}

// decodeMessage reads a message; kind is 0 if it is malformed.
func decodeMessage(data []byte) (kind byte, at time.Duration, text string) {
	if len(data) < headerBytes {
		return 0, 0, ""
	}
	return data[0], time.Duration(binary.LittleEndian.Uint64(data[1:])), string(data[headerBytes:])
}
