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

// GuestOptions are how guests behave.
type GuestOptions struct {
	// StartTime and StopTime are the mean times of a start and of an orderly stop. Each draw is between
	// half and one and a half of the mean.
	StartTime, StopTime time.Duration
	// BytesPerSecond is the mean speed at which memory is transferred in a migration. SwitchTime is the
	// mean pause of a guest during its switch-over. Both are drawn in the same way.
	BytesPerSecond int64
	SwitchTime     time.Duration
	// Machines are the names of all machines, by their numbers. Guests can migrate to them.
	Machines []string
	// Flaws are how guests fail; nil means that none fails.
	Flaws *Flaws

	// Measured makes the machine publish what it and its guests use.
	Measured bool
	// Has is the machine's size, Idle what it uses without guests.
	Has, Idle Use
	// Loads are what guests use over time, each sorted by time. They are the same on all machines,
	// because a guest keeps its load when it moves. A guest without an entry uses its whole memory and
	// no CPU.
	Loads map[string][]LoadStep
}

// DefaultGuests returns guests with the times of small virtual machines.
func DefaultGuests() GuestOptions {
	return GuestOptions{StartTime: 2 * time.Second, StopTime: 3 * time.Second,
		BytesPerSecond: 64 * mebibyte, SwitchTime: 100 * time.Millisecond}
}

// maxGuests bounds the guests of one machine.
const maxGuests = 10_000

// Host is the process in which the guests of a simulated machine run. It implements env.Process.
type Host struct {
	opts       GuestOptions
	env        env.Env
	tasks      *env.Tasks
	status     *status.Client
	guests     map[string]*guest
	orderedUse map[string]Use // the use that guests were ordered to have

	outgoing  map[string]*outgoingGuest // by the id of the request
	incoming  map[string]*incomingGuest // by the guest
	arrivedBy map[string]string         // guest -> the migration that brought it last
}

type guest struct {
	running      bool
	paused       bool // it is paused while it is handed over
	inOperation  bool // an operation works on it
	freed        env.Signal
	conf         Conf
	incarnations uint64
	exitCode     *int
}

// NewHost returns a host without guests.
func NewHost(o GuestOptions) *Host { return &Host{opts: o} }

const firstGuestTimer env.TimerID = 1

