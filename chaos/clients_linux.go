package chaos

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// clients are the workload's clients, each on a goroutine.
type clients struct {
	wg      sync.WaitGroup
	stopped chan struct{}
}

func (r *run) startClients(ctx context.Context) *clients {
	s := r.result.Scenario
	all := &clients{stopped: make(chan struct{})}
	for i := range s.Workload.Clients {
		c := &client{run: r, ctx: ctx, stopped: all.stopped, drawLists: draw.Derive(r.options.Seed),
			name: fmt.Sprintf("client/c%d", i)}
		w := workload.Client{Number: i, Machines: s.Machines, Spec: s.Workload,
			Codec: r.result.Subject.Client(), Env: c}
		all.wg.Go(func() {
			defer c.close()
			if err := w.Run(); err != nil {
				r.addFinding("%v", err)
			}
		})
	}
	for _, a := range scenarios.Actors(r.result.Subject, r.options.Timescale) {
		c := &client{run: r, ctx: ctx, stopped: all.stopped, drawLists: draw.Derive(r.options.Seed),
			name: "client/" + a.Name}
		all.wg.Go(func() {
			defer c.close()
			if err := a.Run(c); err != nil {
				r.addFinding("%v", err)
			}
		})
	}
	return all
}

// stop makes every client return after its present call.
func (c *clients) stop() { close(c.stopped) }
func (c *clients) wait() { c.wg.Wait() }

// client is the environment of one client. It implements workload.ClientEnv.
type client struct {
	run         *run
	ctx         context.Context
	stopped     <-chan struct{}
	name        string
	drawLists   draw.Lists // of this client alone
	connections map[int]scenarios.Conn
}

var _ workload.ClientEnv = (*client)(nil)

// Now implements workload.ClientEnv.
func (c *client) Now() time.Duration { return c.run.now() }

// Sleep implements workload.ClientEnv.
func (c *client) Sleep(d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-c.stopped:
		return workload.ErrStopped
	case <-c.ctx.Done():
		return workload.ErrStopped
	case <-t.C:
		return nil
	}
}

// Do implements workload.ClientEnv.
func (c *client) Do(machine int, process string, input []byte, timeout time.Duration) ([]byte, error) {
	c.run.lastCalled.Store(int32(machine))
	ctx, cancel := context.WithTimeout(c.ctx, timeout)
	defer cancel()
	conn, err := c.dial(ctx, machine)
	if err != nil {
		return nil, workload.ErrRefused // nothing has been sent
	}
	output, err := conn.Do(ctx, process, input)
	if err == nil {
		return output, nil
	}
	conn.Close()
	delete(c.connections, machine)
	return nil, c.workloadError(err)
}

func (c *client) dial(ctx context.Context, machine int) (scenarios.Conn, error) {
	if conn := c.connections[machine]; conn != nil {
		return conn, nil
	}
	conn, err := c.run.driver.Dial(ctx, c.run.machines[machine].Machine)
	if err != nil {
		return nil, err
	}
	if c.connections == nil {
		c.connections = map[int]scenarios.Conn{}
	}
	c.connections[machine] = conn
	return conn, nil
}

// workloadError converts an error of a connection to an error of package workload.
func (c *client) workloadError(err error) error {
	switch {
	case errors.Is(err, workload.ErrRefused):
		return workload.ErrRefused
	case c.ctx.Err() != nil:
		return workload.ErrStopped
	case errors.Is(err, workload.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		return workload.ErrTimeout
	}
	return workload.ErrReset
}

func (c *client) close() {
	for _, conn := range c.connections {
		conn.Close()
	}
}

// Choices implements workload.ClientEnv.
func (c *client) Choices(label string) draw.Chooser {
	return c.drawLists(c.name, label)
}

// Append implements workload.ClientEnv.
func (c *client) Append(e history.Event) {
	c.run.history.AppendNow(e, func() int64 { return int64(c.run.now()) })
}

// audit asks every machine the final questions and reads, all machines at once.
func (r *run) audit(ctx context.Context) {
	answers := make([][]scenarios.Final, len(r.machines))
	var wg sync.WaitGroup
	for i, m := range r.machines {
		c := &client{run: r, ctx: ctx}
		s := r.result.Scenario
		audit := workload.Audit{Machine: i, Machines: s.Machines, Spec: s.Workload,
			Codec: r.result.Subject.Client(), Env: c, Answered: func(op workload.Op, out []byte, err error) {
				answers[i] = append(answers[i], scenarios.Final{Machine: m.ID, Op: op, Output: out, Err: err})
			}}
		wg.Go(func() {
			defer c.close()
			if err := audit.Run(); err != nil {
				r.addFinding("%v", err)
			}
		})
	}
	wg.Wait()
	for _, a := range answers {
		r.result.Finals = append(r.result.Finals, a...)
	}
}
