package store

import (
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/sqldb"
	"github.com/holdfast-sim/holdfast/engine/store/state"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

// Process is the name under which the store runs on a machine.
const Process = "store"

// Options configure a store process.
type Options struct {
	// Node is this node's id; Nodes the configured cluster with the votes of corosync.conf. The
	// store uses Nodes only to start a cluster; from then on its replicated configuration counts.
	Node  ring.NodeID
	Nodes []Vote
	// Database is the file's name on the machine's disk; "store/config.db" unless set.
	Database string
	// DiskDir is the directory of the machine's disk, for messages to its operator; "" where it has none.
	DiskDir string
	// LogKeep is the number of revisions whose requests are remembered; state.DefaultLogKeep
	// unless set. It is fixed when the cluster starts.
	LogKeep uint64
	Limits  tree.Limits
	Timers  Timers
	// Votequorum is set if the cluster process announces votequorum's decision on each ring: the store then
	// acknowledges nothing without its quorum.
	Votequorum bool
	// PageBytes is the size of the pages of a new database; SQLite's default unless set.
	PageBytes int
	// Open opens the disk's state; sqldb unless set.
	Open Opener
}

// Vote is a configured node.
type Vote struct {
	Node  ring.NodeID
	Votes uint32
	// Name is what people call it; only the status shows it.
	Name string
}

// Opener opens a node's durable state.
type Opener func(sqldb.Options) (state.Backend, *state.Replica, error)

// Timers are the store's times, all on the monotonic clock.
type Timers struct {
	// ReportWait is how long the other members' reports are waited for before a decision is
	// proposed without the silent ones.
	ReportWait time.Duration
	// ProposeStep separates the proposals of successive nodes, should the first one stay away.
	ProposeStep time.Duration
	// FetchRetry is how long a snapshot is waited for before another member is asked.
	FetchRetry time.Duration
	// ServeGather is how long requests for snapshots are gathered before one is sent.
	ServeGather time.Duration
	// ReformDelay is how long a store that entered a ring late waits for a new one by itself
	// before it asks for one, and ReformRetry how often it asks again.
	ReformDelay, ReformRetry time.Duration
	// OperationTimeout is how long an operation may stay unanswered.
	OperationTimeout time.Duration
	// BusyRetry is how long a store waits before it tries again to multicast because the cluster process was
	// busy. It waits twice as long each time, up to 16 times as long.
	BusyRetry time.Duration
	// RememberAfter is how long after the last commit a store waits before it makes durable what the others
	// have confirmed since.
	RememberAfter time.Duration
	// LeaveWait is how long a store that must leave its ring waits for the answers that it still owes.
	LeaveWait time.Duration
	// FailedRetry separates attempts to open the store again after a disk error.
	FailedRetry time.Duration
	// DamagedRetry separates attempts to open a database that is damaged: only an operator can change that.
	DamagedRetry time.Duration
}

// DefaultTimers are the times of a store in service.
func DefaultTimers() Timers {
	return Timers{
		ReportWait:       500 * time.Millisecond,
		ProposeStep:      200 * time.Millisecond,
		FetchRetry:       2 * time.Second,
		ServeGather:      2 * time.Millisecond,
		ReformDelay:      200 * time.Millisecond,
		ReformRetry:      2 * time.Second,
		OperationTimeout: 10 * time.Second,
		BusyRetry:        10 * time.Millisecond,
		RememberAfter:    100 * time.Millisecond,
		LeaveWait:        500 * time.Millisecond,
		FailedRetry:      5 * time.Second,
		DamagedRetry:     time.Minute,
	}
}

// Bounds of queues.
const (
	// maxPending is the number of unanswered operations that one store accepts.
	maxPending = 1024
	// maxClients is the number of clients that wait for one request.
	maxClients = 64
	// maxBacklogBytes is what a store keeps of a ring's messages while it waits for its state.
	maxBacklogBytes = 16 << 20
	// maxBatchCommands is the number of commands that one transaction takes.
	maxBatchCommands = 256
)

func (o Options) withDefaults() Options {
	if o.Database == "" {
		o.Database = "store/config.db"
	}
	if o.LogKeep == 0 {
		o.LogKeep = state.DefaultLogKeep
	}
	if o.Limits == (tree.Limits{}) {
		o.Limits = tree.DefaultLimits()
	}
	if o.Timers == (Timers{}) {
		o.Timers = DefaultTimers()
	}
	if o.Open == nil {
		o.Open = func(so sqldb.Options) (state.Backend, *state.Replica, error) {
			db, r, err := sqldb.Open(so)
			if err != nil {
				return nil, nil, err
			}
			return db, r, nil
		}
	}
	return o
}

// proposedConfig is the configuration that this node would start a cluster with.
func (o *Options) proposedConfig() (*state.Config, error) {
	c := &state.Config{LogKeep: o.LogKeep}
	for _, v := range o.Nodes {
		c.Members = append(c.Members, state.Member{Node: v.Node, Votes: v.Votes})
	}
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("configuring the store: %w", err)
	}
	if c.Member(o.Node) == nil {
		return nil, fmt.Errorf("configuring the store: node %d is not among the configured nodes", o.Node)
	}
	return c, nil
}

// Timer ids of the process.
const (
	timerFlush env.TimerID = 1 + iota
	timerPropose
	timerFetch
	timerServe
	timerReform
	timerSweep
	timerOutbox
	timerRecover
	timerLeave
	timerRemember
)
