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
	// ordered are the services whose present incarnation has received its order to end, endedInOrder those
	// that have ended after it.
	ordered, endedInOrder map[string]order
	// unfinished are those that reported in their present incarnation that something of theirs runs on.
	unfinished map[string]bool

	// startsLater are the services that must start again when they, or the node, have ended: they were asked
	// to start while they ended.
	startsLater map[string]bool

	// downVerb is Shutdown or Reboot while the machine goes down, Leave while only the node does. nextService
	// is the service whose end the process waits for, and endRequested is true once that service has received
	// its order.
	downVerb     Verb
	nextService  int
	endRequested bool

	ringLeave ringLeave
}

// order is the order to end that a service received.
type order uint8

const (
	orderNone order = iota
	// orderStop ends the service alone: what it started may continue.
	orderStop
	// orderDown ends the service because its machine goes down: it ends what it started.
	orderDown
)

// New prepares the process.
func New(o Options) *Init {
	return &Init{opts: o, serviceUp: map[string]bool{}, ordered: map[string]order{},
		endedInOrder: map[string]order{}, unfinished: map[string]bool{}, startsLater: map[string]bool{}}
}

// Timers of the process.
const (
	timerRetry env.TimerID = 1 + iota
	timerWithin
	timerLeave
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
		p.onUp(ev.Process)
	case env.LocalDown:
		p.serviceUp[ev.Process] = false
		p.endedInOrder[ev.Process] = p.ordered[ev.Process]
		p.continueDown()
		p.startWaiting()
	case env.LocalMessage:
		if l := p.opts.Leave; l != nil && ev.From == l.Process {
			return // the end of another process is what counts
		}
		if p.noteUnfinished(ev) {
			return
		}
		if _, err := p.carryOut(ev.Payload); err != nil {
			p.env.Log().Error("a request is refused", "process", ev.From, "err", err.Error())
		}
	case env.Invoked:
		p.onOperation(ev)
	case env.TimerFired:
		p.onTimer(ev.ID)
	}
}

// noteUnfinished takes the report of a process that it ends although something runs on. It may arrive after
// the end of the process.
func (p *Init) noteUnfinished(m env.LocalMessage) bool {
	var r Request
	if json.Unmarshal(m.Payload, &r) != nil || r.Verb != Unfinished {
		return false
	}
	p.unfinished[m.From] = true
	return true
}

// onUp notes that a process runs. A service that was started again while the machine goes down is asked
// again.
func (p *Init) onUp(process string) {
	p.serviceUp[process], p.ordered[process], p.endedInOrder[process] = true, orderNone, orderNone
	delete(p.unfinished, process)
	delete(p.startsLater, process)
	if at := p.opts.indexOf(process); p.downVerb != "" && at >= 0 && at <= p.nextService {
		p.nextService, p.endRequested = at, false
	}
	p.continueDown()
}

func (p *Init) onOperation(ev env.Invoked) {
	answer := Answer{OK: true}
	verb, err := p.carryOut(ev.Input)
	switch {
	case err != nil:
		answer = Answer{Error: err.Error()}
	case verb == Leave && p.downVerb != "":
		p.ringLeave.waiting = append(p.ringLeave.waiting, ev.Op)
		return
	}
	p.env.Complete(ev.Op, env.EncodeJSON(answer))
}

func (p *Init) onTimer(id env.TimerID) {
	switch {
	case id == timerWithin && p.downVerb != "":
		p.env.Log().Warn("a process does not end in time", "process", p.opts.Services[p.nextService].Name)
		p.toNextService()
	case id == timerLeave && p.downVerb != "":
		p.ringLeave.timeIsUp = true
	}
	p.continueDown()
	p.startWaiting()
}

// carryOut carries out a request or returns why it is refused.
func (p *Init) carryOut(payload []byte) (Verb, error) {
	var r Request
	if err := json.Unmarshal(payload, &r); err != nil {
		return "", fmt.Errorf("%w: %w", ErrRequest, err)
	}
	return r.Verb, p.carryOutRequest(r)
}

