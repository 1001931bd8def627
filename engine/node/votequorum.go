package node

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/holdfast-sim/holdfast/engine/cluster"
	"github.com/holdfast-sim/holdfast/engine/corosync"
	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/quorum"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store"
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
func newClusterProcess(rc totem.Config, v votequorumService, awaitStore time.Duration) env.Process {
	p, err := cluster.NewWithService(rc, &v)
	if err != nil {
		panic("node: a configuration that was accepted makes no cluster process: " + err.Error())
	}
	p.AwaitClient(store.Process, awaitStore)
	return p
}

// votequorumService connects votequorum to the cluster process: it multicasts, sets timers and announces
// what votequorum asks for.
type votequorumService struct {
	config     quorum.Config
	limits     []corosync.Limitation // settings of the file that are not carried out
	settings   []corosync.Setting    // that must be equal on all nodes
	host       cluster.Host
	votequorum *quorum.Votequorum
	comparison *settingsComparison
	ring       ring.ID
}

// Start implements cluster.Service.
func (v *votequorumService) Start(h cluster.Host) error {
	v.host = h
	for _, l := range v.limits {
		v.host.Env().Log().Warn(l.String(), "subsys", "CONFIG")
	}
	machine, out, err := quorum.New(v.config)
	if err != nil {
		return err
	}
	v.votequorum, v.comparison = machine, newSettingsComparison(v.config.Self, v.settings)
	v.carryOut(out)
	return nil
}

// Ring implements cluster.Service.
func (v *votequorumService) Ring(c totem.Configuration) {
	v.ring = c.Ring
	v.carryOut(v.votequorum.StartRing(c.Ring, c.Members))
	v.comparison.startInRing(v.host, c.Members)
}

// Deliver implements cluster.Service.
func (v *votequorumService) Deliver(id ring.ID, from ring.NodeID, payload []byte) {
	if id != v.ring {
		return // of an earlier ring
	}
	if isSettings(payload) {
		v.compareSettings(from, payload)
		return
	}
	out, err := v.votequorum.Deliver(from, payload)
	if err != nil {
		// The sender has the key, so it is a node of this cluster with another version of the engine.
		// The ring stays without a decision, and so without quorum, until that node has left.
		v.host.Env().Log().Error("cannot read the votes of a node", "subsys", "VOTEQ", "err", err.Error())
	}
	v.carryOut(out)
}

// compareSettings takes a member's settings and logs what it has otherwise.
func (v *votequorumService) compareSettings(from ring.NodeID, payload []byte) {
	differences, err := v.comparison.deliver(v.host, from, payload)
	log := v.host.Env().Log()
	if err != nil {
		log.Error("cannot read the settings of a node", "subsys", "CONFIG", "node", from, "err", err.Error())
	}
	for _, d := range differences {
		v.host.Env().Probe("node/settings-differ")
		log.Warn("the configuration differs between nodes: "+d.String(), "subsys", "CONFIG")
	}
}

// Operations of the cluster process.
const (
	// OpStatus asks for a [ClusterStatus].
	OpStatus = "status"
)

// ClusterStatus is what the cluster process knows, in JSON the answer to [OpStatus].
type ClusterStatus struct {
	Node     ring.NodeID   `json:"node"`
	Ring     string        `json:"ring"`
	Members  []ring.NodeID `json:"members"`
	Syncing  bool          `json:"syncing"` // the members exchange their votes; the rest is provisional
	Quorate  bool          `json:"quorate"`
	Votes    uint32        `json:"votes"`
	Expected uint32        `json:"expected"`
	Needed   uint32        `json:"needed"`
	// NotCarriedOut are the settings of this node's file that the engine does not carry out.
	NotCarriedOut []string `json:"not_carried_out,omitempty"`
	// Differences are settings that must be equal on all nodes and that members have otherwise.
	Differences []Difference `json:"differences,omitempty"`
	// Relayed are the nodes that this node reaches over a third one only.
	Relayed []cluster.Relayed `json:"relayed,omitempty"`
	// Error is why an operation was refused.
	Error string `json:"error,omitempty"`
}

// changesNothing reports whether an operation of the cluster process changes nothing.
func changesNothing(input []byte) bool {
	return cluster.IsReadOnly(input) || string(input) == OpStatus
}

// Invoked implements cluster.OperationService.
func (v *votequorumService) Invoked(ev env.Invoked) {
	var s ClusterStatus
	if string(ev.Input) == OpStatus {
		s = v.status()
	} else {
		s.Error = fmt.Sprintf("the cluster process has no operation %q: there are %q, %q and %q",
			ev.Input[:min(len(ev.Input), maxEchoBytes)], OpStatus, cluster.OpRing, cluster.OpLeave)
	}
	text, err := json.Marshal(s)
	if err != nil {
		panic("node: a status cannot be encoded: " + err.Error())
	}
	v.host.Env().Complete(ev.Op, text)
}

// maxEchoBytes bounds what an error repeats of an unknown operation.
const maxEchoBytes = 64

func (v *votequorumService) status() ClusterStatus {
	d := v.votequorum.Decision()
	s := ClusterStatus{Node: v.config.Self, Ring: d.Ring.String(), Members: d.Members,
		Syncing: v.votequorum.Syncing(), Quorate: d.Quorate, Votes: d.Votes, Expected: d.Expected,
		Needed: d.Quorum, Differences: v.comparison.found, Relayed: v.host.Relayed()}
	for _, l := range v.limits {
		s.NotCarriedOut = append(s.NotCarriedOut, l.String())
	}
	return s
}

// Fired implements cluster.Service.
func (v *votequorumService) Fired(timer uint32) {
	v.carryOut(v.votequorum.TimerExpired(quorum.Timer(timer)))
}

// Leaving implements cluster.LeavingService: it logs what the leave means for the others.
func (v *votequorumService) Leaving() {
	log := v.host.Env().Log().With("subsys", "VOTEQ")
	d := v.votequorum.Decision()
	if v.votequorum.Syncing() || !d.Quorate {
		log.Info("this node leaves, and its ring has no quorum now", "members", len(d.Members))
		return
	}
	rest := d.Votes - min(d.Votes, v.config.Votes)
	if rest < d.Quorum {
		log.Warn("this node leaves, and the others lose quorum by it: nothing can be changed until it or "+
			"another node is back", "votes_left", rest, "votes_needed", d.Quorum)
		return
	}
	log.Info("this node leaves, and the others keep quorum", "votes_left", rest, "votes_needed", d.Quorum)
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

// log writes the log lines about votes, and those about members and the primary component.
func (v *votequorumService) log(lines []quorum.LogLine) {
	for _, l := range lines {
		v.host.Env().Log().Log(context.Background(), logLevel(l.Level), l.Text, "subsys", string(l.Subsystem))
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
