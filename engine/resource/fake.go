package resource

import (
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// Fake drives the guests of a [Host] on the same machine. Offer every event of the process to Step.
type Fake struct {
	env     env.Env
	opts    GuestOptions
	prefix  string
	number  uint64
	up      bool
	waiting map[string]*guestCall
}

type guestCall struct {
	done   env.Signal
	over   bool
	answer *guestAnswer
}

// NewFake makes the driver.
func NewFake(e env.Env, o GuestOptions) *Fake {
	return &Fake{env: e, opts: o, waiting: map[string]*guestCall{},
		prefix: strconv.FormatUint(e.Rand("fake-driver").Uint64(), 16) + "/"}
}

var _ Driver = (*Fake)(nil)

// Step takes an event if it is the host's and reports whether it did.
func (f *Fake) Step(ev env.Event) bool {
	switch ev := ev.(type) {
	case env.LocalUp:
		if ev.Process == HostProcess {
			f.up = true
			return true
		}
	case env.LocalDown:
		if ev.Process == HostProcess {
			f.up = false
			f.abandon()
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
	var a guestAnswer
	if err := json.Unmarshal(payload, &a); err != nil {
		f.env.Log().Error("an answer that cannot be read", "err", err.Error())
		return
	}
	if c := f.waiting[a.ID]; c != nil {
		c.over, c.answer = true, &a
		c.done.Raise()
	}
}

// abandon ends all calls: with the host its guests have ended.
func (f *Fake) abandon() {
	for n := uint64(1); n <= f.number; n++ {
		if c := f.waiting[f.prefix+strconv.FormatUint(n, 10)]; c != nil {
			c.over = true
			c.done.Raise()
		}
	}
}

// ask sends a request and waits for its answer, however long it takes: what may have begun must
// not be taken for not having happened.
func (f *Fake) ask(t *env.Task, r guestRequest) (bool, error) {
	f.number++
	r.ID = f.prefix + strconv.FormatUint(f.number, 10)
	payload, err := json.Marshal(&r)
	if err != nil {
		panic("resource: encoding a request: " + err.Error())
	}
	for err = f.env.Local(HostProcess, payload); errors.Is(err, env.ErrLocalFull); err = f.env.Local(HostProcess, payload) {
		t.Sleep(time.Second)
	}
	if err != nil {
		return false, ErrHostDown
	}
	c := &guestCall{}
	f.waiting[r.ID] = c
	defer delete(f.waiting, r.ID)
	for !c.over {
		t.Wait(&c.done, 0)
	}
	if c.answer == nil {
		return false, ErrHostDown
	}
	return c.answer.Running, nil
}

// Running implements Driver.
func (f *Fake) Running(t *env.Task, sid string) (bool, error) {
	return f.ask(t, guestRequest{Op: "running", SID: sid})
}

// Start implements Driver.
func (f *Fake) Start(t *env.Task, sid string, conf []byte) error {
	on, err := f.ask(t, guestRequest{Op: "start", SID: sid, Conf: conf})
	if err == nil && !on {
		err = ErrFailed
	}
	return err
}

// Stop implements Driver.
func (f *Fake) Stop(t *env.Task, sid string, timeout time.Duration) error {
	on, err := f.ask(t, guestRequest{Op: "stop", SID: sid, Timeout: timeout})
	if err == nil && on {
		err = ErrFailed
	}
	return err
}

// moveSteps is in how many pieces a guest's memory goes over.
const moveSteps = 10

// Migrate implements Driver. The guest's memory takes its time to go over; then it ends here, and
// the target's manager starts it there from its configuration.
func (f *Fake) Migrate(t *env.Task, sid, target string, m *Migration) error {
	begun := f.env.Mono()
	step := f.opts.MoveTime/2 + f.opts.MoveTime*time.Duration(f.env.Rand("move").Uint64()%takesSteps)/takesSteps
	for i := range moveSteps {
		switch {
		case m.Cancelled != nil && m.Cancelled():
			return ErrCancelled
		case m.Timeout > 0 && f.env.Mono()-begun >= m.Timeout:
			return ErrTimeout
		}
		t.Sleep(step / moveSteps)
		if m.Progress != nil {
			m.Progress((i + 1) * 100 / moveSteps)
		}
	}
	on, err := f.ask(t, guestRequest{Op: "leave", SID: sid})
	if err == nil && on {
		err = ErrFailed
	}
	return err
}
