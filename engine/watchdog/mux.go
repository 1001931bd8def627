package watchdog

import (
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/timescale"
)

// Options configure the multiplexer.
type Options struct {
	// Client, Warn, Check and Hardware are times; a zero takes its default.
	Client, Warn, Check, Hardware time.Duration
}

// DefaultOptions returns the times of normal operation, multiplied by a ratio.
func DefaultOptions(ts timescale.Ratio) Options {
	return Options{Client: ts.Of(ClientTime), Warn: ts.Of(WarnTime), Check: ts.Of(CheckPeriod),
		Hardware: ts.Of(HardwareTime)}
}

// ResetTime is the longest time from a client's last feed to the machine's reset.
func (o Options) ResetTime() time.Duration { return o.Client + o.Check + o.Hardware }

// connection is the connection of one client.
type connection struct {
	client    string
	lastFed   time.Duration
	wasWarned bool
}

// Mux is the multiplexer process. It implements env.Process.
type Mux struct {
	opts           Options
	env            env.Env
	device         env.Watchdog
	refusalReason  string // why no connection can be opened
	clients        []*connection
	pettingStopped bool // the hardware is no longer petted
}

// New returns a multiplexer.
func New(o Options) *Mux { return &Mux{opts: o} }

const timerCheck env.TimerID = 1

// Start implements env.Process.
func (m *Mux) Start(e env.Env) error {
	m.env = e
	if host, ok := e.(env.WatchdogHost); ok {
		m.device = host.Watchdog()
	}
	switch {
	case m.device == nil:
		m.refusalReason = "this machine has no watchdog device, so nothing would reset it"
		e.Log().Error("no protection: " + m.refusalReason)
	case m.device.Armed():
		m.pettingStopped = true
		m.refusalReason = "connections were cut; the machine is about to be reset"
		e.Log().Error("critical: the hardware watchdog was armed by an earlier run - not touching it")
		e.Probe("watchdog/found-armed")
	}
	return nil
}

// Step implements env.Process.
func (m *Mux) Step(ev env.Event) {
	switch ev := ev.(type) {
	case env.LocalMessage:
		m.onMessage(ev.From, ev.Payload)
	case env.LocalDown:
		if m.findConnection(ev.Process) != nil {
			m.stopPetting(ev.Process, "client did not stop watchdog", false)
		}
	case env.TimerFired:
		m.checkClients()
	}
}

func (m *Mux) findConnection(client string) *connection {
	for _, c := range m.clients {
		if c.client == client {
			return c
		}
	}
	return nil
}

func (m *Mux) onMessage(from string, payload []byte) {
	kind, at, _ := decodeMessage(payload)
	c := m.findConnection(from)
	switch kind {
	case msgOpen:
		m.onOpen(from, at)
	case msgFeed:
		if c != nil && at > c.lastFed {
			c.lastFed, c.wasWarned = at, false
		}
	case msgClose:
		m.onClose(from)
	default:
		m.env.Log().Warn("a message that cannot be read", "process", from)
	}
}

func (m *Mux) onOpen(client string, at time.Duration) {
	refusal := m.refusalReason
	age := m.env.Mono() - at
	switch {
	case refusal != "":
	case m.findConnection(client) == nil && len(m.clients) >= MaxClients:
		refusal = fmt.Sprintf("%d clients are connected", MaxClients)
	case age >= m.opts.Client:
		refusal = fmt.Sprintf("what the client is to be guarded for is %v old already", age)
	}
	if refusal == "" && !m.device.Armed() {
		if err := m.device.Arm(m.opts.Hardware); err != nil {
			refusal = "arming the hardware: " + err.Error()
		}
	}
	if refusal != "" {
		m.sendAnswer(client, msgRefused, at, refusal)
		return
	}
	if c := m.findConnection(client); c != nil {
		c.lastFed = at
	} else {
		m.clients = append(m.clients, &connection{client: client, lastFed: at})
	}
	m.env.Emit(ConnectionChange{Client: client, Open: true})
	m.env.SetTimer(timerCheck, m.opts.Check)
	m.sendAnswer(client, msgOpened, at, "")
}

// sendAnswer sends a client the result of its request. The client recognizes the request by its instant.
func (m *Mux) sendAnswer(client string, kind byte, at time.Duration, text string) {
	if err := m.env.Local(client, encodeMessage(kind, at, text)); err != nil {
		m.env.Log().Warn("a client does not take its answer", "process", client, "err", err.Error())
	}
}

func (m *Mux) onClose(client string) {
	if m.findConnection(client) == nil || m.pettingStopped {
		return
	}
	m.clients = slices.DeleteFunc(m.clients, func(c *connection) bool { return c.client == client })
	m.env.Emit(ConnectionChange{Client: client, Open: false})
	if len(m.clients) > 0 {
		return
	}
	if err := m.device.Disarm(); err != nil {
		m.env.Log().Info("the hardware watchdog stays armed and is petted on", "err", err.Error())
		return
	}
	m.env.StopTimer(timerCheck)
}

// checkClients pets the hardware unless a client is overdue.
func (m *Mux) checkClients() {
	if m.pettingStopped {
		return
	}
	now := m.env.Mono()
	for _, c := range m.clients {
		late := now - c.lastFed
		if late > m.opts.Client {
			m.stopPetting(c.client, fmt.Sprintf("client watchdog expired (%v)", late), true)
			return
		}
		if late > m.opts.Warn && !c.wasWarned {
			c.wasWarned = true
			m.env.Log().Warn("client watchdog is about to expire", "client", c.client, "late", late.String())
			m.env.Emit(Late{Client: c.client, LateMS: late.Milliseconds()})
			m.env.Probe("watchdog/client-late")
		}
	}
	m.device.Pet()
	m.env.SetTimer(timerCheck, m.opts.Check)
}

// stopPetting stops the petting permanently.
func (m *Mux) stopPetting(client, why string, overdue bool) {
	if m.pettingStopped {
		return
	}
	m.pettingStopped = true
	m.refusalReason = "the machine is about to be reset"
	m.env.StopTimer(timerCheck)
	m.env.Log().Error("critical: "+why+" - disable watchdog updates", "client", client)
	m.env.Emit(Expired{Client: client, Reason: why, Overdue: overdue})
	m.env.Probe("watchdog/expired")
}

// ConnectionChange is emitted when a client's connection is opened, or closed in order.
type ConnectionChange struct {
	Client string `json:"client"`
	Open   bool   `json:"open"`
}

// Late is emitted when a client was not fed for the warning time.
type Late struct {
	Client string `json:"client"`
	LateMS int64  `json:"late_ms"`
}

// Expired is emitted when the hardware is no longer petted: the machine will be reset.
type Expired struct {
	Client string `json:"client"`
	Reason string `json:"reason"`
	// Overdue is true if the client was not fed in time, false if its process ended.
	Overdue bool `json:"overdue,omitempty"`
}

// RecordKind implements env.Record.
func (ConnectionChange) RecordKind() string { return "watchdog-connection" }

// RecordKind implements env.Record.
func (Late) RecordKind() string { return "watchdog-late" }

// RecordKind implements env.Record.
func (Expired) RecordKind() string { return "watchdog-expired" }
