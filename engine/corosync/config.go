package corosync

import (
	"slices"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

// Limits of a cluster.
const (
	MaxNodes            = ring.MaxNodes // processors in one ring
	MaxLinks            = 8             // ring0_addr to ring7_addr
	MaxVotes            = 65535         // of one node or of the device
	MaxClusterNameBytes = 255           // in a file; a new cluster is held to pveClusterNameBytes
	maxKnetNodeID       = 65535         // kronosnet's node ids have 16 bits
	pveClusterNameBytes = 15            // what pvecm create accepts
)

// Opt is a setting that may be absent from the file. An absent setting differs from one that is set to
// the default: some options depend on it, and writing must not add what was not in the file.
type Opt[T any] struct {
	Value T
	Set   bool
}

// Some returns a setting that is present.
func Some[T any](v T) Opt[T] { return Opt[T]{Value: v, Set: true} }

// Or returns the value, or def if the setting is absent.
func (o Opt[T]) Or(def T) T {
	if o.Set {
		return o.Value
	}
	return def
}

// sourceLines holds the lines of a section and of its keys. It is empty in a configuration built by code.
type sourceLines struct {
	sectionLine int
	keyLines    map[string]int
}

// lineOf returns the line of a key, or of its section if the key is absent.
func (s sourceLines) lineOf(key string) int {
	if line, ok := s.keyLines[key]; ok {
		return line
	}
	return s.sectionLine
}

// hasKey reports whether the section had the key, with any value.
func (s sourceLines) hasKey(key string) bool {
	_, ok := s.keyLines[key]
	return ok
}

// Config is a cluster configuration. Empty strings and unset options were not in the file.
type Config struct {
	File    string // the name given to Parse, for messages
	Totem   Totem
	Nodes   []Node // nodelist, in file order
	Quorum  Quorum
	Logging Logging
	// Extra holds the sections that have no meaning here (uidgid, system, resources, ...), and other
	// entries of the top level.
	Extra []Entry

	nodelistLines sourceLines
	// nodelistExtra holds the entries of the nodelist section other than its nodes.
	nodelistExtra []Entry
}

// Totem is the totem section. Times are in milliseconds, as in the file.
type Totem struct {
	Version       Opt[uint32] // of the file format: 2
	ClusterName   string
	ConfigVersion Opt[uint64]
	Transport     string // knet (default), udpu, udp
	IPVersion     string // ipv4, ipv6, ipv4-6, ipv6-4
	LinkMode      string // passive (default), active, rr

	SecAuth      string // on, off
	CryptoModel  string
	CryptoCipher string
	CryptoHash   string
	KeyFile      string
	Key          string

	TokenMs               Opt[uint32]
	TokenCoefficientMs    Opt[uint32] // added to the token timeout for every node beyond two
	TokenWarningPct       Opt[uint32] // of the token timeout; 0 turns the warning off
	TokenRetransmitMs     Opt[uint32]
	RetransmitsBeforeLoss Opt[uint32] // token_retransmits_before_loss_const
	HoldMs                Opt[uint32]
	ConsensusMs           Opt[uint32]
	JoinMs                Opt[uint32]
	SendJoinMs            Opt[uint32]
	MergeMs               Opt[uint32]
	DowncheckMs           Opt[uint32]

	FailRecvConst       Opt[uint32] // token rotations
	SeqnoUnchangedConst Opt[uint32] // token rotations
	MissCountConst      Opt[uint32]
	WindowSize          Opt[uint32] // messages a rotation, whole ring
	MaxMessages         Opt[uint32] // messages a token visit

	HeartbeatFailures   Opt[uint32] // heartbeat_failures_allowed; 0 turns heartbeats off
	MaxNetworkDelayMs   Opt[uint32]
	CancelHoldOnRetrans string // cancel_token_hold_on_retransmit: yes, no
	BlockUnlistedIPs    string // yes, no

	NetMTU           Opt[uint32] // bytes, udp and udpu
	KnetMTU          Opt[uint32] // bytes; 0 discovers it
	KnetPMTUDSeconds Opt[uint32] // knet_pmtud_interval
	IPDSCP           Opt[uint32]

	// Relay is auto or off: whether nodes whose link does not work reach each other over a third one. The key
	// is not Corosync's, which ignores it.
	Relay string

	Interfaces []Interface
	Extra      []Entry
	sourceLines
}

// The values of totem.relay.
const (
	RelayAuto = "auto"
	RelayOff  = "off"
)

// Relays reports whether the nodes use relays, which they do unless the file forbids it.
func (t *Totem) Relays() bool { return t.Relay != RelayOff }

// Interface is one interface section: settings of one link. When several sections have the same link, the
// value that is written last counts, as in Corosync.
type Interface struct {
	LinkNumber     Opt[uint32] // linknumber; absent means 0
	BindNetAddr    string
	Broadcast      string // yes, no
	McastAddr      string
	McastPort      Opt[uint32]
	TTL            Opt[uint32]
	KnetTransport  string // udp (default), sctp
	LinkPriority   Opt[uint32]
	PingIntervalMs Opt[uint32]
	PingTimeoutMs  Opt[uint32]
	PingPrecision  Opt[uint32] // samples
	PongCount      Opt[uint32]
	Extra          []Entry
	sourceLines
}

// Node is one node section of the nodelist.
type Node struct {
	ID          ring.NodeID // 0 if absent, which Validate refuses
	Name        string
	QuorumVotes Opt[uint32]
	Addrs       [MaxLinks]string // ringX_addr by link; IPv4, IPv6 or a host name; "" if absent
	Extra       []Entry
	idRefused   bool // nodeid was there and no number
	sourceLines
}

// Votes returns the votes of the node: quorum_votes, 1 if absent.
func (n Node) Votes() uint32 { return n.QuorumVotes.Or(1) }

// Quorum is the quorum section.
type Quorum struct {
	Provider              string
	ExpectedVotes         Opt[uint32]
	TwoNode               Opt[bool]
	WaitForAll            Opt[bool]
	LastManStanding       Opt[bool]
	LMSWindowMs           Opt[uint32] // last_man_standing_window
	AutoTieBreaker        Opt[bool]
	AutoTieBreakerNode    string // lowest (default), highest, or node ids in order of preference
	AllowDownscale        Opt[bool]
	ExpectedVotesTracking Opt[bool] // expected_votes_tracking
	Device                *Device   // nil if there is none
	Extra                 []Entry
	sourceLines
}

// Device is the quorum.device section.
type Device struct {
	Model         string // net
	VoteCount     Opt[uint32]
	TimeoutMs     Opt[uint32]
	SyncTimeoutMs Opt[uint32]
	MasterWins    Opt[bool]
	Net           *DeviceNet
	Extra         []Entry // among them heuristics
	sourceLines
}

// DeviceNet is the quorum.device.net section.
type DeviceNet struct {
	Host             string
	Port             Opt[uint32]
	Algorithm        string // ffsplit, lms, 2nodelms, test
	TieBreaker       string // lowest, highest or a node id
	TLS              string // on, off, required
	ConnectTimeoutMs Opt[uint32]
	ForceIPVersion   Opt[uint32] // 0, 4, 6
	KeepActive       string      // keep_active_partition_tie_breaker: on, off
	Extra            []Entry
	sourceLines
}

// Logging is the logging section.
type Logging struct {
	Debug          string // on, off, trace
	Timestamp      string // on, off, hires
	FileLine       string
	FunctionName   string
	Blackbox       string
	ToStderr       string
	ToLogfile      string
	ToSyslog       string
	Logfile        string
	LogfilePrio    string // logfile_priority
	SyslogFacility string
	SyslogPrio     string // syslog_priority
	Extra          []Entry
	sourceLines
}

// Node returns the node with an id.
func (c *Config) Node(id ring.NodeID) (Node, bool) {
	i := slices.IndexFunc(c.Nodes, func(n Node) bool { return n.ID == id })
	if i < 0 {
		return Node{}, false
	}
	return c.Nodes[i], true
}

// NodeByName returns the node with a name, or the node without a name that has it as an address.
func (c *Config) NodeByName(name string) (Node, bool) {
	i := slices.IndexFunc(c.Nodes, func(n Node) bool {
		return n.Name == name || n.Name == "" && slices.Contains(n.Addrs[:], name)
	})
	if i < 0 || name == "" {
		return Node{}, false
	}
	return c.Nodes[i], true
}

// NodeIDs returns the node ids in ascending order.
func (c *Config) NodeIDs() []ring.NodeID {
	ids := make([]ring.NodeID, len(c.Nodes))
	for i, n := range c.Nodes {
		ids[i] = n.ID
	}
	return ring.Sorted(ids)
}

// Links returns the numbers of the links on which nodes have addresses, ascending.
func (c *Config) Links() []int {
	var links []int
	for link := range MaxLinks {
		if slices.ContainsFunc(c.Nodes, func(n Node) bool { return n.Addrs[link] != "" }) {
			links = append(links, link)
		}
	}
	return links
}

// NodeVotes returns the sum of the votes of all nodes, without the device.
func (c *Config) NodeVotes() uint32 {
	var sum uint32
	for _, n := range c.Nodes {
		sum += n.Votes()
	}
	return sum
}

// DeviceVotes returns the votes of the quorum device: as written, otherwise one less than the sum of the
// nodes' votes; 0 without a device.
func (c *Config) DeviceVotes() uint32 {
	if c.Quorum.Device == nil || c.Quorum.Device.Model == "" {
		return 0
	}
	return c.Quorum.Device.VoteCount.Or(max(c.NodeVotes(), 1) - 1)
}

// ExpectedVotes returns the votes that a node expects at its start: quorum.expected_votes, or else the sum of
// the nodelist with the device. expected_votes_tracking and allow_downscale replace the written number.
func (c *Config) ExpectedVotes() uint32 {
	sum := c.NodeVotes() + c.DeviceVotes()
	if c.expectedFromNodes() {
		return sum
	}
	return c.Quorum.ExpectedVotes.Or(sum)
}

// expectedFromNodes reports whether the votes of the nodelist replace quorum.expected_votes.
func (c *Config) expectedFromNodes() bool {
	return c.Quorum.ExpectedVotesTracking.Value || c.Quorum.AllowDownscale.Value
}

// Name returns the name of the cluster for messages: cluster_name, or "unnamed".
func (c *Config) Name() string {
	if c.Totem.ClusterName == "" {
		return "unnamed"
	}
	return c.Totem.ClusterName
}

// Transport returns the transport in force, knet if the file sets none.
func (c *Config) Transport() string {
	if c.Totem.Transport == "" {
		return "knet"
	}
	return c.Totem.Transport
}