func (p *Init) carryOutRequest(r Request) error {
	switch r.Verb {
	case Shutdown, Reboot, Leave:
		return p.goDown(r.Verb)
	case Restart, Stop, Start:
		if p.opts.indexOf(r.Service) < 0 {
			return fmt.Errorf("%w: %s %q; there is no such service", ErrRequest, r.Verb, r.Service)
		}
		if p.downVerb == Leave && r.Verb == Start && p.machineControl != nil {
			p.startsLater[r.Service] = true
			return nil
		}
		if p.downVerb != "" {
			return fmt.Errorf("%s %s: the machine is going down", r.Verb, r.Service)
		}
		return p.carryOutForProcess(r)
	}
	return fmt.Errorf("%w: %q; write %s, %s, %s, %s, %s or %s", ErrRequest, r.Verb, Shutdown, Reboot, Restart,
		Stop, Start, Leave)
}

// ErrNoControls means that the machine cannot be controlled from within.
var ErrNoControls = errors.New("nothing here can switch this machine off or start its processes: " +
	"use the service manager of its operating system")

// goDown starts to take the machine down, or only the node. A second request changes nothing, except that a
// node that leaves may be told to take its machine down as well.
func (p *Init) goDown(verb Verb) error {
	switch {
	case verb == Leave && p.opts.Leave == nil:
		return fmt.Errorf("%w: this machine is in no ring that it could leave", ErrRequest)
	case verb == Leave && len(p.ringLeave.waiting) >= maxLeaveRequests:
		return fmt.Errorf("leaving the ring: %d requests are waiting for that", maxLeaveRequests)
	case verb != Leave && p.machineControl == nil:
		return ErrNoControls
	case p.downVerb == Leave && verb != Leave:
		p.downVerb = verb
		return nil
	case p.downVerb != "":
		return nil
	}
	p.env.Log().Info("the machine goes down", "how", string(verb))
	if verb != Leave {
		p.env.Emit(GoingDown{Reboot: verb == Reboot})
	}
	p.downVerb, p.nextService, p.endRequested = verb, 0, false
	p.ringLeave = ringLeave{waiting: p.ringLeave.waiting}
	p.continueDown()
	return nil
}

// carryOutForProcess carries out a request about one process.
func (p *Init) carryOutForProcess(r Request) error {
	switch {
	case r.Verb == Start && p.machineControl == nil:
		return ErrNoControls
	case r.Verb == Start && p.serviceUp[r.Service] && p.ordered[r.Service] == orderStop:
		p.startsLater[r.Service] = true
		return nil
	case r.Verb == Start:
		return p.machineControl.Start(r.Service)
	case !p.serviceUp[r.Service]:
		return nil // it has ended already
	}
	if err := p.env.Local(r.Service, env.EncodeJSON(Order{Stay: r.Verb == Stop})); err != nil {
		return fmt.Errorf("asking %s to end: %w", r.Service, err)
	}
	p.ordered[r.Service] = orderStop
	return nil
}

// startWaiting starts the services that were asked to start while they, or the node, ended. Those of a node
// that leaves wait until it has left, whatever came of that.
func (p *Init) startWaiting() {
	if p.downVerb != "" {
		return
	}
	for _, s := range p.opts.Services {
		if !p.startsLater[s.Name] || p.serviceUp[s.Name] {
			continue
		}
		delete(p.startsLater, s.Name)
		if err := p.machineControl.Start(s.Name); err != nil {
			p.env.Log().Error("a service does not start again", "process", s.Name, "err", err.Error())
		}
	}
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
	if p.downVerb == "" || !p.leaveRing() {
		return
	}
	if p.downVerb == Leave {
		p.downVerb = ""
		p.answerLeaves()
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
	order := Order{Down: p.downVerb != Leave, Reboot: p.downVerb == Reboot, Stay: true}
	if err := p.env.Local(s.Name, env.EncodeJSON(order)); err != nil {
		p.env.SetTimer(timerRetry, retryPause)
		return
	}
	p.endRequested, p.ordered[s.Name] = true, orderStop
	if order.Down {
		p.ordered[s.Name] = orderDown
	}
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
