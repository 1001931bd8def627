package corosync

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env/timescale"
)

// Defaults of the totem section, corosync.conf(5). Times in milliseconds.
const (
	defaultTokenMs            = 3000
	defaultTokenCoefficientMs = 650
	defaultTokenWarningPct    = 75
	defaultRetransmits        = 4
	defaultJoinMs             = 50
	defaultMergeMs            = 200
	defaultDowncheckMs        = 1000
	defaultFailRecvConst      = 2500
	defaultSeqnoUnchanged     = 30
	defaultMissCount          = 5
	defaultWindowSize         = 50
	defaultMaxMessages        = 17
	defaultNetworkDelayMs     = 50
	defaultLMSWindowMs        = 10000
	defaultDeviceTimeoutMs    = 10000
	defaultDeviceSyncMs       = 30000
	defaultPongCount          = 2
	defaultPingPrecision      = 2048
	defaultPMTUDSeconds       = 30
	defaultMcastPort          = 5405
)

// timerTick is the granularity that Corosync assumes of timers.
const timerTick = 10 * time.Millisecond

// minTimeout is the shortest timer that Corosync accepts: three ticks.
const minTimeout = 3 * timerTick

// minHold is the shortest time that Corosync accepts for totem.hold: what follows from the shortest
// token_retransmit.
const minHold = minTimeout*8/10 - timerTick

// minPing is the shortest interval between two pings of a link.
const minPing = time.Millisecond

// minScaledResend is the floor that Scaled applies to timers that only pace repetitions (join, merge,
// downcheck, network delay, pings): firing too early costs a few packets there. Timers after which
// another node counts as failed keep minTimeout.
const minScaledResend = 5 * time.Millisecond

// maxTimerMs is the longest timer that is accepted: one day.
const maxTimerMs = 24 * 60 * 60 * 1000

// ErrTooShort is wrapped when a timer would be below its floor.
var ErrTooShort = errors.New("timer below its floor")

// Timers are the timers and counters in force, derived from a configuration as corosync.conf(5)
// describes. A zero duration means that the mechanism is off.
type Timers struct {
	Nodes int // number of nodes that the token timeout was computed for

	Token           time.Duration // token loss, with the coefficient for every node beyond two
	TokenWarning    time.Duration // warn when the token is this late; 0: never
	TokenRetransmit time.Duration // resend the token to the successor
	Hold            time.Duration // the representative keeps the token when nothing happens
	Consensus       time.Duration // agree on a membership
	Join            time.Duration // resend the join message
	SendJoin        time.Duration // upper bound of the random delay before a join; 0 = none
	Merge           time.Duration // look for other rings
	Downcheck       time.Duration // look at an interface that is down
	MaxNetworkDelay time.Duration
	Heartbeat       time.Duration // heartbeat failure detection; 0 = off
	Pause           time.Duration // interval of the check for a paused process

	FailRecvConst         uint32 // token rotations
	SeqnoUnchangedConst   uint32 // token rotations
	MissCountConst        uint32
	WindowSize            uint32 // messages a rotation, whole ring
	MaxMessages           uint32 // messages a token visit
	RetransmitsBeforeLoss uint32

	LastManStandingWindow time.Duration
	DeviceTimeout         time.Duration // silence of the quorum device after which its vote is gone
	DeviceSyncTimeout     time.Duration // longest wait for the device's poll in a sync

	PMTUDInterval time.Duration // path MTU discovery of all links
	Links         []LinkTimers  // by link number, one for each link of the nodelist
}

// LinkTimers are the timers of one link. Ping interval and timeout follow from the token timeout, so that
// a dead link is normally detected within it.
type LinkTimers struct {
	Link          int
	Port          uint16 // UDP port
	Priority      uint8  // the highest is preferred in passive mode
	PingInterval  time.Duration
	PingTimeout   time.Duration
	PingPrecision uint32 // samples of the latency's running mean
	PongCount     uint32 // pongs in a row before a link counts as up
}

// DeriveTimers computes the timers in force. The error wraps ErrTooShort and names the first timer below its
// floor; a configuration from Parse has none.
func DeriveTimers(c *Config) (Timers, error) {
	t := c.deriveTimers()
	if short := t.tooShort(); len(short) > 0 {
		return Timers{}, fmt.Errorf("deriving timers from %s: totem.%s is %v, %w of %v; %s",
			c.File, short[0].key, short[0].value, ErrTooShort, short[0].floor(), short[0].remedyFor())
	}
	return t, nil
}

