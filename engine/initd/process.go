package initd

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// Init is the process that shuts its machine down. It implements env.Process.
type Init struct {
	opts           Options
	env            env.Env
	machineControl env.MachineControl
	serviceUp      map[string]bool

	// downVerb is Shutdown or Reboot while the machine goes down. next is the service whose end the
	// process waits for, and asked is true once that service has received its order.
	downVerb     Verb
	nextService  int
	endRequested bool
}

// New prepares the process.
func New(o Options) *Init { return &Init{opts: o, serviceUp: map[string]bool{}} }

// Timers of the process.
const (
	timerRetry env.TimerID = 1 + iota
	timerWithin
)

// retryPause separates attempts to send an order to a process whose queue is full, and to switch
// the machine off.
const retryPause = time.Second

// Start implements env.Process.
func (p *Init) Start(e env.Env) error {
	p.env = e
	if host, ok := e.(env.MachineHost); ok {
		p.machineControl = host.Machine()
	}
	return nil
}

// Step implements env.Process.
func (p *Init) Step(ev env.Event) {
	switch ev := ev.(type) {
	case env.LocalUp:
		p.serviceUp[ev.Process] = true
		if at := p.opts.indexOf(ev.Process); p.downVerb != "" && at >= 0 && at <= p.nextService {
			p.nextService, p.endRequested = at, false // it was started again: continue from there
		}
		p.continueDown()
	case env.LocalDown:
		p.serviceUp[ev.Process] = false
		p.continueDown()
	case env.LocalMessage:
		if err := p.carryOut(ev.Payload); err != nil {
			p.env.Log().Error("a request is refused", "process", ev.From, "err", err.Error())
		}
	case env.Invoked:
		answer := Answer{OK: true}
		if err := p.carryOut(ev.Input); err != nil {
			answer = Answer{Error: err.Error()}
		}
		p.env.Complete(ev.Op, env.EncodeJSON(answer))
	case env.TimerFired:
		if ev.ID == timerWithin && p.downVerb != "" {
			p.env.Log().Warn("a process does not end in time", "process", p.opts.Services[p.nextService].Name)
			p.toNextService()
		}
		p.continueDown()
	}
}

// carryOut carries out a request or returns why it is refused.
func (p *Init) carryOut(payload []byte) error {
	var r Request
	if err := json.Unmarshal(payload, &r); err != nil {
		return fmt.Errorf("%w: %w", ErrRequest, err)
	}
	switch r.Verb {
	case Shutdown, Reboot:
		return p.goDown(r.Verb)
	case Restart, Stop, Start:
		if p.opts.indexOf(r.Service) < 0 {
			return fmt.Errorf("%w: %s %q; there is no such service", ErrRequest, r.Verb, r.Service)
		}
		if p.downVerb != "" {
			return fmt.Errorf("%s %s: the machine is going down", r.Verb, r.Service)
		}
		return p.carryOutForProcess(r)
	}
	return fmt.Errorf("%w: %q; write %s, %s, %s, %s or %s", ErrRequest, r.Verb, Shutdown, Reboot, Restart,
		Stop, Start)
}

// ErrNoControls means that the machine cannot be controlled from within.
var ErrNoControls = errors.New("nothing here can switch this machine off or start its processes: " +
	"use the service manager of its operating system")

// goDown starts to take the machine down. A second request changes nothing.
func (p *Init) goDown(verb Verb) error {
	if p.machineControl == nil {
		return ErrNoControls
	}
	if p.downVerb != "" {
		return nil
	}
	p.env.Log().Info("the machine goes down", "how", string(verb))
	p.env.Emit(GoingDown{Reboot: verb == Reboot})
	p.downVerb, p.nextService, p.endRequested = verb, 0, false
	p.continueDown()
	return nil
}

// carryOutForProcess carries out a request about one process.
func (p *Init) carryOutForProcess(r Request) error {
	switch {
	case r.Verb == Start && p.machineControl == nil:
		return ErrNoControls
	case r.Verb == Start:
		return p.machineControl.Start(r.Service)
	case !p.serviceUp[r.Service]:
		return nil // it has ended already
	}
	if err := p.env.Local(r.Service, env.EncodeJSON(Order{Stay: r.Verb == Stop})); err != nil {
		return fmt.Errorf("asking %s to end: %w", r.Service, err)
	}
	return nil
}

// toNextService continues with the next service.
func (p *Init) toNextService() {
	p.nextService++
	p.endRequested = false
	p.env.StopTimer(timerWithin)
}

// continueDown takes the machine down as far as possible without waiting.
func (p *Init) continueDown() {
	for p.downVerb != "" && p.nextService < len(p.opts.Services) {
		s := p.opts.Services[p.nextService]
		if p.serviceUp[s.Name] {
			p.askToStop(s)
			return
		}
		p.toNextService()
	}
	if p.downVerb == "" {
		return
	}
	if err := p.machineControl.PowerOff(p.downVerb == Reboot); err != nil {
		p.env.Log().Error("the machine cannot be switched off", "err", err.Error())
		p.env.SetTimer(timerRetry, retryPause)
	}
}

// askToStop sends a service its order to end, once in each incarnation of the service.
func (p *Init) askToStop(s Service) {
	if p.endRequested {
		return
	}
	order := Order{Down: true, Reboot: p.downVerb == Reboot, Stay: true}
	if err := p.env.Local(s.Name, env.EncodeJSON(order)); err != nil {
		p.env.SetTimer(timerRetry, retryPause)
		return
	}
	p.endRequested = true
	if s.Within > 0 {
		p.env.SetTimer(timerWithin, s.Within)
	}
}

// GoingDown is emitted when a machine starts to go down in order.
type GoingDown struct {
	Reboot bool `json:"reboot,omitempty"`
}

// RecordKind implements env.Record.
func (GoingDown) RecordKind() string { return "machine-going-down" }
