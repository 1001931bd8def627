package totem

import (
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/totem/reach"
	seal "github.com/holdfast-sim/holdfast/engine/wire"
)

// Limits of the protocol. Limits that Corosync also has, have Corosync's values.
const (
	// MaxStoredPackets bounds the packets of one ring that a node keeps because they are not known to be
	// with every member.
	MaxStoredPackets = 16384
	// MinMTUBytes and MaxMTUBytes bound the size of a sealed multicast packet.
	MinMTUBytes = 512
	MaxMTUBytes = env.MaxDatagramBytes
	// DefaultQueueBytes bounds the waiting messages: payloads plus a fixed cost for each.
	DefaultQueueBytes = 8 << 20
	// MinTimeout is the shortest accepted timeout after which another node counts as failed: three of
	// Corosync's 10 ms ticks. MinPace is the shortest accepted interval between repetitions.
	MinTimeout = 30 * time.Millisecond
	MinPace    = time.Millisecond
	// MaxTimeout is the longest accepted duration.
	MaxTimeout = 24 * time.Hour
)

// Timers are the protocol's durations and counts as they are in force, see corosync.conf(5): Token is the
// token timeout including token_coefficient. [DefaultTimers] shows how Corosync derives the others.
type Timers struct {
	Token           time.Duration // without a token for this long, the ring is lost
	TokenWarningPct int           // warn after this share of Token, in percent; 0 never
	TokenRetransmit time.Duration // without a sign of the forwarded token, send it again
	Hold            time.Duration // the representative holds an idle ring's token this long
	Consensus       time.Duration // in Gather, silent nodes fail after this long
	Join            time.Duration // interval between two joins in Gather
	SendJoin        time.Duration // upper bound of a random delay before a join; 0 none

	FailRecvConst       int // visits without progress before the node that lacks packets leaves the ring
	SeqnoUnchanged      int // visits without a packet before the token is held
	MissCount           int // visits that may miss a packet before it is requested
	WindowSize          int // packets in one rotation
	MaxMessages         int // packets in one visit
	PauseChecksPerToken int // checks for a paused process in one Token
}

// DefaultTimers derives the times from the effective token timeout as Corosync does: retransmit is
// token/4.2, hold is 0.8 of that less one 10 ms tick, consensus is 1.2 token.
func DefaultTimers(token time.Duration) Timers {
	retransmit := (token * 10 / 42).Truncate(time.Millisecond)
	return Timers{
		Token: token, TokenWarningPct: 75,
		TokenRetransmit: retransmit,
		Hold:            (retransmit*8/10 - 10*time.Millisecond).Truncate(time.Millisecond),
		Consensus:       token * 12 / 10,
		Join:            50 * time.Millisecond,
		FailRecvConst:   2500, SeqnoUnchanged: 30, MissCount: 5,
		WindowSize: 50, MaxMessages: 17, PauseChecksPerToken: 5,
	}
}

// forming is how long a ring of some nodes takes to form after the first join, with a latency: at worst the
// first join is lost, then come two rounds of the commit token and the rotations of an exchange without
// packets.
func (t *Timers) forming(nodes int, latency time.Duration) time.Duration {
	return t.Join + t.SendJoin + time.Duration(10*nodes)*latency
}

// SettleBound bounds the time from the last change of which node hears which until the rings are those that
// stay, if no packet is lost otherwise.
func SettleBound(t Timers, nodes int, latency time.Duration) time.Duration {
	return reach.NewTiming(t.Token).CutBound(nodes, latency, t.forming(nodes, latency))
}

// HealBound bounds the time from the end of all cuts to the ring of all, for links that have failed at most a
// number of times lately.
func HealBound(t Timers, flaps, nodes int, latency time.Duration) time.Duration {
	return reach.NewTiming(t.Token).HealBound(flaps, nodes, latency, t.forming(nodes, latency))
}

// Peer is one configured node and its machine.
type Peer struct {
	ID      ring.NodeID
	Machine env.MachineID
}

// Config is the configuration of a node.
type Config struct {
	Node   ring.NodeID // this node
	Peers  []Peer      // every configured node, this one included; ids and machines are unique
	Votes  uint32      // of this node: rings are formed so that as many votes as possible are together
	Key    []byte      // the cluster key, see seal.CheckKey
	Cipher seal.Cipher // seals packets; nil means AES-GCM, and every real cluster leaves it so
	Timers Timers
	// MTUBytes bounds a sealed multicast packet. Longer messages are cut, shorter ones share packets.
	MTUBytes int
	// Relay makes the node reach others over a third node when the direct link does not work, and relay for
	// others. Nodes may differ in it: a route leads only over and to nodes that have it.
	Relay bool
	// QueueBytes bounds the messages that wait to be ordered; 0 means DefaultQueueBytes.
	QueueBytes int
	// Link is the network that carries the ring.
	Link env.LinkID
	// FirstTimer is the first of NumTimers timer ids that belong to this node.
	FirstTimer env.TimerID
	// StateFile is the name of the file with the ring sequence and the boot count.
	StateFile string
	// Quiet makes the node emit no records.
	Quiet bool
}

