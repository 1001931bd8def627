package totem

import (
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/wire"
)

// Limits of the protocol. Those that Corosync has too carry Corosync's values.
const (
	// MaxRetransmits is the most entries in a token's retransmit list.
	MaxRetransmits = 30
	// MaxStoredPackets is how many packets of one ring a node keeps: those that not everybody
	// is known to have.
	MaxStoredPackets = 16384
	// MinMTUBytes and MaxMTUBytes bound the size of a sealed multicast packet.
	MinMTUBytes = 512
	MaxMTUBytes = env.MaxDatagramBytes
	// DefaultQueueBytes bounds what waits to be ordered: payload plus a fixed cost a message.
	DefaultQueueBytes = 8 << 20
	// MinTimeout is the shortest accepted timeout whose expiry is a verdict on another node (three
	// ticks of Corosync); MinPace that of one that only paces repetitions.
	MinTimeout = 30 * time.Millisecond
	MinPace    = time.Millisecond
	// MaxTimeout is the longest accepted time.
	MaxTimeout = 24 * time.Hour
)

// Timers are the protocol's times and counts, already derived: Token is the effective token
// timeout. See [DefaultTimers] for how Corosync derives them.
type Timers struct {
	Token           time.Duration // no token for so long: the ring is lost
	TokenWarningPct int           // warn after this share of Token, in percent; 0 is never
	TokenRetransmit time.Duration // no sign of the forwarded token for so long: send it again
	Hold            time.Duration // an idle ring's token rests so long at the representative
	Consensus       time.Duration // gathering waits so long for the silent before failing them
	Join            time.Duration // joins are repeated this often
	SendJoin        time.Duration // upper bound of a random delay before a join; 0 is none
	Merge           time.Duration // an idle ring looks for others after so long

	FailRecvConst       int // rotations without progress of my receipt before I leave the ring
	SeqnoUnchanged      int // rotations without a message before the token is held
	MissCount           int // visits that must miss a packet before it is asked for again
	WindowSize          int // packets that one rotation may carry
	MaxMessages         int // packets that one visit may send
	PauseChecksPerToken int // the pause clock is stamped so many times a Token
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
		Merge:           200 * time.Millisecond,
		FailRecvConst:   2500, SeqnoUnchanged: 30, MissCount: 5,
		WindowSize: 50, MaxMessages: 17, PauseChecksPerToken: 5,
	}
}

// Peer is one configured node: who it is and where it is.
type Peer struct {
	ID      ring.NodeID
	Machine env.MachineID
}

// Config is what a node must know before it starts.
type Config struct {
	Node   ring.NodeID // this node
	Peers  []Peer      // every configured node, this one included; ids and machines are unique
	Key    []byte      // the cluster key, see wire.CheckKey
	Timers Timers
	// MTUBytes is the largest sealed multicast packet; longer messages are cut, short ones share.
	MTUBytes int
	// QueueBytes bounds what waits to be ordered; 0 means DefaultQueueBytes.
	QueueBytes int
	// Link is the network that carries the ring.
	Link env.LinkID
	// FirstTimer is the first of NumTimers timer ids that belong to this node.
	FirstTimer env.TimerID
	// StateFile keeps the ring sequence and the boot count on the disk.
	StateFile string
	// Quiet leaves out the records for checkers.
	Quiet bool
}

// ErrConfig is wrapped by every complaint about a [Config].
var ErrConfig = errors.New("unusable ring configuration")

// Check says what is wrong with a configuration. It fails with ErrConfig.
func (c *Config) Check() error {
	if err := c.checkPeers(); err != nil {
		return err
	}
	if err := wire.CheckKey(c.Key); err != nil {
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
			return fmt.Errorf("%w: node id 0, ids begin at 1", ErrConfig)
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
		{"merge", t.Merge, MinPace}, {"hold", t.Hold, MinPace},
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