// Start implements env.Process.
func (h *Host) Start(e env.Env) error {
	h.env, h.tasks, h.status = e, env.NewTasks(e, firstGuestTimer), status.NewClient(e)
	h.guests, h.orderedUse = map[string]*guest{}, map[string]Use{}
	h.outgoing, h.incoming, h.arrivedBy = map[string]*outgoingGuest{}, map[string]*incomingGuest{},
		map[string]string{}
	e.Emit(HostStarted{})
	if h.opts.Measured {
		h.tasks.Go(func(t *env.Task) {
			for ; ; t.Sleep(measureEvery) {
				h.publishLoad()
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
		h.onRequest(ev)
	case env.LocalDown:
		h.onRequesterEnded(ev.Process)
	case env.Received:
		h.onMessage(ev)
	}
}

// onRequest handles a request of a process of this machine.
func (h *Host) onRequest(ev env.LocalMessage) {
	r, err := decodeRequest(ev.Payload)
	if err != nil {
		h.env.Log().Error("a request that cannot be read", "process", ev.From, "err", err.Error())
		return
	}
	switch r.Op {
	case opUse:
		h.setGuestUse(&r)
	case opCrash:
		h.crashGuest(r.SID)
	case opCancel, opCommit:
		h.onDecision(&r)
	default:
		from := ev.From
		h.tasks.Go(func(t *env.Task) { h.serveRequest(t, from, r) })
	}
}

// setGuestUse sets what a guest uses on any machine. There is no answer.
func (h *Host) setGuestUse(r *guestRequest) {
	switch {
	case r.Use == nil:
		delete(h.orderedUse, r.SID)
	case len(h.orderedUse) < maxGuests:
		h.orderedUse[r.SID] = *r.Use
	}
	h.publishLoad()
}

// crashGuest ends a guest as if by itself. A guest that is migrating stays as it is.
func (h *Host) crashGuest(sid string) {
	if g := h.guests[sid]; g != nil && g.running && !g.inOperation {
		code := exitCodeOfKill
		g.exitCode = &code
		h.setRunning(g, sid, false, CauseCrashed)
	}
}

// exitCodeOfKill is the exit code of a guest that crashes: that of a killed program.
const exitCodeOfKill = 128 + 9

func (h *Host) findGuest(sid string) (*guest, error) {
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

func (h *Host) serveRequest(t *env.Task, from string, r guestRequest) {
	g, err := h.findGuest(r.SID)
	if err != nil {
		h.env.Log().Error("a guest has no place", "sid", r.SID, "err", err.Error())
		h.reply(t, from, guestAnswer{ID: r.ID})
		return
	}
	answer := guestAnswer{}
	if r.Op != opStatus {
		for g.inOperation { // one operation at a time
			t.Wait(&g.freed, 0)
		}
		g.inOperation = true
		answer = h.carryOut(t, g, from, &r)
		g.inOperation = false
		g.freed.Raise()
	}
	answer.ID, answer.Running, answer.ExitCode = r.ID, g.running || g.paused, g.exitCode
	if g.incarnations > 0 {
		answer.Incarnation = strconv.FormatUint(g.incarnations, 10)
	}
	h.reply(t, from, answer)
}

// reply answers a process. A process that has ended needs no answer.
func (h *Host) reply(t *env.Task, to string, a guestAnswer) {
	for message := env.EncodeJSON(a); errors.Is(h.env.Local(to, message), env.ErrLocalFull); {
		t.Sleep(time.Second)
	}
}

func (h *Host) carryOut(t *env.Task, g *guest, from string, r *guestRequest) (a guestAnswer) {
	switch {
	case r.Op == opStart && !g.running && h.opts.Flaws.countAndFail("start", r.SID, h.env.Self().Name):
		t.Sleep(h.drawDuration(h.opts.StartTime))
	case r.Op == opStop && g.running && h.opts.Flaws.cannotStop(r.SID):
		t.Sleep(r.Timeout)
	case r.Op == opStart && !g.running:
		delete(h.incoming, r.SID)
		g.conf = ParseConf(r.Conf)
		h.setRunning(g, r.SID, true, "") // it could do harm from the first moment on
		t.Sleep(h.drawDuration(h.opts.StartTime))
	case r.Op == opStop && g.running:
		if takes := h.drawDuration(h.opts.StopTime); takes <= r.Timeout {
			t.Sleep(takes)
			h.setRunning(g, r.SID, false, CauseStopped)
		} else {
			t.Sleep(r.Timeout)
			h.setRunning(g, r.SID, false, CauseKilled)
		}
	case r.Op == opLeave && g.running:
		h.setRunning(g, r.SID, false, CauseMigrated)
	case r.Op == opMigrate && !g.running:
		a.Failed = failedNotHere
	case r.Op == opMigrate:
		a = h.migrateGuest(t, g, from, r)
	}
	return a
}

func (h *Host) setRunning(g *guest, sid string, on bool, cause Cause) {
	if on && !g.running {
		g.incarnations++
		g.exitCode = nil
	}
	g.running = on
	h.env.Emit(Active{SID: sid, On: on, Cause: cause})
	h.publishLoad()
}

const durationSteps = 1 << 10

// drawDuration draws between half and one and a half of a mean.
func (h *Host) drawDuration(mean time.Duration) time.Duration {
	return mean/2 + mean*time.Duration(h.env.Rand("guests").Uint64()%durationSteps)/durationSteps
}

// UseRequest returns the message to [HostProcess] that sets what a guest uses on any machine. Send it to
// all machines. A nil use lets the guest follow its schedule again.
func UseRequest(sid string, use *Use) []byte {
	return env.EncodeJSON(guestRequest{Op: opUse, SID: sid, Use: use})
}

// CrashRequest returns the message to [HostProcess] that makes a guest end by itself.
func CrashRequest(sid string) []byte { return env.EncodeJSON(guestRequest{Op: opCrash, SID: sid}) }
