package resource

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// Fake drives the guests of a [Host] on the same machine. Offer every event of the process to Step.
type Fake struct {
	env        env.Env
	opts       GuestOptions
	idPrefix   string
	lastNumber uint64
	openCalls  map[string]*guestCall
}

type guestCall struct {
	messageArrived env.Signal
	hostEnded      bool
	answer         *guestAnswer
	percentDone    int
	awaitsCommit   bool // the host waits for the commit
}

// NewFake returns the driver.
func NewFake(e env.Env, o GuestOptions) *Fake {
	return &Fake{env: e, opts: o, openCalls: map[string]*guestCall{},
		idPrefix: strconv.FormatUint(e.Rand("fake-driver").Uint64(), 16) + "/"}
}

var _ Driver = (*Fake)(nil)

// Step takes an event if it is from the host, and reports whether it did.
func (f *Fake) Step(ev env.Event) bool {
	switch ev := ev.(type) {
	case env.LocalUp:
		return ev.Process == HostProcess
	case env.LocalDown:
		if ev.Process == HostProcess {
			f.endAllCalls()
			return true
		}
	case env.LocalMessage:
		if ev.From == HostProcess {
			f.onAnswer(ev.Payload)
			return true
		}
	}
	return false
}

func (f *Fake) onAnswer(payload []byte) {
	a, err := decodeAnswer(payload)
	if err != nil {
		f.env.Log().Error("an answer that cannot be read", "process", HostProcess, "err", err.Error())
		return
	}
	c := f.openCalls[a.ID]
	if c == nil {
		return
	}
	switch a.Stage {
	case "":
		c.hostEnded, c.answer = true, &a
	case stageProgress:
		c.percentDone = max(c.percentDone, a.Percent)
	case stageCommit:
		c.awaitsCommit = true
	}
	c.messageArrived.Raise()
}

// endAllCalls ends all calls: when the host ends, so do its guests.
func (f *Fake) endAllCalls() {
	for _, id := range sortedKeys(f.openCalls) {
		if c := f.openCalls[id]; c != nil {
			c.hostEnded = true
			c.messageArrived.Raise()
		}
	}
}

// sendRequest sends a request to the host.
func (f *Fake) sendRequest(t *env.Task, r guestRequest) error {
	for message := env.EncodeJSON(r); ; t.Sleep(time.Second) {
		err := f.env.Local(HostProcess, message)
		if err == nil {
			return nil
		}
		if !errors.Is(err, env.ErrLocalFull) {
			return ErrHostDown
		}
	}
}

// beginCall sends a request and registers it for its answer. end removes it.
func (f *Fake) beginCall(t *env.Task, r *guestRequest) (c *guestCall, end func(), err error) {
	f.lastNumber++
	r.ID = f.idPrefix + strconv.FormatUint(f.lastNumber, 10)
	c = &guestCall{}
	f.openCalls[r.ID] = c
	end = func() { delete(f.openCalls, r.ID) }
	if err := f.sendRequest(t, *r); err != nil {
		end()
		return nil, nil, err
	}
	return c, end, nil
}

// callHost sends a request and waits for its answer without a time limit: an action that may have begun must
// not count as not done.
func (f *Fake) callHost(t *env.Task, r guestRequest) (*guestAnswer, error) {
	c, end, err := f.beginCall(t, &r)
	if err != nil {
		return nil, err
	}
	defer end()
	for !c.hostEnded {
		t.Wait(&c.messageArrived, 0)
	}
	if c.answer == nil {
		return nil, ErrHostDown
	}
	return c.answer, nil
}

// Running implements Driver.
func (f *Fake) Running(t *env.Task, sid string) (bool, error) {
	s, err := f.Status(t, sid)
	return s.Running, err
}

// Status implements Driver.
func (f *Fake) Status(t *env.Task, sid string) (Status, error) {
	a, err := f.callHost(t, guestRequest{Op: opStatus, SID: sid})
	if err != nil {
		return Status{}, err
	}
	return Status{Running: a.Running, Incarnation: a.Incarnation, ExitCode: a.ExitCode}, nil
}

// Start implements Driver.
func (f *Fake) Start(t *env.Task, sid string, conf []byte) error {
	a, err := f.callHost(t, guestRequest{Op: opStart, SID: sid, Conf: conf})
	if err == nil && !a.Running {
		err = ErrFailed
	}
	return err
}

// Stop implements Driver.
func (f *Fake) Stop(t *env.Task, sid string, timeout time.Duration) error {
	a, err := f.callHost(t, guestRequest{Op: opStop, SID: sid, Timeout: timeout})
	if err == nil && a.Running {
		err = ErrFailed
	}
	return err
}

// cancelPoll is how often a migration checks whether it is still wanted.
const cancelPoll = 2 * time.Second

// canMigrate begins the sids of the guests that can move while they run. Containers cannot, because they
// share the machine's kernel.
const canMigrate = "vm:"

// Migrate implements Driver.
func (f *Fake) Migrate(t *env.Task, sid, target string, m *Migration) error {
	if !strings.HasPrefix(sid, canMigrate) {
		return ErrNoMigration
	}
	to := slices.Index(f.opts.Machines, target)
	if to < 0 || env.MachineID(to) == f.env.Self().Machine {
		return fmt.Errorf("%w: there is no other machine %q", ErrTarget, target)
	}
	r := guestRequest{Op: opMigrate, SID: sid, Target: env.MachineID(to), Timeout: m.Timeout}
	c, end, err := f.beginCall(t, &r)
	if err != nil {
		return err
	}
	defer end()
	reported, asked := 0, f.env.Mono()
	for !c.hostEnded {
		switch {
		case c.percentDone > reported:
			reported = c.percentDone
			if m.Progress != nil {
				m.Progress(reported)
			}
		case c.awaitsCommit:
			c.awaitsCommit = false
			commitErr := m.Commit()
			err = f.sendRequest(t, guestRequest{ID: r.ID, Op: opCommit, SID: sid, Handed: commitErr == nil,
				Lost: errors.Is(commitErr, ErrLost)})
		case m.Cancelled != nil && f.env.Mono()-asked >= cancelPoll:
			asked = f.env.Mono()
			if m.Cancelled() {
				err = f.sendRequest(t, guestRequest{ID: r.ID, Op: opCancel, SID: sid})
			}
		default:
			t.Wait(&c.messageArrived, cancelPoll)
		}
		if err != nil {
			return err
		}
	}
	if c.answer == nil {
		return ErrHostDown
	}
	return migrationError(c.answer)
}

func migrationError(a *guestAnswer) error {
	kind := ErrFailed
	switch a.Failed {
	case "":
		return nil
	case failedCancelled:
		kind = ErrCancelled
	case failedTimeout:
		kind = ErrTimeout
	case failedTarget:
		kind = ErrTarget
	case failedLost:
		kind = ErrLost
	case failedNotHere:
		return fmt.Errorf("%w: it does not run here", ErrFailed)
	case failedCommit:
		return fmt.Errorf("%w: it has not changed hands", ErrFailed)
	}
	if a.Detail == "" {
		return kind
	}
	return fmt.Errorf("%w: %s", kind, a.Detail)
}
