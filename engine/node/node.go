package node

import (
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/engine/cluster"
	"github.com/holdfast-sim/holdfast/engine/corosync"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/engine/quorum"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/totem"
	"github.com/holdfast-sim/holdfast/engine/wire"
)

// Options describe the node to compose.
type Options struct {
	// Cluster is the cluster's configuration. The i-th node of its nodelist is machine i.
	Cluster *corosync.Config
	// Machine is this node's index in the nodelist.
	Machine env.MachineID
	// Key is the cluster's secret, at least wire.MinKeyBytes bytes.
	Key []byte
	// Cipher seals the ring's packets; nil means AES-GCM. The simulator may give a cheaper one.
	Cipher wire.Cipher
	// PageBytes is the size of the pages of the store's database, if it is new; SQLite's default unless set.
	PageBytes int
	// LogKeep is the number of revisions whose requests a new cluster's store remembers;
	// state.DefaultLogKeep unless set.
	LogKeep uint64
	// Timescale multiplies every timer, for runs on real nodes.
	Timescale timescale.Ratio
	// DiskDir is the directory of the machine's disk, for messages to its operator.
	DiskDir string
	// Quiet makes the ring emit no records for checkers.
	Quiet bool
	// HA adds the HA manager; nil leaves it out.
	HA *HA
}

// Process is one process of a node.
type Process struct {
	Name string
	// New creates the process for each start.
	New func() env.Process
	// Restart is how long a service manager waits before it starts the process again.
	Restart time.Duration
	// Operations is what the process does with operations of clients.
	Operations Operations
}

// Operations is what a process does with operations of clients. The zero value serves none.
type Operations struct {
	// Served means that the process answers them.
	Served bool
	// Always means that they must reach the process however busy the machine is.
	Always bool
	// ReadOnly reports whether an operation changes nothing; nil stands for never.
	ReadOnly func(input []byte) bool
}

// ErrOptions is wrapped by every error about Options.
var ErrOptions = errors.New("composing a node")

// restartAfter is the delay before a restart, as of a service manager.
const restartAfter = time.Second

// awaitStore is how long the cluster process waits for the store at its start: opening the database takes
// longer than forming a ring.
const awaitStore = 3 * time.Second

// DefaultMTUBytes is the size of a sealed packet of the ring unless the configuration sets netmtu: what
// every Ethernet carries in one frame.
const DefaultMTUBytes = 1400

// StateFile is the name of the file with the ring's sequence and the boot count.
const StateFile = "cluster/ring"

// Compose returns a node's processes, in the order in which a machine starts them. It fails with
// ErrOptions.
func Compose(o Options) ([]Process, error) {
	conf := o.Cluster
	if int(o.Machine) < 0 || int(o.Machine) >= len(conf.Nodes) {
		return nil, fmt.Errorf("%w: %s has %d nodes, there is no node number %d",
			ErrOptions, conf.File, len(conf.Nodes), o.Machine+1)
	}
	timers, err := scaledTimers(conf, o.Timescale)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	self := conf.Nodes[o.Machine].ID
	ringConfig := totemConfig(conf, self, conf.Nodes[o.Machine].Votes(), timers)
	ringConfig.Key, ringConfig.Cipher, ringConfig.Quiet = o.Key, o.Cipher, o.Quiet
	if err := ringConfig.Check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	votes, err := quorum.FromCorosync(conf, timers, self)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	shared := settingsThatMustBeEqual(o)
	processes := []Process{
		{Name: cluster.Name, Restart: restartAfter, New: func() env.Process {
			return newClusterProcess(ringConfig, votequorumService{config: votes.Plain(),
				limits: conf.Unsupported(), settings: shared}, o.Timescale.Of(awaitStore))
		}, Operations: Operations{Served: true, ReadOnly: changesNothing}},
		storeProcess(o, conf, self),
	}
	if o.HA == nil {
		return processes, nil
	}
	more, err := haProcesses(o, conf)
	return append(processes, more...), err
}

func scaledTimers(conf *corosync.Config, ts timescale.Ratio) (corosync.Timers, error) {
	timers, err := corosync.DeriveTimers(conf)
	if err != nil || ts.IsOne() {
		return timers, err
	}
	return timers.Scaled(ts)
}

func totemConfig(conf *corosync.Config, self ring.NodeID, votes uint32, t corosync.Timers) totem.Config {
	mtu := int(conf.Totem.NetMTU.Or(DefaultMTUBytes))
	c := totem.Config{Node: self, Votes: votes, MTUBytes: min(max(mtu, totem.MinMTUBytes), totem.MaxMTUBytes),
		StateFile: StateFile, Timers: totem.DefaultTimers(t.Token), Relay: conf.Totem.Relays()}
	for i, n := range conf.Nodes {
		c.Peers = append(c.Peers, totem.Peer{ID: n.ID, Machine: env.MachineID(i)})
	}
	r := &c.Timers
	r.TokenRetransmit, r.Hold, r.Consensus = t.TokenRetransmit, t.Hold, t.Consensus
	r.SendJoin = t.SendJoin
	// It only paces repetitions. Scaling may make it shorter than the ring accepts.
	r.Join = max(t.Join, totem.MinTimeout)
	r.FailRecvConst, r.SeqnoUnchanged = int(t.FailRecvConst), int(t.SeqnoUnchangedConst)
	r.MissCount, r.WindowSize, r.MaxMessages = int(t.MissCountConst), int(t.WindowSize), int(t.MaxMessages)
	r.TokenWarningPct = 0
	if t.TokenWarning > 0 {
		r.TokenWarningPct = int((t.TokenWarning*100 + t.Token - 1) / t.Token)
	}
	return c
}
