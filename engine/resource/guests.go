package resource

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/status"
)

// HostProcess is the name under which the guests of the fake driver run on a machine.
const HostProcess = "guests"

// GuestOptions say how guests behave.
type GuestOptions struct {
	// StartTime, StopTime and MoveTime are the means of what starting, an orderly stop and moving
	// take; each draws between half and one and a half of it.
	StartTime, StopTime, MoveTime time.Duration
	// Flaws are how guests fail; nil for none that does.
	Flaws *Flaws

	// Measured makes the machine tell the others what it and its guests use.
	Measured bool
	// Has is the machine's size, Idle what it uses without guests.
	Has, Idle Use
	// Loads are what guests use over time, each in the order of time; the same on all machines,
	// since guests take their load with them. One without uses its whole memory and no CPU.
	Loads map[string][]LoadStep
}

// DefaultGuests are guests that take their time like small virtual machines.
func DefaultGuests() GuestOptions {
	return GuestOptions{StartTime: 2 * time.Second, StopTime: 3 * time.Second, MoveTime: 8 * time.Second}
}

// guestRequest and guestAnswer travel between driver and host as JSON.
type guestRequest struct {
	ID      string        `json:"id"`
	Op      string        `json:"op"` // running, start, stop, leave, use
	SID     string        `json:"sid"`
	Timeout time.Duration `json:"timeout,omitempty"`
	// Conf is the configuration of a guest that starts.
	Conf []byte `json:"conf,omitempty"`
	// Use is what the guest uses from now on; none lets it follow its schedule.
	Use *Use `json:"use,omitempty"`
}

type guestAnswer struct {
	ID      string `json:"id"`
	Running bool   `json:"running"`
}

// maxGuests bounds the guests of one machine.
const maxGuests = 10_000

// Host is the process in which the guests of a simulated machine run. It implements env.Process.
type Host struct {
	opts   GuestOptions
	env    env.Env
	tasks  *env.Tasks
	status *status.Client
	guests map[string]*guest
	told   map[string]Use // what guests were told to use
}

type guest struct {
	running bool
	busy    bool
	conf    Conf
}

// NewHost prepares a host without guests.
func NewHost(o GuestOptions) *Host { return &Host{opts: o} }

const firstGuestTimer env.TimerID = 1

// Start implements env.Process.
func (h *Host) Start(e env.Env) error {
	h.env, h.tasks, h.status = e, env.NewTasks(e, firstGuestTimer), status.NewClient(e)
	h.guests, h.told = map[string]*guest{}, map[string]Use{}
	e.Emit(HostStarted{})
	if h.opts.Measured {
		h.tasks.Go(func(t *env.Task) {
			for ; ; t.Sleep(measureEvery) {
				h.publish()
			}
		})
	}
	return nil
}

// Step implements env.Process.
func (h *Host) Step(ev env.Event) {
	if h.tasks.Step(ev) || h.status.Step(ev) {
		return
	}
	msg, ok := ev.(env.LocalMessage)
	if !ok {
		return
	}
	var r guestRequest
	if err := json.Unmarshal(msg.Payload, &r); err != nil {
		h.env.Log().Error("a request that cannot be read", "process", msg.From, "err", err.Error())
		return
	}
	if r.Op == "use" {
		h.use(&r)
		return
	}
	from := msg.From
	h.tasks.Go(func(t *env.Task) { h.serve(t, from, r) })
}

// use sets what a guest uses, wherever it runs; there is no answer.
func (h *Host) use(r *guestRequest) {
	switch {
	case r.Use == nil:
		delete(h.told, r.SID)
	case len(h.told) < maxGuests:
		h.told[r.SID] = *r.Use
	}
	h.publish()
}

func (h *Host) serve(t *env.Task, from string, r guestRequest) {
	g := h.guests[r.SID]
	if g == nil {
		if len(h.guests) >= maxGuests {
			h.env.Log().Error("too many guests", "limit", maxGuests)
			return
		}
		g = &guest{}
		h.guests[r.SID] = g
	}
	if r.Op != "running" {
		for g.busy { // one thing at a time
			t.Sleep(100 * time.Millisecond)
		}
		g.busy = true
		h.carryOut(t, g, &r)
		g.busy = false
	}
	answer, err := json.Marshal(guestAnswer{ID: r.ID, Running: g.running})
	if err != nil {
		panic("resource: encoding an answer: " + err.Error())
	}
	for errors.Is(h.env.Local(from, answer), env.ErrLocalFull) {
		t.Sleep(time.Second)
	}
}

func (h *Host) carryOut(t *env.Task, g *guest, r *guestRequest) {
	switch {
	case r.Op == "start" && !g.running && h.opts.Flaws.fails("start", r.SID, h.env.Self().Name):
		t.Sleep(h.takes(h.opts.StartTime))
	case r.Op == "stop" && h.opts.Flaws.stays(r.SID):
		t.Sleep(r.Timeout)
	case r.Op == "start" && !g.running:
		g.conf = ParseConf(r.Conf)
		h.set(g, r.SID, true, "") // from the first moment on it could do harm
		t.Sleep(h.takes(h.opts.StartTime))
	case r.Op == "stop" && g.running:
		if takes := h.takes(h.opts.StopTime); takes <= r.Timeout {
			t.Sleep(takes)
			h.set(g, r.SID, false, "stopped")
		} else {
			t.Sleep(r.Timeout)
			h.set(g, r.SID, false, "killed")
		}
	case r.Op == "leave" && g.running:
		h.set(g, r.SID, false, "migrated")
	}
}

func (h *Host) set(g *guest, sid string, on bool, why string) {
	g.running = on
	h.env.Emit(Active{SID: sid, On: on, Why: why})
	h.publish()
}

const takesSteps = 1 << 10

func (h *Host) takes(mean time.Duration) time.Duration {
	return mean/2 + mean*time.Duration(h.env.Rand("guests").Uint64()%takesSteps)/takesSteps
}

// UseRequest is the message to [HostProcess] that sets what a guest uses wherever it runs: tell
// all machines. A nil use lets it follow its schedule again.
func UseRequest(sid string, use *Use) []byte {
	b, err := json.Marshal(guestRequest{Op: "use", SID: sid, Use: use})
	if err != nil {
		panic("resource: encoding a request: " + err.Error())
	}
	return b
}
