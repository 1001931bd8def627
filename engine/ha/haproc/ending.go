package haproc

import (
	"errors"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/initd"
)

// lateSeconds is how much later a round, a command or a result comes that is late, on the HA manager's clock.
const lateSeconds = 7

// errRoundsEnded is the reason with which a process ends that must be started again.
var errRoundsEnded = errors.New("shutdown request carried out")

// takeOrder takes the order to end. The first order counts, but an order to stay ended, such as the one
// at a shutdown of the machine, is never revoked, and an order because the machine goes down replaces one to
// restart, which may take as long as a migration.
func (c *core) takeOrder(payload []byte) {
	order, err := initd.DecodeOrder(payload)
	if err != nil {
		c.env.Log().Error("an order cannot be read", "err", err.Error())
		return
	}
	if c.endOrder == nil {
		c.endOrder = &order
		c.wakeForRound.Raise()
		return
	}
	order.Stay = order.Stay || c.endOrder.Stay
	if order.Down && !c.endOrder.Down {
		c.endOrder, c.orderReplaced = &order, true
		c.wakeForRound.Raise()
		return
	}
	c.endOrder.Stay = order.Stay
}

// sleepAt waits where a site takes its rare path.
func (c *core) sleepAt(t *env.Task, site string) {
	if env.Buggify(c.env, site) {
		t.Sleep(c.scaledSeconds(lateSeconds))
	}
}

// runRounds makes rounds until one of them is the last. The pause after a round counts from the
// beginning of that round. It ends early when an order arrives, or when a fencing was confirmed or has
// failed. Before the round that follows an order, or its replacement, runRounds calls shutdown.
func (c *core) runRounds(t *env.Task, shutdown func(), round func() ha.Round) {
	for ordered := false; ; {
		started := c.env.Mono()
		if c.orderReplaced || !ordered && c.endOrder != nil {
			ordered, c.orderReplaced = true, false
			shutdown()
		}
		c.sleepAt(t, "ha/late-round")
		r := round()
		if r.Exit {
			c.exitProcess(r.Unfinished)
			return
		}
		if ordered || c.endOrder == nil {
			t.Wait(&c.wakeForRound, max(started+c.scaledSeconds(r.PauseSeconds)-c.env.Mono(), 1))
		}
	}
}

// exitProcess ends the process. It stays ended if the order demands it. If something may run on, the init
// process must know before: the node must not leave its ring then.
func (c *core) exitProcess(unfinished bool) {
	if unfinished {
		c.env.Log().Warn("services of this node may run on")
		if err := c.env.Local(initd.Process, initd.Request{Verb: initd.Unfinished}.Encode()); err != nil {
			c.env.Log().Error("the init process does not know that services may run on", "err", err.Error())
		}
	}
	if c.endOrder != nil && c.endOrder.Stay {
		c.env.Exit(env.ErrStopped)
		return
	}
	c.env.Exit(errRoundsEnded)
}

// NodeShutdown implements ha.LRMEnv.
func (w *storeEnv) NodeShutdown() (down, reboot bool) {
	if w.endOrder == nil {
		return false, false
	}
	return w.endOrder.Down, w.endOrder.Reboot
}