// ErrConfig is wrapped by every error about a [Config].
var ErrConfig = errors.New("unusable ring configuration")

// Check reports what is wrong with a configuration, wrapped in ErrConfig.
func (c *Config) Check() error {
	if err := c.checkPeers(); err != nil {
		return err
	}
	if err := seal.CheckKey(c.Key); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if c.MTUBytes < MinMTUBytes || c.MTUBytes > MaxMTUBytes {
		return fmt.Errorf("%w: packet size of %d bytes, use %d to %d",
			ErrConfig, c.MTUBytes, MinMTUBytes, MaxMTUBytes)
	}
	if c.QueueBytes < 0 || c.QueueBytes > 0 && c.QueueBytes < cpg.MaxPayloadBytes {
		return fmt.Errorf("%w: queue of %d bytes, use at least %d",
			ErrConfig, c.QueueBytes, cpg.MaxPayloadBytes)
	}
	if c.StateFile == "" {
		return fmt.Errorf("%w: no state file", ErrConfig)
	}
	return c.Timers.check()
}

func (c *Config) checkPeers() error {
	if len(c.Peers) == 0 || len(c.Peers) > ring.MaxNodes {
		return fmt.Errorf("%w: %d nodes, use 1 to %d", ErrConfig, len(c.Peers), ring.MaxNodes)
	}
	self := false
	for i, p := range c.Peers {
		if p.ID == 0 {
			return fmt.Errorf("%w: node id 0; write ids from 1", ErrConfig)
		}
		self = self || p.ID == c.Node
		for _, q := range c.Peers[:i] {
			if p.ID == q.ID || p.Machine == q.Machine {
				return fmt.Errorf("%w: nodes %d and %d share an id or a machine", ErrConfig, q.ID, p.ID)
			}
		}
	}
	if !self {
		return fmt.Errorf("%w: this node, %d, is not among the nodes", ErrConfig, c.Node)
	}
	return nil
}

func (t *Timers) check() error {
	times := []struct {
		name  string
		value time.Duration
		least time.Duration
	}{
		{"token", t.Token, MinTimeout}, {"token_retransmit", t.TokenRetransmit, MinPace},
		{"consensus", t.Consensus, MinTimeout}, {"join", t.Join, MinPace},
		{"hold", t.Hold, MinPace},
		{"send_join", t.SendJoin, 0},
	}
	for _, v := range times {
		if v.value < v.least || v.value > MaxTimeout {
			return fmt.Errorf("%w: %s is %v, use %v to %v", ErrConfig, v.name, v.value, v.least, MaxTimeout)
		}
	}
	counts := []struct {
		name         string
		value, least int
	}{
		{"fail_recv_const", t.FailRecvConst, 1}, {"seqno_unchanged_const", t.SeqnoUnchanged, 1},
		{"miss_count_const", t.MissCount, 0}, {"window_size", t.WindowSize, 1},
		{"max_messages", t.MaxMessages, 1}, {"pause stamps a token", t.PauseChecksPerToken, 3},
	}
	const most = 1 << 20
	for _, v := range counts {
		if v.value < v.least || v.value > most {
			return fmt.Errorf("%w: %s is %d, use %d to %d", ErrConfig, v.name, v.value, v.least, most)
		}
	}
	switch {
	case t.Consensus < t.Join:
		return fmt.Errorf("%w: consensus (%v) is shorter than join (%v)", ErrConfig, t.Consensus, t.Join)
	case t.TokenRetransmit >= t.Token || t.Hold >= t.TokenRetransmit:
		return fmt.Errorf("%w: need hold (%v) < token_retransmit (%v) < token (%v)",
			ErrConfig, t.Hold, t.TokenRetransmit, t.Token)
	case t.TokenWarningPct < 0 || t.TokenWarningPct > 100:
		return fmt.Errorf("%w: token_warning is %d percent, use 0 to 100", ErrConfig, t.TokenWarningPct)
	case t.WindowSize > MaxStoredPackets/4:
		return fmt.Errorf("%w: window_size is %d, use at most %d",
			ErrConfig, t.WindowSize, MaxStoredPackets/4)
	}
	return nil
}
