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
	world        *World
	drawStream   string
	latencies    *choice.List
	recordEvent  func(history.Event)
	resumeFunc   func() (struct{}, bool)
	yieldFunc    func(struct{}) bool
	waitNumber   uint64 // changes with every wait, so that a wake of an earlier wait is recognized
	pendingCall  *call
	sleepsEnded  bool // every sleep returns at once
	callsEnded   bool // every call returns at once, too
	bodyReturned bool
	err          error
}

// call is one request of a client.
type call struct {
	client     *Client
	waitNumber uint64
	finished   bool
	output     []byte
	err        error
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
	c := &Client{world: w, drawStream: "client/" + name, recordEvent: record,
		latencies: w.Choices.List("client/"+name, "latency")}
	c.resumeFunc, _ = iter.Pull(func(yield func(struct{}) bool) {
		c.yieldFunc = yield
		c.err = body(c)
	})
	w.Kernel.After(0, c, codeResume, 0)
	return c
}

var _ kernel.Handler = (*Client)(nil)

// Handle implements kernel.Handler.
func (c *Client) Handle(code uint32, turn uint64) {
	if turn != c.waitNumber || c.bodyReturned {
		return
	}
	if code == codeDeadline {
		c.pendingCall.err = workload.ErrTimeout
	}
	c.resume()
}

func (c *Client) resume() {
	c.waitNumber++
	if _, alive := c.resumeFunc(); !alive {
		c.bodyReturned = true
		if c.err != nil {
			c.world.stopWithFinding(c.err)
		}
	}
}

// Done reports whether the body has returned.
func (c *Client) Done() bool { return c.bodyReturned }

// Stop makes this and every later sleep return workload.ErrStopped.
func (c *Client) Stop() {
	c.sleepsEnded = true
	if !c.bodyReturned && c.pendingCall == nil {
		c.world.Kernel.After(0, c, codeResume, c.waitNumber)
	}
}

// End makes the body return: a call that it waits for is stopped.
func (c *Client) End() {
	c.sleepsEnded, c.callsEnded = true, true
	if c.pendingCall != nil {
		c.pendingCall.err = workload.ErrStopped
	}
	for !c.bodyReturned {
		c.resume()
	}
}

// Now implements workload.ClientEnv.
func (c *Client) Now() time.Duration { return c.world.Now() }

// Sleep implements workload.ClientEnv.
func (c *Client) Sleep(d time.Duration) error {
	if c.sleepsEnded {
		return workload.ErrStopped
	}
	c.world.Kernel.After(max(int64(d), 0), c, codeResume, c.waitNumber)
	c.yieldFunc(struct{}{})
	if c.sleepsEnded {
		return workload.ErrStopped
	}
	return nil
}

// Do implements workload.ClientEnv.
func (c *Client) Do(machine int, process string, input []byte, timeout time.Duration) ([]byte, error) {
	if c.callsEnded {
		return nil, workload.ErrStopped
	}
	w := c.world
	w.lastCalled = machine
	m := w.machines[machine]
	target := m.Proc(process)
	if target == nil || !m.isOn {
		// A machine without power does not answer; the client's library gives up after a while.
		return nil, c.refuseAfter()
	}
	k := &call{client: c, waitNumber: c.waitNumber}
	c.pendingCall = k
	slot := w.newPacket(packet{kind: packetCall, to: target, call: k, payload: w.copyPayload(input)})
	w.Kernel.After(c.drawLatency(), target, codePacket, uint64(slot))
	w.Kernel.After(int64(timeout), c, codeDeadline, c.waitNumber)
	c.yieldFunc(struct{}{})
	c.pendingCall = nil
	return k.output, k.err
}

func (c *Client) refuseAfter() error {
	c.world.Kernel.After(c.drawLatency(), c, codeResume, c.waitNumber)
	c.yieldFunc(struct{}{})
	if c.callsEnded {
		return workload.ErrStopped
	}
	return workload.ErrRefused
}

func (c *Client) drawLatency() int64 {
	return int64(requestLatencyMin) + int64(c.latencies.Choose(uint64(requestLatencySpan)))
}

// Choices implements workload.ClientEnv.
func (c *Client) Choices(label string) draw.Chooser { return c.world.Choices.List(c.drawStream, label) }

// Append implements workload.ClientEnv.
func (c *Client) Append(e history.Event) {
	e.Time = int64(c.world.Now())
	c.recordEvent(e)
}

// finishAnswered passes an answer to the client; refuse and reset make the call fail without one.
func (k *call) finishAnswered(output []byte) { k.finish(append([]byte(nil), output...), nil) }
func (k *call) finishRefused()               { k.finish(nil, workload.ErrRefused) }
func (k *call) finishReset()                 { k.finish(nil, workload.ErrReset) }

func (k *call) finish(output []byte, err error) {
	c := k.client
	if c.pendingCall != k || c.waitNumber != k.waitNumber || k.finished {
		return // the client has given up
	}
	k.finished, k.output, k.err = true, output, err
	c.world.Kernel.After(c.drawLatency(), c, codeAnswer, k.waitNumber)
}

// resetCalls breaks the connections of every call that the process has not answered.
func (p *Proc) resetCalls() {
	for op := env.OpID(1); op <= p.lastOp; op++ {
		if k := p.pendingOps[op]; k != nil {
			k.finishReset()
		}
	}
	p.pendingOps, p.lastOp = nil, 0
}