func (c *Config) deriveTimers() Timers {
	t := &c.Totem
	token := uint64(orDefault(t.TokenMs, defaultTokenMs))
	if n := len(c.Nodes); n > 2 {
		token += uint64(n-2) * uint64(t.TokenCoefficientMs.Or(defaultTokenCoefficientMs))
	}
	retransmits := orDefault(t.RetransmitsBeforeLoss, defaultRetransmits)
	// token / (retransmits + 0.2), 0.8 * retransmit - tick and 1.2 * token, rounded down.
	retransmit := token * 10 / (uint64(retransmits)*10 + 2)
	if given := t.TokenRetransmitMs.Value; given > 0 {
		retransmit = uint64(given)
	}
	tickMs := uint64(timerTick.Milliseconds())
	hold := uint64(0)
	if retransmit*8 > tickMs*10 {
		hold = (retransmit*8 - tickMs*10) / 10
	}
	out := Timers{
		Nodes:                 len(c.Nodes),
		Token:                 ms(token),
		TokenWarning:          ms(token) * time.Duration(t.TokenWarningPct.Or(defaultTokenWarningPct)) / 100,
		TokenRetransmit:       ms(retransmit),
		Hold:                  msOr(t.HoldMs, hold),
		Consensus:             msOr(t.ConsensusMs, token*12/10),
		Join:                  msOr(t.JoinMs, defaultJoinMs),
		SendJoin:              ms(uint64(t.SendJoinMs.Value)),
		Merge:                 msOr(t.MergeMs, defaultMergeMs),
		Downcheck:             msOr(t.DowncheckMs, defaultDowncheckMs),
		MaxNetworkDelay:       msOr(t.MaxNetworkDelayMs, defaultNetworkDelayMs),
		Pause:                 ms(token) / 5,
		FailRecvConst:         orDefault(t.FailRecvConst, defaultFailRecvConst),
		SeqnoUnchangedConst:   orDefault(t.SeqnoUnchangedConst, defaultSeqnoUnchanged),
		MissCountConst:        orDefault(t.MissCountConst, defaultMissCount),
		WindowSize:            orDefault(t.WindowSize, defaultWindowSize),
		MaxMessages:           orDefault(t.MaxMessages, defaultMaxMessages),
		RetransmitsBeforeLoss: retransmits,

		LastManStandingWindow: msOr(c.Quorum.LMSWindowMs, defaultLMSWindowMs),
		PMTUDInterval:         seconds(orDefault(t.KnetPMTUDSeconds, defaultPMTUDSeconds)),
	}
	if failures := t.HeartbeatFailures.Value; failures > 0 {
		// Heartbeats that would detect a failure later than the token are useless.
		if hb := time.Duration(failures)*out.TokenRetransmit + out.MaxNetworkDelay; hb < out.Token {
			out.Heartbeat = hb
		}
	}
	var device Device
	if c.Quorum.Device != nil {
		device = *c.Quorum.Device
	}
	out.DeviceTimeout = msOr(device.TimeoutMs, defaultDeviceTimeoutMs)
	out.DeviceSyncTimeout = msOr(device.SyncTimeoutMs, defaultDeviceSyncMs)
	for _, link := range c.Links() {
		out.Links = append(out.Links, c.linkTimers(link, out.Token))
	}
	return out
}

// linkTimers derives the timers of one link.
func (c *Config) linkTimers(link int, token time.Duration) LinkTimers {
	in := c.linkSettings(link)
	pongs := orDefault(in.PongCount, defaultPongCount)
	tokenMs := uint64(token.Milliseconds())
	return LinkTimers{
		Link:          link,
		Port:          uint16(orDefault(in.McastPort, uint32(defaultMcastPort+link))),
		Priority:      uint8(orDefault(in.LinkPriority, 1)),
		PingTimeout:   msOr(in.PingTimeoutMs, tokenMs/uint64(pongs)),
		PingInterval:  msOr(in.PingIntervalMs, tokenMs/(uint64(pongs)*2)),
		PingPrecision: orDefault(in.PingPrecision, defaultPingPrecision),
		PongCount:     pongs,
	}
}

// linkSettings returns the settings of a link: the last value of each key in the sections of the link.
func (c *Config) linkSettings(link int) Interface {
	var out Interface
	for _, in := range c.Totem.Interfaces {
		if in.LinkNumber.Or(0) != uint32(link) {
			continue
		}
		for _, o := range []struct{ to, from *Opt[uint32] }{
			{&out.McastPort, &in.McastPort}, {&out.TTL, &in.TTL}, {&out.LinkPriority, &in.LinkPriority},
			{&out.PingIntervalMs, &in.PingIntervalMs}, {&out.PingTimeoutMs, &in.PingTimeoutMs},
			{&out.PingPrecision, &in.PingPrecision}, {&out.PongCount, &in.PongCount},
		} {
			if o.from.Set {
				*o.to = *o.from
			}
		}
		for _, o := range []struct{ to, from *string }{
			{&out.McastAddr, &in.McastAddr}, {&out.Broadcast, &in.Broadcast},
			{&out.KnetTransport, &in.KnetTransport}, {&out.BindNetAddr, &in.BindNetAddr},
		} {
			if *o.from != "" {
				*o.to = *o.from
			}
		}
	}
	return out
}

