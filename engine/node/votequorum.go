package node

import (
	"context"
	"log/slog"

	"github.com/holdfast-sim/holdfast/engine/cluster"
	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/quorum"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/totem"
)

// QuorumView is the record of votequorum's decision on a ring.
type QuorumView struct {
	Node     ring.NodeID   `json:"node"`
	Ring     ring.ID       `json:"ring"`
	Members  []ring.NodeID `json:"members"`
	Quorate  bool          `json:"quorate"`
	Votes    uint32        `json:"votes"`
	Expected uint32        `json:"expected"`
	Quorum   uint32        `json:"quorum"`
}

// RecordKind implements env.Record.
func (QuorumView) RecordKind() string { return "quorum" }

// newClusterProcess returns the cluster process with votequorum inside. The configurations were checked
// before.
func newClusterProcess(rc totem.Config, qc quorum.Config) env.Process {
	p, err := cluster.NewWithService(rc, &votequorumService{config: qc})
	if err != nil {
		panic("node: a configuration that was accepted makes no cluster process: " + err.Error())
	}
	return p
}

// votequorumService connects votequorum to the cluster process: it multicasts, sets timers and announces
// what votequorum asks for.
type votequorumService struct {
	config     quorum.Config
	host       cluster.Host
	votequorum *quorum.Votequorum
	ring       ring.ID
}

// Start implements cluster.Service.
func (v *votequorumService) Start(h cluster.Host) error {
	v.host = h
	machine, out, err := quorum.New(v.config)
	if err != nil {
		return err
	}
	v.votequorum = machine
	v.carryOut(out)
	return nil
}

// Ring implements cluster.Service.
func (v *votequorumService) Ring(c totem.Configuration) {
	v.ring = c.Ring
	v.carryOut(v.votequorum.Ring(c.Ring, c.Members))
}

// Deliver implements cluster.Service.
func (v *votequorumService) Deliver(id ring.ID, from ring.NodeID, payload []byte) {
	if id != v.ring {
		return // of an earlier ring
	}
	out, err := v.votequorum.Deliver(from, payload)
	if err != nil {
		// The sender has the key, so it is a node of this cluster with another version of the engine.
		// The ring stays without a decision, and so without quorum, until that node has left.
		v.host.Env().Log().Error("cannot read the votes of a node", "subsys", "VOTEQ", "err", err.Error())
	}
	v.carryOut(out)
}

// Fired implements cluster.Service.
func (v *votequorumService) Fired(timer uint32) {
	v.carryOut(v.votequorum.TimerExpired(quorum.Timer(timer)))
}

// carryOut does what an output asks for. Nothing has to be persisted: the options that need it are not
// supported yet, see Config.Plain.
func (v *votequorumService) carryOut(out quorum.Output) {
	for _, m := range out.Multicast {
		v.host.Multicast(m)
	}
	for _, t := range out.Timers {
		if t.Set {
			v.host.SetTimer(uint32(t.Timer), t.After)
		} else {
			v.host.StopTimer(uint32(t.Timer))
		}
	}
	v.log(out.Log)
	if !out.Announce {
		return
	}
	d := out.Decision
	v.host.Env().Emit(QuorumView{Node: v.config.Self, Ring: d.Ring, Members: d.Members,
		Quorate: d.Quorate, Votes: d.Votes, Expected: d.Expected, Quorum: d.Quorum})
	v.host.Announce(cpg.Quorum{Ring: d.Ring, Quorate: d.Quorate, Votes: d.Votes,
		Expected: d.Expected, QuorumVotes: d.Quorum})
}

// log writes votequorum's own log lines; the cluster process writes those about the membership.
func (v *votequorumService) log(lines []quorum.LogLine) {
	for _, l := range lines {
		if l.Subsystem == quorum.SubsystemVotequorum {
			v.host.Env().Log().Log(context.Background(), logLevel(l.Level), l.Text,
				"subsys", string(l.Subsystem))
		}
	}
}

func logLevel(l quorum.Level) slog.Level {
	switch l {
	case quorum.Debug:
		return slog.LevelDebug
	case quorum.Info, quorum.Notice:
		return slog.LevelInfo
	case quorum.Warning:
		return slog.LevelWarn
	}
	return slog.LevelError
}
