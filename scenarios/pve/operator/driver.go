package operator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/initd"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/hostdriver"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// Driver drives real nodes with the HA manager, and is their operator: it does from the harness what
// the operator's process does in the simulator.
type Driver struct {
	*hostdriver.Driver
	operator *Operator
	dial     func(ctx context.Context, m scenarios.Machine) (scenarios.Conn, error)
}

// Operate puts the files into the store and carries out the commands, each at its time. It returns
// when all is done or the context ends. The records that it emits are the process's own.
func (d *Driver) Operate(ctx context.Context, machines []scenarios.Machine, now func() time.Duration,
	tell func(machine int, record env.Record)) {
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() {
		c := d.newConsole(ctx, machines[0], "outside/operator")
		defer c.close()
		if c.newScript().putFiles() {
			tell(0, haspec.OperatorDid{What: haspec.FilesInPlace})
		}
	})
	for i := range d.operator.commands {
		command := &d.operator.commands[i]
		on := slices.IndexFunc(machines, func(m scenarios.Machine) bool { return m.Name == command.On })
		all.Go(func() {
			c := d.newConsole(ctx, machines[on], fmt.Sprintf("outside/command-%d", i))
			defer c.close()
			due := c.machine.Timescale.Of(d.operator.warmup + command.At)
			if !c.sleep(due - now()) {
				return
			}
			if did, done := c.newScript().runCommand(command); done {
				tell(on, did)
			}
		})
	}
}

// Refuses lists what the scenario asks for and real nodes cannot do, each with its reason.
func (d *Driver) Refuses() []string {
	var all []string
	refuse := func(is bool, what, why string) {
		if is {
			all = append(all, what+": "+why+"; run it in the simulator")
		}
	}
	for i := range d.operator.commands {
		c := &d.operator.commands[i]
		switch c.Verb {
		case haspec.VerbShutdown, haspec.VerbReboot:
			refuse(true, c.Run, "on a real node, a program that ends by itself counts as a crash")
		case haspec.VerbStart, haspec.VerbMove:
			refuse(true, c.Run,
				"services of real nodes are programs that only the HA manager starts and moves")
		case haspec.VerbVersion:
			refuse(true, c.Run, "a node's version is that of its program")
		}
	}
	spec := d.operator.spec
	refuse(len(spec.Flaws) > 0, "flaws", "services of real nodes are programs and fail as they do")
	refuse(spec.Prepared, "prepared", "the manager of a real node runs from its first boot on")
	refuse(len(spec.Disabled) > 0, "disabled", "the manager of a real node starts with it")
	refuse(spec.IdleFactor > 1, "idle_factor", "the manager of a real node counts its rounds as usual")
	slices.Sort(all)
	return slices.Compact(all)
}

// newConsole returns a console of a machine; the name begins the ids of its requests.
func (d *Driver) newConsole(ctx context.Context, m scenarios.Machine, name string) *nodeConsole {
	return &nodeConsole{driver: d, ctx: ctx, machine: m, idPrefix: name}
}

// nodeConsole is a console of a real node. It dials the node's program when it needs it.
type nodeConsole struct {
	driver       *Driver
	ctx          context.Context // of the run
	machine      scenarios.Machine
	conn         scenarios.Conn
	idPrefix     string
	requestCount int
}

func (c *nodeConsole) newScript() *script {
	return &script{console: c, operator: c.driver.operator, machine: c.machine.Name}
}

func (c *nodeConsole) close() {
	if c.conn != nil {
		c.conn.Close()
	}
}

// sendTo has a process of the machine answer a request.
func (c *nodeConsole) sendTo(process string, request []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(c.ctx, timeout)
	defer cancel()
	if c.conn == nil {
		conn, err := c.driver.dial(ctx, c.machine)
		if err != nil {
			return nil, err
		}
		c.conn = conn
	}
	return c.conn.Do(ctx, process, request)
}

func (c *nodeConsole) callStore(r store.Request) (*store.Response, error) {
	c.requestCount++
	r.ID = fmt.Sprintf("%s/%d", c.idPrefix, c.requestCount)
	out, err := c.sendTo(store.Process, r.Encode())
	if err != nil {
		return nil, err
	}
	return store.DecodeResponse(out)
}

// askProcess asks the machine's init process, the only one that answers operations beside the store.
func (c *nodeConsole) askProcess(process string, request []byte) error {
	out, err := c.sendTo(process, request)
	if err != nil {
		return err
	}
	var answer initd.Answer
	if err := json.Unmarshal(out, &answer); err != nil {
		return fmt.Errorf("reading the answer of %s on %s: %w", process, c.machine.Name, err)
	}
	if !answer.OK {
		return errors.New(answer.Error)
	}
	return nil
}

func (c *nodeConsole) upgrade(haproc.Info, string) error {
	return errors.New("upgrading a real node: its version is that of its program")
}

func (c *nodeConsole) sleep(d time.Duration) bool {
	select {
	case <-c.ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// noteRetry drops the reason: real nodes log their own refusals.
func (c *nodeConsole) noteRetry(string, error) {}
