package pve

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/hostdriver"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// haDriver drives nodes with the HA manager: it does from outside what the operator's process does
// in the simulator.
type haDriver struct {
	*hostdriver.Driver
	spec     *haspec.Spec
	machines []string
	warmup   time.Duration
}

// Operate puts the files into place and does the operator's commands, each at its time.
func (d *haDriver) Operate(ctx context.Context, machines []scenarios.Machine, now func() time.Duration,
	tell func(machine int, record env.Record)) {
	var all sync.WaitGroup
	defer all.Wait()
	first := &console{driver: d, ctx: ctx, machine: machines[0], name: "outside/operator"}
	all.Go(func() {
		defer first.close()
		if first.setUp(d.spec) {
			tell(0, haspec.OperatorDid{What: haspec.FilesInPlace})
		}
	})
	for i, c := range d.spec.Commands {
		on := slices.IndexFunc(machines, func(m scenarios.Machine) bool { return m.Name == c.On })
		k := &console{driver: d, ctx: ctx, machine: machines[on], name: fmt.Sprintf("outside/command-%d", i)}
		all.Go(func() {
			defer k.close()
			due := k.machine.Timescale.Of(d.warmup + c.At)
			if k.pause(due-now()) && k.command(c.Run) {
				tell(on, haspec.OperatorDid{What: c.Run})
			}
		})
	}
}

// console is an operator's way to a machine's store.
type console struct {
	driver  *haDriver
	ctx     context.Context
	machine scenarios.Machine
	conn    scenarios.Conn
	name    string
	asked   int
}

func (c *console) close() {
	if c.conn != nil {
		c.conn.Close()
	}
}

// pause waits; false when the run has ended.
func (c *console) pause(d time.Duration) bool {
	select {
	case <-c.ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// errRefused is an answer of the store that is no success.
type errRefused struct{ code tree.Code }

func (e *errRefused) Error() string { return "the store says " + string(e.code) }

func refusedAs(err error, codes ...tree.Code) bool {
	var r *errRefused
	return errors.As(err, &r) && slices.Contains(codes, r.code)
}

// do has one process of the machine answer, over a connection that is made when it is needed.
func (c *console) do(ctx context.Context, process string, request []byte) ([]byte, error) {
	if c.conn == nil {
		conn, err := c.driver.Dial(ctx, c.machine)
		if err != nil {
			return nil, err
		}
		c.conn = conn
	}
	return c.conn.Do(ctx, process, request)
}

// ask makes one request of the store.
func (c *console) ask(r store.Request) (*store.Response, error) {
	c.asked++
	r.ID = fmt.Sprintf("%s/%d", c.name, c.asked)
	ctx, cancel := context.WithTimeout(c.ctx, operatorTimeout)
	defer cancel()
	out, err := c.do(ctx, store.Process, r.Encode())
	if err != nil {
		return nil, err
	}
	answer, err := store.DecodeResponse(out)
	if err == nil && !answer.OK {
		err = &errRefused{answer.Code}
	}
	return answer, err
}

// until does something until it succeeds; false when the run has ended before.
func (c *console) until(do func() error) bool {
	for c.ctx.Err() == nil {
		if do() == nil {
			return true
		}
		c.pause(retryPause)
	}
	return false
}

// setUp puts the files into the store, each unless it is there.
func (c *console) setUp(spec *haspec.Spec) bool {
	for _, f := range spec.Files() {
		if f.Text == "" {
			continue
		}
		if !c.until(func() error {
			err := c.put(f.Path, f.Text, 0)
			if refusedAs(err, tree.Exists, tree.RevisionMismatch) {
				return nil
			}
			return err
		}) {
			return false
		}
	}
	return true
}

// put writes a file that is at the expected revision, with the directories above it.
func (c *console) put(name, text string, expect uint64) error {
	if expect == 0 {
		if err := c.mkdir(path.Dir(name)); err != nil {
			return err
		}
	}
	_, err := c.ask(store.Request{Op: tree.CAS.String(), Path: name, Data: []byte(text), Expect: expect})
	return err
}

func (c *console) mkdir(dir string) error {
	if dir == "." || dir == "" {
		return nil
	}
	if err := c.mkdir(path.Dir(dir)); err != nil {
		return err
	}
	_, err := c.ask(store.Request{Op: tree.Mkdir.String(), Path: dir})
	if refusedAs(err, tree.Exists) {
		return nil
	}
	return err
}

// command does one thing; it is tried until the store takes it.
func (c *console) command(line string) bool {
	if words := strings.Fields(line); isOrder(words) {
		return c.until(func() error { return c.order(words) })
	}
	file, change := editOf(line)
	return c.until(func() error { return c.edit(file, change) })
}

// edit changes a file, or makes it.
func (c *console) edit(file string, change func(old string) (string, error)) error {
	var old string
	var revision uint64
	answer, err := c.ask(store.Request{Op: store.OpRead, Path: file})
	switch {
	case refusedAs(err, tree.NotFound):
	case err != nil:
		return err
	default:
		old, revision = string(answer.Entry.Data), answer.Entry.Mod
	}
	text, err := change(old)
	if err != nil {
		return err
	}
	return c.put(file, text, revision)
}
