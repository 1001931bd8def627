package status

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

// Limits of what a node may publish.
const (
	// MaxKeys bounds the keys of one node, MaxKeyBytes the length of each.
	MaxKeys     = 32
	MaxKeyBytes = 64
	// MaxValueBytes bounds one value.
	MaxValueBytes = 32 << 10
	// maxMessageBytes bounds one message of a node.
	maxMessageBytes = 256 << 10
)

// ErrMalformed means that a message cannot be decoded.
var ErrMalformed = errors.New("malformed status message")

// announcement is what a node multicasts: all its values.
type announcement struct {
	// Ask requests that all other nodes send, too.
	Ask    bool                       `json:"ask,omitempty"`
	Values map[string]json.RawMessage `json:"values,omitempty"`
}

// Operations of local processes.
const (
	opSet = "set"
	opGet = "get"
)

// request is what a local process asks for. For opGet it gets an answer.
type request struct {
	ID    uint64          `json:"id,omitempty"`
	Op    string          `json:"op"`
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value,omitempty"` // null or absent removes the key
}

type answer struct {
	ID    uint64                          `json:"id"`
	Nodes map[ring.NodeID]json.RawMessage `json:"nodes,omitempty"`
}

// decodeAnnouncement reads another node's message.
func decodeAnnouncement(data []byte) (s announcement, err error) {
	if len(data) > maxMessageBytes {
		return s, fmt.Errorf("%w: %d bytes, at most %d", ErrMalformed, len(data), maxMessageBytes)
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if len(s.Values) > MaxKeys {
		return s, fmt.Errorf("%w: %d keys, at most %d", ErrMalformed, len(s.Values), MaxKeys)
	}
	for key, value := range s.Values {
		if err := checkValue(key, value); err != nil {
			return s, err
		}
	}
	return s, nil
}

// decodeRequest reads a local process's message.
func decodeRequest(data []byte) (r request, err error) {
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if r.Op != opSet && r.Op != opGet {
		return r, fmt.Errorf("%w: operation %q", ErrMalformed, r.Op)
	}
	if string(r.Value) == "null" {
		r.Value = nil
	}
	return r, checkValue(r.Key, r.Value)
}

func checkValue(key string, value json.RawMessage) error {
	switch {
	case key == "" || len(key) > MaxKeyBytes:
		return fmt.Errorf("%w: a key of %d bytes, must be 1 to %d", ErrMalformed, len(key), MaxKeyBytes)
	case len(value) > MaxValueBytes:
		return fmt.Errorf("%w: the value of %q has %d bytes, at most %d", ErrMalformed, key, len(value),
			MaxValueBytes)
	}
	return nil
}
