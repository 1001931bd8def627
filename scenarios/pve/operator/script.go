package operator

import (
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/initd"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// console is how the operator reaches the machine at which it sits. The simulator and real nodes have
// one implementation each.
type console interface {
	// callStore makes a request of the machine's store and returns the answer, also one that is a refusal; an
	// error means that there was no answer.
	callStore(r store.Request) (*store.Response, error)
	// askProcess gives a request to another process of the machine; an error means that it was not taken.
	askProcess(process string, request []byte) error
	// upgrade installs another version of the HA manager on the machine.
	upgrade(self haproc.Info, version string) error
	// sleep waits and reports whether the run still continues.
	sleep(d time.Duration) bool
	// noteRetry is informed that a step failed and will be tried again.
	noteRetry(what string, err error)
}

// script does the operator's work at one console.
type script struct {
	console
	operator *Operator
	machine  string // where the console is
}

// retryUntilDone tries a step until it succeeds; it returns false if the run ends before.
func (s *script) retryUntilDone(what string, step func() error) bool {
	for {
		err := step()
		if err == nil {
			return true
		}
		s.noteRetry(what, err)
		if !s.sleep(retryPause) {
			return false
		}
	}
}

// putFiles puts the files into the store, each unless it is there; it returns false if the run ends
// before.
func (s *script) putFiles() bool {
	files := s.operator.spec.Files()
	done, running := s.isFilePresent(files[len(files)-1].Path)
	if done || !running {
		return false
	}
	for _, f := range files {
		if f.Text == "" {
			continue
		}
		if !s.retryUntilDone(f.Path, func() error { return ignoreExists(s.create(f.Path, f.Text)) }) {
			return false
		}
	}
	return true
}

// isFilePresent reports whether a file is in the store, as soon as the store is quorate and has answered: an
// earlier incarnation of the operator has put it there. running is false if the run ends before.
func (s *script) isFilePresent(path string) (there, running bool) {
	for {
		if status, err := s.requestStore(store.Request{Op: store.OpStatus}); err == nil &&
			status.Status != nil &&
			status.Status.Quorate {
			_, err = s.requestStore(store.Request{Op: store.OpRead, Path: path})
			switch {
			case err == nil:
				return true, true
			case RefusedAs(err, tree.NotFound):
				return false, true
			}
		}
		if !s.sleep(retryPause) {
			return false, false
		}
	}
}

// runCommand carries out a command and returns the record of that; it is tried until it succeeds, or is
// refused for good because another guest has the number. It returns false if the run ends before.
func (s *script) runCommand(c *command) (haspec.OperatorDid, bool) {
	did := haspec.OperatorDid{What: c.Run}
	done := s.retryUntilDone(c.Run, func() error {
		err := s.attemptCommand(&c.ParsedCommand)
		if RefusedAs(err, tree.GuestExists) {
			did.Refused = err.Error()
			return nil
		}
		return err
	})
	return did, done
}

// attemptCommand carries out a command once.
func (s *script) attemptCommand(c *haspec.ParsedCommand) error {
	if r, isInit := initRequests[c.Verb]; isInit {
		return s.askProcess(initd.Process, r.Encode())
	}
	if path, change := fileEdit(c); change != nil {
		return s.edit(path, change)
	}
	switch c.Verb {
	case haspec.VerbCreate:
		return s.createGuest(c.SID, c.Node, c.State)
	case haspec.VerbStart:
		return s.askProcess(resource.HostProcess, resource.StartRequest(c.SID))
	case haspec.VerbMove:
		return s.moveGuest(c.SID, c.Node)
	case haspec.VerbReplaceMember:
		return s.replaceMember(c.Node)
	case haspec.VerbVersion:
		return s.upgrade(s.operator.spec.Self(s.machine), c.Version)
	}
	return s.editGuest(c.SID, guestEdit(c))
}

// initRequests are the commands to the machine's init process.
var initRequests = map[haspec.Verb]initd.Request{
	haspec.VerbShutdown:   {Verb: initd.Shutdown},
	haspec.VerbReboot:     {Verb: initd.Reboot},
	haspec.VerbRestartLRM: {Verb: initd.Restart, Service: haproc.LRMProcess},
	haspec.VerbStopCRM:    {Verb: initd.Stop, Service: haproc.CRMProcess},
	haspec.VerbStartCRM:   {Verb: initd.Start, Service: haproc.CRMProcess},
	haspec.VerbStopLRM:    {Verb: initd.Stop, Service: haproc.LRMProcess},
	haspec.VerbStartLRM:   {Verb: initd.Start, Service: haproc.LRMProcess},
	haspec.VerbLeave:      {Verb: initd.Leave},
}

// createGuest writes a guest's configuration and puts the guest under HA.
func (s *script) createGuest(sid, node, state string) error {
	err := s.create(haproc.GuestPath(sid, node), s.operator.spec.Guests[sid].Config())
	if err := ignoreExists(err); err != nil {
		return err
	}
	return s.edit(haproc.ResourcesPath, func(old string) (string, error) {
		added, err := withService(old, sid)
		if err != nil {
			return "", err
		}
		return WithProperty(added, sid, "state", state)
	})
}

// replaceMember gives the node of a machine its vote in the store back; without a new disk there is nothing
// to do yet.
func (s *script) replaceMember(machine string) error {
	answer, err := s.requestStore(store.Request{Op: store.OpStatus})
	if err != nil {
		return err
	}
	at := slices.Index(s.operator.machines, machine)
	if answer.Status == nil || at < 0 || at >= len(answer.Status.Config) {
		return fmt.Errorf("replacing %s: the store's configuration has no such node", machine)
	}
	m := answer.Status.Config[at]
	if m.Present == "" || m.Present == m.Incarnation {
		return fmt.Errorf("replacing %s: it runs no store without a vote", machine)
	}
	_, err = s.requestStore(store.Request{Op: store.OpReplaceMember, Node: m.Node, Incarnation: m.Present})
	return err
}

// editGuest changes a guest's configuration, wherever it is.
func (s *script) editGuest(sid string, change textEdit) error {
	node, err := s.findPlacement(sid)
	if err != nil {
		return err
	}
	if node == "" {
		return fmt.Errorf("changing %s: no node has its configuration", sid)
	}
	return s.edit(haproc.GuestPath(sid, node), change)
}

// findPlacement finds the node whose directory holds a guest's configuration; "" if there is none.
func (s *script) findPlacement(sid string) (string, error) {
	for _, node := range s.operator.machines {
		_, _, err := s.readStoreFile(haproc.GuestPath(sid, node))
		if err == nil {
			return node, nil
		}
		if !RefusedAs(err, tree.NotFound) {
			return "", err
		}
	}
	return "", nil
}

// moveGuest moves a guest that is on this machine: it ends here, and its configuration is moved.
func (s *script) moveGuest(sid, target string) error {
	source := haproc.GuestPath(sid, s.machine)
	_, _, err := s.readStoreFile(source)
	switch {
	case RefusedAs(err, tree.NotFound) || err == nil && target == s.machine:
		return nil
	case err != nil:
		return err
	}
	if err := s.askProcess(resource.HostProcess, resource.LeaveRequest(sid)); err != nil {
		return err
	}
	// The guests' host works in the order of requests, so a request to start the guest that arrives
	// during the pause finds it ended.
	s.sleep(retryPause)
	destination := haproc.GuestPath(sid, target)
	if err := s.mkdir(env.Dir(destination)); err != nil {
		return err
	}
	_, err = s.requestStore(store.Request{Op: tree.Rename.String(), Path: source, To: destination})
	return err
}
