package world

import (
	"iter"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
	"github.com/holdfast-sim/holdfast/sim/choice"
	"github.com/holdfast-sim/holdfast/sim/kernel"
)

// Client is a coroutine outside of the machines that calls processes. It implements
// workload.ClientEnv.
type Client struct {
	world     *World
	stream    string
	latencies *choice.List
	record    func(history.Event)
	next      func() (struct{}, bool)
	yield     func(struct{}) bool
	wait      uint64 // changes with every wait, so that a wake of an earlier wait is recognized
	pending   *call
	stopped   bool // every sleep returns at once
	ended     bool // every call returns at once, too
	done      bool
	err       error
}

// call is one request of a client.
type call struct {
	client *Client
	wait   uint64
	done   bool
	output []byte
	err    error
}

// Client codes.
const (
	codeResume = iota
	codeAnswer
	codeDeadline
)

// A request or an answer takes at least requestLatencyMin between a client and the process that it
// calls, and less than requestLatencySpan more.
const (
	requestLatencyMin  = 20 * time.Microsecond
	requestLatencySpan = 40 * time.Microsecond
)

// Go starts a client. Its body runs until its first wait when the simulation begins.
func (w *World) Go(name string, record func(history.Event), body func(*Client) error) *Client {
	c := &Client{world: w, stream: "client/" + name, record: record,
		latencies: w.Choices.List("client/"+name, "latency")}
	c.next, _ = iter.Pull(func(yield func(struct{}) bool) {
		c.yield = yield
		c.err = body(c)
	})
	w.Kernel.After(0, c, codeResume, 0)
	return c
}

var _ kernel.Handler = (*Client)(nil)

// Handle implements kernel.Handler.
func (c *Client) Handle(code uint32, turn uint64) {
	if turn != c.wait || c.done {
		return
	}
	if code == codeDeadline {
		c.pending.err = workload.ErrTimeout
	}
	c.resume()
}

func (c *Client) resume() {
	c.wait++
	if _, alive := c.next(); !alive {
		c.done = true
		if c.err != nil {
			c.world.stopWithFinding(c.err)
		}
	}
}

// Done reports whether the body has returned.
func (c *Client) Done() bool { return c.done }

// Stop makes this and every later sleep return workload.ErrStopped.
func (c *Client) Stop() {
	c.stopped = true
	if !c.done && c.pending == nil {
		c.world.Kernel.After(0, c, codeResume, c.wait)
	}
}

// End makes the body return: a call that it waits for is stopped.
func (c *Client) End() {
	c.stopped, c.ended = true, true
	if c.pending != nil {
		c.pending.err = workload.ErrStopped
	}
	for !c.done {
		c.resume()
	}
}

// Now implements workload.ClientEnv.
func (c *Client) Now() time.Duration { return c.world.Now() }

// Sleep implements workload.ClientEnv.
func (c *Client) Sleep(d time.Duration) error {
	if c.stopped {
		return workload.ErrStopped
	}
	c.world.Kernel.After(max(int64(d), 0), c, codeResume, c.wait)
	c.yield(struct{}{})
	if c.stopped {
		return workload.ErrStopped
	}
	return nil
}

// Do implements workload.ClientEnv.
func (c *Client) Do(machine int, process string, input []byte, timeout time.Duration) ([]byte, error) {
	if c.ended {
		return nil, workload.ErrStopped
	}
	w := c.world
	m := w.machines[machine]
	target := m.Proc(process)
	if target == nil || !m.on {
		// A machine without power does not answer; the client's library gives up after a while.
		return nil, c.refusedAfter()
	}
	k := &call{client: c, wait: c.wait}
	c.pending = k
	slot := w.newPacket(packet{kind: packetCall, to: target, call: k, payload: w.copyOf(input)})
	w.Kernel.After(c.latency(), target, codePacket, uint64(slot))
	w.Kernel.After(int64(timeout), c, codeDeadline, c.wait)
	c.yield(struct{}{})
	c.pending = nil
	return k.output, k.err
}

func (c *Client) refusedAfter() error {
	c.world.Kernel.After(c.latency(), c, codeResume, c.wait)
	c.yield(struct{}{})
	if c.ended {
		return workload.ErrStopped
	}
	return workload.ErrRefused
}

func (c *Client) latency() int64 {
	return int64(requestLatencyMin) + int64(c.latencies.Choose(uint64(requestLatencySpan)))
}

// Choices implements workload.ClientEnv.
func (c *Client) Choices(label string) draw.Chooser { return c.world.Choices.List(c.stream, label) }

// Append implements workload.ClientEnv.
func (c *Client) Append(e history.Event) {
	e.Time = int64(c.world.Now())
	c.record(e)
}

// answer passes an answer to the client; refuse and reset make the call fail without one.
func (k *call) answer(output []byte) { k.finish(append([]byte(nil), output...), nil) }
func (k *call) refuse()              { k.finish(nil, workload.ErrRefused) }
func (k *call) reset()               { k.finish(nil, workload.ErrReset) }

func (k *call) finish(output []byte, err error) {
	c := k.client
	if c.pending != k || c.wait != k.wait || k.done {
		return // the client has given up
	}
	k.done, k.output, k.err = true, output, err
	c.world.Kernel.After(c.latency(), c, codeAnswer, k.wait)
}

// resetCalls breaks the connections of every call that the process has not answered.
func (p *Proc) resetCalls() {
	for op := env.OpID(1); op <= p.lastOp; op++ {
		if k := p.ops[op]; k != nil {
			k.reset()
		}
	}
	p.ops, p.lastOp = nil, 0
}
