package node

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/holdfast-sim/holdfast/engine/cluster"
	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/quorum"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/totem"
)

// QuorumView is the record of a verdict on a ring.
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

// clusterProcess is the cluster process with votequorum inside.
type clusterProcess struct {
	*cluster.Process
	votes voteService
	err   error
}

func newClusterProcess(rc totem.Config, qc quorum.Config) env.Process {
	p := &clusterProcess{votes: voteService{config: qc}}
	p.Process, p.err = cluster.New(rc, &p.votes)
	return p
}

// Start implements env.Process.
func (p *clusterProcess) Start(e env.Env) error {
	if p.err != nil {
		return p.err
	}
	if err := p.votes.start(e); err != nil {
		return err
	}
	return p.Process.Start(e)
}

// voteService lets votequorum judge every ring. The cluster process carries the members' node
// infos and ends the exchange at one place of the order, so votequorum is fed all of them at
// once.
type voteService struct {
	config  quorum.Config
	env     env.Env
	machine *quorum.Machine
}

func (v *voteService) start(e env.Env) error {
	v.env = e
	machine, out, err := quorum.New(v.config)
	if err != nil {
		return err
	}
	v.machine = machine
	v.log(out.Log)
	return nil
}

// Info implements cluster.SyncService.
func (v *voteService) Info(c totem.Configuration) []byte {
	out := v.machine.Ring(c.Ring, c.Members)
	v.log(out.Log)
	if len(out.Multicast) != 1 {
		panic(fmt.Sprintf("node: votequorum opens a ring with %d messages", len(out.Multicast)))
	}
	return out.Multicast[0]
}

// Done implements cluster.SyncService.
func (v *voteService) Done(c totem.Configuration, infos []cluster.NodeInfo) cpg.Quorum {
	for _, info := range infos {
		out, err := v.machine.Deliver(info.Node, info.Info)
		v.log(out.Log)
		if err != nil {
			// The sender holds the key, so it is a node of ours that speaks another version. It
			// gets no vote.
			v.env.Log().Error("votes of a node do not count", "subsys", "VOTEQ", "err", err.Error())
		}
	}
	word := v.machine.Verdict()
	if v.machine.Syncing() {
		word.Quorate = false // a member's votes are unknown
	}
	v.env.Emit(QuorumView{Node: v.config.Self, Ring: c.Ring, Members: c.Members, Quorate: word.Quorate,
		Votes: word.Votes, Expected: word.Expected, Quorum: word.Quorum})
	return cpg.Quorum{Ring: c.Ring, Quorate: word.Quorate, Votes: word.Votes,
		Expected: word.Expected, QuorumVotes: word.Quorum}
}

// log writes votequorum's own lines; the cluster process writes those on the membership.
func (v *voteService) log(lines []quorum.LogLine) {
	for _, l := range lines {
		if l.Subsystem == "VOTEQ" {
			v.env.Log().Log(context.Background(), level(l.Level), l.Text, "subsys", l.Subsystem)
		}
	}
}

func level(l quorum.Level) slog.Level {
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
