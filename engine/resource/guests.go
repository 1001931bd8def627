package resource

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/status"
)

// HostProcess is the name under which the guests of the fake driver run on a machine.
const HostProcess = "guests"

// GuestOptions say how guests behave.
type GuestOptions struct {
	// StartTime and StopTime are the means of what starting and an orderly stop take; each draws
	// between half and one and a half of it.
	StartTime, StopTime time.Duration
	// BytesPerSecond is the mean speed at which memory goes over in a migration, SwitchTime the
	// mean of how long a guest stands still for the rest of it. Both are drawn likewise.
	BytesPerSecond int64
	SwitchTime     time.Duration
	// Machines are the names of all machines, by their numbers: where guests can migrate to.
	Machines []string
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
	return GuestOptions{StartTime: 2 * time.Second, StopTime: 3 * time.Second,
		BytesPerSecond: 64 * mebibyte, SwitchTime: 100 * time.Millisecond}
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

	leaving map[string]*outgoing // by the id of the request
	coming  map[string]*incoming // by the guest
	arrived map[string]string    // guest -> the migration that brought it last
}

type guest struct {
	running bool
	still   bool // it stands still while it changes hands
	busy    bool // somebody is at work on it
	free    env.Signal
	conf    Conf
	lives   uint64
	exit    *int
}

// NewHost prepares a host without guests.
func NewHost(o GuestOptions) *Host { return &Host{opts: o} }

const firstGuestTimer env.TimerID = 1

// Start implements env.Process.
func (h *Host) Start(e env.Env) error {
	h.env, h.tasks, h.status = e, env.NewTasks(e, firstGuestTimer), status.NewClient(e)
	h.guests, h.told = map[string]*guest{}, map[string]Use{}
	h.leaving, h.coming, h.arrived = map[string]*outgoing{}, map[string]*incoming{}, map[string]string{}
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
	switch ev := ev.(type) {
	case env.LocalMessage:
		h.asked(ev)
	case env.LocalDown:
		h.abandoned(ev.Process)
	case env.Received:
		h.received(ev)
	}
}

// asked takes what a process of this machine wants.
func (h *Host) asked(ev env.LocalMessage) {
	r, err := decodeRequest(ev.Payload)
	if err != nil {
		h.env.Log().Error("a request that cannot be read", "process", ev.From, "err", err.Error())
		return
	}
	switch r.Op {
	case opUse:
		h.use(&r)
	case opCrash:
		h.crash(r.SID)
	case opCancel, opCommit:
		h.decided(&r)
	default:
		from := ev.From
		h.tasks.Go(func(t *env.Task) { h.serve(t, from, r) })
	}
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

// crash ends a guest by itself; one on its way to another machine stays as it is.
func (h *Host) crash(sid string) {
	if g := h.guests[sid]; g != nil && g.running && !g.busy {
		code := exitKilled
		g.exit = &code
		h.set(g, sid, false, WhyCrashed)
	}
}

// exitKilled is how a guest ends that crashes, as a program does that is killed.
const exitKilled = 128 + 9

func (h *Host) guest(sid string) (*guest, error) {
	g := h.guests[sid]
	if g == nil {
		if len(h.guests) >= maxGuests {
			return nil, fmt.Errorf("%w: %d guests are too many", ErrFailed, maxGuests)
		}
		g = &guest{}
		h.guests[sid] = g
	}
	return g, nil
}

func (h *Host) serve(t *env.Task, from string, r guestRequest) {
	g, err := h.guest(r.SID)
	if err != nil {
		h.env.Log().Error("a guest has no place", "sid", r.SID, "err", err.Error())
		h.tell(t, from, guestAnswer{ID: r.ID})
		return
	}
	answer := guestAnswer{}
	if r.Op != opStatus {
		for g.busy { // one thing at a time
			t.Wait(&g.free, 0)
		}
		g.busy = true
		answer = h.carryOut(t, g, from, &r)
		g.busy = false
		g.free.Raise()
	}
	answer.ID, answer.Running, answer.ExitCode = r.ID, g.running || g.still, g.exit
	if g.lives > 0 {
		answer.Life = strconv.FormatUint(g.lives, 10)
	}
	h.tell(t, from, answer)
}

// tell answers a process. One that is not there any more wants no answer.
func (h *Host) tell(t *env.Task, to string, a guestAnswer) {
	for message := encodeMessage(a); errors.Is(h.env.Local(to, message), env.ErrLocalFull); {
		t.Sleep(time.Second)
	}
}

func (h *Host) carryOut(t *env.Task, g *guest, from string, r *guestRequest) (a guestAnswer) {
	switch {
	case r.Op == opStart && !g.running && h.opts.Flaws.fails("start", r.SID, h.env.Self().Name):
		t.Sleep(h.takes(h.opts.StartTime))
	case r.Op == opStop && g.running && h.opts.Flaws.stays(r.SID):
		t.Sleep(r.Timeout)
	case r.Op == opStart && !g.running:
		delete(h.coming, r.SID)
		g.conf = ParseConf(r.Conf)
		h.set(g, r.SID, true, "") // from the first moment on it could do harm
		t.Sleep(h.takes(h.opts.StartTime))
	case r.Op == opStop && g.running:
		if takes := h.takes(h.opts.StopTime); takes <= r.Timeout {
			t.Sleep(takes)
			h.set(g, r.SID, false, WhyStopped)
		} else {
			t.Sleep(r.Timeout)
			h.set(g, r.SID, false, WhyKilled)
		}
	case r.Op == opLeave && g.running:
		h.set(g, r.SID, false, WhyMigrated)
	case r.Op == opMigrate && !g.running:
		a.Failed = failedNotHere
	case r.Op == opMigrate:
		a = h.migrate(t, g, from, r)
	}
	return a
}

func (h *Host) set(g *guest, sid string, on bool, why string) {
	if on && !g.running {
		g.lives++
		g.exit = nil
	}
	g.running = on
	h.env.Emit(Active{SID: sid, On: on, Why: why})
	h.publish()
}

const takesSteps = 1 << 10

// takes draws between half and one and a half of a mean.
func (h *Host) takes(mean time.Duration) time.Duration {
	return mean/2 + mean*time.Duration(h.env.Rand("guests").Uint64()%takesSteps)/takesSteps
}

// UseRequest is the message to [HostProcess] that sets what a guest uses wherever it runs: tell
// all machines. A nil use lets it follow its schedule again.
func UseRequest(sid string, use *Use) []byte {
	return encodeMessage(guestRequest{Op: opUse, SID: sid, Use: use})
}

// CrashRequest is the message to [HostProcess] that makes a guest end by itself.
func CrashRequest(sid string) []byte { return encodeMessage(guestRequest{Op: opCrash, SID: sid}) }
