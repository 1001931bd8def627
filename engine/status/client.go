package status

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
)

// ErrUnavailable means that the status process did not answer.
var ErrUnavailable = errors.New("status process not available")

// maxOpenQuestions bounds the pending requests of one process.
const maxOpenQuestions = 64

// Client is a process's connection to its machine's status process. Offer every event of the process to
// Step.
type Client struct {
	env           env.Env
	values        map[string]json.RawMessage
	lastNumber    uint64
	openQuestions map[uint64]*question
}

type question struct {
	answered env.Signal
	answer   *answer
}

// NewClient returns a client without values.
func NewClient(e env.Env) *Client {
	return &Client{env: e, values: map[string]json.RawMessage{}, openQuestions: map[uint64]*question{}}
}

// Step takes an event if it is from the status process, and reports whether it did.
func (c *Client) Step(ev env.Event) bool {
	switch ev := ev.(type) {
	case env.LocalUp:
		if ev.Process != Process {
			return false
		}
		for _, key := range slices.Sorted(maps.Keys(c.values)) {
			c.sendSet(key) // the process that started has no values of this client
		}
		return true
	case env.LocalDown:
		return ev.Process == Process
	case env.LocalMessage:
		if ev.From != Process {
			return false
		}
		var a answer
		if err := json.Unmarshal(ev.Payload, &a); err != nil {
			c.env.Log().Error("an answer that cannot be read", "process", Process, "err", err.Error())
		} else if q := c.openQuestions[a.ID]; q != nil {
			q.answer = &a
			q.answered.Raise()
		}
		return true
	}
	return false
}

// Set publishes a value, which reaches the other nodes of the ring soon after. A nil value removes the
// key. The value must be JSON of at most [MaxValueBytes], the key 1 to [MaxKeyBytes] bytes.
func (c *Client) Set(key string, value json.RawMessage) error {
	if err := checkValue(key, value); err != nil {
		return fmt.Errorf("telling the other nodes: %w", err)
	}
	c.values[key] = value
	c.sendSet(key)
	return nil
}

func (c *Client) sendSet(key string) {
	// If the process does not run now, it gets the value when it starts.
	_ = c.env.Local(Process, env.EncodeJSON(request{Op: opSet, Key: key, Value: c.values[key]}))
}

// Get returns the values that the nodes of this node's ring published last. Nodes that have published
// nothing, or have left, are missing. It returns ErrUnavailable if there is no answer in time.
func (c *Client) Get(
	t *env.Task, key string, timeout time.Duration,
) (map[ring.NodeID]json.RawMessage, error) {
	if len(c.openQuestions) >= maxOpenQuestions {
		return nil, fmt.Errorf("%w: %d questions are open", ErrUnavailable, maxOpenQuestions)
	}
	c.lastNumber++
	id := c.lastNumber
	if err := c.env.Local(Process, env.EncodeJSON(request{ID: id, Op: opGet, Key: key})); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	q := &question{}
	c.openQuestions[id] = q
	defer delete(c.openQuestions, id)
	until := c.env.Mono() + timeout
	for q.answer == nil {
		left := until - c.env.Mono()
		if left <= 0 || !t.Wait(&q.answered, left) && q.answer == nil {
			return nil, fmt.Errorf("%w: no answer within %v", ErrUnavailable, timeout)
		}
	}
	return q.answer.Nodes, nil
}
