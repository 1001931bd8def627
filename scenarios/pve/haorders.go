package pve

import (
	"errors"
	"fmt"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/initd"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/engine/store/client"
)

// Orders are what an operator does at a machine's console beyond the HA manager's commands: they
// concern the machine itself, its processes, or guests behind the HA manager's back.

// machineOrders are requests to the machine's init.
var machineOrders = map[string]initd.Request{
	"shutdown":    {Verb: initd.Shutdown},
	"reboot":      {Verb: initd.Reboot},
	"restart-lrm": {Verb: initd.Restart, Service: haproc.LRMProcess},
	"stop-crm":    {Verb: initd.Stop, Service: haproc.CRMProcess},
	"start-crm":   {Verb: initd.Start, Service: haproc.CRMProcess},
	"stop-lrm":    {Verb: initd.Stop, Service: haproc.LRMProcess},
	"start-lrm":   {Verb: initd.Start, Service: haproc.LRMProcess},
}

// Orders that concern guests.
const (
	orderCreate  = "create"  // SID NODE STATE: a new guest, looked after by the HA manager
	orderLock    = "lock"    // SID NAME
	orderUnlock  = "unlock"  // SID
	orderResize  = "resize"  // SID CORES MIB
	orderStart   = "start"   // SID, on this machine
	orderMove    = "move"    // SID NODE, away from this machine if it is here
	orderVersion = "version" // V: this machine has that version of the HA manager from now on
)

// orderWords is how many words an order has.
var orderWords = map[string]int{orderCreate: 4, orderLock: 3, orderUnlock: 2, orderResize: 4,
	orderStart: 2, orderMove: 3, orderVersion: 2}

// isOrder says whether a command is one of these.
func isOrder(words []string) bool {
	_, machine := machineOrders[words[0]]
	return machine && len(words) == 1 || orderWords[words[0]] == len(words) && len(words) > 0
}

// order carries one out; an error means that it is to be tried again.
func (o *operator) order(t *env.Task, words []string) error {
	if r, machine := machineOrders[words[0]]; machine {
		return o.env.Local(initd.Process, r.Encode())
	}
	switch words[0] {
	case orderCreate:
		return o.createGuest(t, words[1], words[2], words[3])
	case orderStart:
		return o.env.Local(resource.HostProcess, resource.StartRequest(words[1]))
	case orderMove:
		return o.moveGuest(t, words[1], words[2])
	case orderVersion:
		return haproc.Upgrade(t, o.env, o.store, o.machine, o.spec.Self(o.machine), words[1])
	}
	return o.editGuest(t, words[1], func(old string) (string, error) { return changedGuest(old, words) })
}

// createGuest makes a guest's configuration, and lets the HA manager look after it.
func (o *operator) createGuest(t *env.Task, sid, node, state string) error {
	err := o.create(t, haproc.GuestPath(sid, node), o.spec.Guests[sid].Config())
	if err != nil && !errors.Is(err, client.ErrChanged) {
		return err
	}
	return o.edit(t, haproc.ResourcesPath, func(old string) (string, error) {
		return created(old, []string{orderCreate, sid, node, state})
	})
}

// created is ha/resources.cfg with the service that an order creates.
func created(old string, words []string) (string, error) {
	added, err := changeService(old, []string{"add", words[1]})
	if err != nil {
		return "", err
	}
	return changeService(added, []string{"set", words[1], "state", words[3]})
}

// home finds the node whose directory holds a guest's configuration; "" when there is none.
func (o *operator) home(t *env.Task, sid string) (string, error) {
	for _, n := range o.machines {
		_, _, err := o.store.Read(t, haproc.GuestPath(sid, n))
		if err == nil {
			return n, nil
		}
		if !errors.Is(err, client.ErrNotFound) {
			return "", err
		}
	}
	return "", nil
}

func (o *operator) editGuest(t *env.Task, sid string, change func(string) (string, error)) error {
	node, err := o.home(t, sid)
	if err != nil {
		return err
	}
	if node == "" {
		return fmt.Errorf("changing %s: its configuration is nowhere", sid)
	}
	return o.edit(t, haproc.GuestPath(sid, node), change)
}

// moveGuest moves a guest that is on this machine: it ends here, and its configuration goes over.
func (o *operator) moveGuest(t *env.Task, sid, target string) error {
	source := haproc.GuestPath(sid, o.machine)
	_, _, err := o.store.Read(t, source)
	switch {
	case errors.Is(err, client.ErrNotFound) || err == nil && target == o.machine:
		return nil
	case err != nil:
		return err
	}
	if err := o.env.Local(resource.HostProcess, resource.LeaveRequest(sid)); err != nil {
		return err
	}
	t.Sleep(retryPause) // what was asked first is done first; nothing else starts it meanwhile
	if err := o.store.Mkdir(t, env.Dir(haproc.GuestPath(sid, target))); err != nil {
		return err
	}
	return o.store.Rename(t, source, haproc.GuestPath(sid, target))
}

// changedGuest is a guest's configuration after an order.
func changedGuest(old string, words []string) (string, error) {
	switch words[0] {
	case orderLock:
		return withLine(old, "lock", words[2]), nil
	case orderUnlock:
		return withLine(old, "lock", ""), nil
	}
	return resized(old, words)
}

func resized(old string, words []string) (string, error) {
	if len(words) != orderWords[orderResize] {
		return "", fmt.Errorf("write resize SID CORES MIB")
	}
	for _, number := range words[2:] {
		if strings.Trim(number, "0123456789") != "" {
			return "", fmt.Errorf("%q is no size", number)
		}
	}
	return withLine(withLine(old, "cores", words[2]), "memory", words[3]), nil
}

// withLine gives a key of a configuration a value, or takes it out.
func withLine(text, key, value string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, key+":") {
			out.WriteString(line)
		}
	}
	if value != "" {
		fmt.Fprintf(&out, "%s: %s\n", key, value)
	}
	return out.String()
}
