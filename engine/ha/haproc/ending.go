package haproc

import (
	"errors"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/initd"
)

// errDone is why a process ends that is to be started anew.
var errDone = errors.New("shutdown request carried out")

// takeOrder takes the order to end. The first one counts, but a machine that goes down goes down.
func (c *core) takeOrder(payload []byte) {
	order, err := initd.DecodeOrder(payload)
	if err != nil {
		c.env.Log().Error("an order cannot be read", "err", err.Error())
		return
	}
	if c.order == nil {
		c.order = &order
		c.wake.Raise()
		return
	}
	c.order.Stay = c.order.Stay || order.Stay
}

// pause waits for the next round, or for what is worth one earlier: an order that this one has not
// heard of is.
func (c *core) pause(t *env.Task, d time.Duration, heard bool) {
	if heard || c.order == nil {
		t.Wait(&c.wake, max(d, 1))
	}
}

// exit ends the process, for good if that is what was wanted.
func (c *core) exit() {
	if c.order != nil && c.order.Stay {
		c.env.Exit(env.ErrStopped)
		return
	}
	c.env.Exit(errDone)
}

// NodeShutdown implements ha.LRMEnv.
func (w *storeEnv) NodeShutdown() (down, reboot bool) {
	if w.order == nil {
		return false, false
	}
	return w.order.Down, w.order.Reboot
}