// orDefault returns the value, or def if it is absent or 0: Corosync takes 0 for absent in all but a few
// settings.
func orDefault(o Opt[uint32], def uint32) uint32 {
	if o.Value == 0 {
		return def
	}
	return o.Value
}

func seconds(n uint32) time.Duration { return time.Duration(n) * time.Second }

func ms(n uint64) time.Duration { return time.Duration(n) * time.Millisecond }

func msOr(o Opt[uint32], def uint64) time.Duration {
	if o.Value == 0 {
		return ms(def)
	}
	return ms(uint64(o.Value))
}

// namedTimer is one timer with its key.
type namedTimer struct {
	key         string
	value       time.Duration
	onlyPaces   bool // only paces repetitions
	scaledField *time.Duration
}

// remedyFor is what to do when the timer is too short.
func (b namedTimer) remedyFor() string {
	if b.onlyPaces {
		return "raise it"
	}
	return "raise it, or raise totem.token, from which it follows unless it is given"
}

// allTimers returns every timer. Those with a key of the totem section have a floor.
func (t *Timers) allTimers() []namedTimer {
	list := []namedTimer{
		{"token", t.Token, false, &t.Token},
		{"token_retransmit", t.TokenRetransmit, false, &t.TokenRetransmit},
		{"hold", t.Hold, false, &t.Hold},
		{"consensus", t.Consensus, false, &t.Consensus},
		{"join", t.Join, true, &t.Join},
		{"merge", t.Merge, true, &t.Merge},
		{"downcheck", t.Downcheck, true, &t.Downcheck},
		{"max_network_delay", t.MaxNetworkDelay, true, &t.MaxNetworkDelay},
		{"", t.TokenWarning, true, &t.TokenWarning},
		{"", t.SendJoin, true, &t.SendJoin},
		{"", t.Heartbeat, false, &t.Heartbeat},
		{"", t.Pause, true, &t.Pause},
		{"", t.LastManStandingWindow, false, &t.LastManStandingWindow},
		{"", t.DeviceTimeout, false, &t.DeviceTimeout},
		{"", t.DeviceSyncTimeout, false, &t.DeviceSyncTimeout},
		{"", t.PMTUDInterval, true, &t.PMTUDInterval},
	}
	for i := range t.Links {
		l := &t.Links[i]
		list = append(list,
			namedTimer{"", l.PingInterval, true, &l.PingInterval},
			namedTimer{"", l.PingTimeout, true, &l.PingTimeout})
	}
	return list
}

// floor is the shortest value that Corosync accepts.
func (b namedTimer) floor() time.Duration {
	if b.key == "hold" {
		return minHold
	}
	return minTimeout
}

// tooShort returns the timers of the totem section that are shorter than their floor.
func (t *Timers) tooShort() []namedTimer {
	var short []namedTimer
	for _, b := range t.allTimers() {
		if b.key != "" && b.value < b.floor() {
			short = append(short, b)
		}
	}
	return short
}

// Scaled multiplies every timer by a ratio, for runs on real nodes that cannot wait for the original
// ones. It fails with ErrTooShort for timers that would be too short: below 30 ms for token,
// token_retransmit, hold and consensus, below 5 ms for the timers that pace repetitions. It does not
// change counters and mechanisms that are off.
func (t Timers) Scaled(ts timescale.Ratio) (Timers, error) {
	if err := ts.Check(); err != nil {
		return Timers{}, fmt.Errorf("scaling timers: %w", err)
	}
	out := t
	out.Links = append([]LinkTimers(nil), t.Links...)
	var short []string
	for _, b := range out.allTimers() {
		if b.value == 0 {
			continue
		}
		floor := b.floor()
		if b.onlyPaces {
			floor = minScaledResend
		}
		*b.scaledField = ts.Of(b.value)
		if *b.scaledField < floor && *b.scaledField < b.value {
			name := b.key
			if name == "" {
				name = "a derived timer"
			}
			short = append(short, fmt.Sprintf("%s would be %v, below %v", name, *b.scaledField, floor))
		}
	}
	if len(short) > 0 {
		return Timers{}, fmt.Errorf("scaling timers by %v: %w: %s; choose a larger scale",
			ts, ErrTooShort, strings.Join(short, ", "))
	}
	return out, nil
}
