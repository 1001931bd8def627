package resource

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// HostProcess is the name under which the guests of the fake driver run on a machine.
const HostProcess = "guests"

// GuestOptions say how guests behave.
type GuestOptions struct {
	// StartTime, StopTime and MoveTime are the means of what starting, an orderly stop and moving
	// take; each draws between half and one and a half of it.
	StartTime, StopTime, MoveTime time.Duration
	// Broken and Stubborn are guests, by sid, that cannot be started on the machines named there or
	// cannot be ended on them, not even by force.
	Broken, Stubborn map[string][]string
}

// DefaultGuests are guests that take their time like small virtual machines.
func DefaultGuests() GuestOptions {
	return GuestOptions{StartTime: 2 * time.Second, StopTime: 3 * time.Second, MoveTime: 8 * time.Second}
}

// guestRequest and guestAnswer travel between driver and host as JSON.
type guestRequest struct {
	ID      string        `json:"id"`
	Op      string        `json:"op"` // running, start, stop, kill, leave
	SID     string        `json:"sid"`
	Timeout time.Duration `json:"timeout,omitempty"`
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
	guests map[string]*guest
}

type guest struct {
	running bool
	busy    bool
}

// NewHost prepares a host without guests.
func NewHost(o GuestOptions) *Host { return &Host{opts: o} }

const firstGuestTimer env.TimerID = 1

// Start implements env.Process.
func (h *Host) Start(e env.Env) error {
	h.env, h.tasks, h.guests = e, env.NewTasks(e, firstGuestTimer), map[string]*guest{}
	e.Emit(HostStarted{})
	return nil
}

// Step implements env.Process.
func (h *Host) Step(ev env.Event) {
	if h.tasks.Step(ev) {
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
	from := msg.From
	h.tasks.Go(func(t *env.Task) { h.serve(t, from, r) })
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
	case r.Op == "start" && slices.Contains(h.opts.Broken[r.SID], h.env.Self().Name):
		t.Sleep(h.takes(h.opts.StartTime))
	case r.Op == "stop" && slices.Contains(h.opts.Stubborn[r.SID], h.env.Self().Name):
		t.Sleep(r.Timeout)
	case r.Op == "start" && !g.running:
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
}

const takesSteps = 1 << 10

func (h *Host) takes(mean time.Duration) time.Duration {
	return mean/2 + mean*time.Duration(h.env.Rand("guests").Uint64()%takesSteps)/takesSteps
}
