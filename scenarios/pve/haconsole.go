package pve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/initd"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

// Refuses lists what the scenario asks for and real nodes cannot do.
func (d *haDriver) Refuses() []string {
	var all []string
	refuse := func(is bool, what, why string) {
		if is {
			all = append(all, what+": "+why)
		}
	}
	for _, c := range d.spec.Commands {
		words := strings.Fields(c.Run)
		if !isOrder(words) {
			continue
		}
		verb := words[0]
		refuse(verb == initd.Shutdown || verb == initd.Reboot, c.Run,
			"a node's program that ends by itself counts as a crash here; run it in the simulator")
		refuse(verb == orderStart || verb == orderMove, c.Run,
			"services of real nodes are programs that only the HA manager starts and moves; run it in the simulator")
		refuse(verb == orderVersion, c.Run, "a node's version is that of its program; run it in the simulator")
	}
	refuse(len(d.spec.Flaws) > 0, "flaws", "services of real nodes are programs and fail as they do; run it in the simulator")
	refuse(d.spec.Prepared, "prepared", "the manager of a real node runs from its first boot on; run it in the simulator")
	refuse(len(d.spec.Disabled) > 0, "disabled", "the manager of a real node starts with it; run it in the simulator")
	slices.Sort(all)
	return slices.Compact(all)
}

// order carries out an order at a machine's console; an error means that it is to be tried again.
func (c *console) order(words []string) error {
	if r, machine := machineOrders[words[0]]; machine {
		return c.askInit(r)
	}
	spec := c.driver.spec
	if words[0] == orderCreate {
		err := c.put(haproc.GuestPath(words[1], words[2]), spec.Guests[words[1]].Config(), 0)
		if err != nil && !refusedAs(err, tree.Exists, tree.RevisionMismatch) {
			return err
		}
		return c.edit(haproc.ResourcesPath, func(old string) (string, error) { return created(old, words) })
	}
	for _, m := range c.driver.machines {
		path := haproc.GuestPath(words[1], m)
		_, err := c.ask(store.Request{Op: store.OpRead, Path: path})
		if err == nil {
			return c.edit(path, func(old string) (string, error) { return changedGuest(old, words) })
		}
		if !refusedAs(err, tree.NotFound) {
			return err
		}
	}
	return fmt.Errorf("changing %s: its configuration is nowhere", words[1])
}

// askInit asks the machine's init for something.
func (c *console) askInit(r initd.Request) error {
	ctx, cancel := context.WithTimeout(c.ctx, operatorTimeout)
	defer cancel()
	out, err := c.do(ctx, initd.Process, r.Encode())
	if err != nil {
		return err
	}
	var answer initd.Answer
	if err := json.Unmarshal(out, &answer); err != nil {
		return fmt.Errorf("reading the answer of the init of %s: %w", c.machine.Name, err)
	}
	if !answer.OK {
		return errors.New(answer.Error)
	}
	return nil
}
