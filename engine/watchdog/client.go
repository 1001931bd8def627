package watchdog

import (
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// Client is a process's connection to the multiplexer. Offer every event of the process to Step.
type Client struct {
	env           env.Env
	answered      env.Signal
	askedAt       time.Duration // the instant that the request in progress names
	answerKind    byte
	refusalReason string
	isOpen        bool
}

// NewClient returns a client without a connection.
func NewClient(e env.Env) *Client { return &Client{env: e} }

// openTimeout is how long the multiplexer may take to answer.
const openTimeout = 5 * time.Second

// Step takes an event if it is from the multiplexer, and reports whether it did.
func (c *Client) Step(ev env.Event) bool {
	switch ev := ev.(type) {
	case env.LocalMessage:
		if ev.From != Process {
			return false
		}
		// A multiplexer that was stalled answers everything that it was asked meanwhile. Only the answer
		// to the newest request counts; the client gave up the others long ago.
		kind, at, text := decodeMessage(ev.Payload)
		if (kind == msgOpened || kind == msgRefused) && at == c.askedAt {
			c.answerKind, c.refusalReason = kind, text
			c.answered.Raise()
		}
		return true
	case env.LocalUp:
		return ev.Process == Process
	case env.LocalDown:
		if ev.Process != Process {
			return false
		}
		if !c.isOpen {
			c.answerKind, c.refusalReason = msgRefused, "the watchdog process ended"
			c.answered.Raise()
		}
		return true
	}
	return false
}

// Open opens the connection. Its time counts from the given instant of the monotonic clock. After Open
// returns nil, the machine is reset if the client is not fed in time.
func (c *Client) Open(t *env.Task, from time.Duration) error {
	c.askedAt, c.answerKind, c.refusalReason = from, 0, ""
	if err := c.env.Local(Process, encodeMessage(msgOpen, from, "")); err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	until := c.env.Mono() + openTimeout
	for c.answerKind == 0 {
		left := until - c.env.Mono()
		if left <= 0 || !t.Wait(&c.answered, left) && c.answerKind == 0 {
			// The connection may be open all the same. Then this closes it, because messages keep their
			// order.
			_ = c.env.Local(Process, encodeMessage(msgClose, from, ""))
			return fmt.Errorf("%w: no answer within %v", ErrRefused, openTimeout)
		}
	}
	if c.answerKind != msgOpened {
		return fmt.Errorf("%w: %s", ErrRefused, c.refusalReason)
	}
	c.isOpen = true
	return nil
}

// Feed reports that the client was healthy at an instant of the monotonic clock.
func (c *Client) Feed(from time.Duration) {
	if c.isOpen {
		_ = c.env.Local(Process, encodeMessage(msgFeed, from, "")) // a lost feed leads to a reset, as it must
	}
}

// Close ends the protection without a reset.
func (c *Client) Close() {
	if c.isOpen {
		c.isOpen = false
		_ = c.env.Local(Process, encodeMessage(msgClose, 0, ""))
	}
}
