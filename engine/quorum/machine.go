package quorum

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

// ErrStranger is wrapped when a message comes from a node that is not in the ring.
var ErrStranger = errors.New("quorum message from outside the ring")

type state uint8

const (
	member  state = iota + 1 // its node info counts
	dead                     // not in the ring, or not heard on it yet
	leaving                  // said that it stops
)

// node is what the machine knows of one node, itself included.
type node struct {
	id       ring.NodeID
	state    state
	votes    uint32
	expected uint32
	flags    Flags
	majority Majority
	// What it said last of the expected votes and of the device's votes. expected is what this
	// machine makes of it.
	reported    uint32
	deviceVotes uint32
}

// heldCommand is an operator's command that waits for the end of the sync.
type heldCommand struct {
	from ring.NodeID
	msg  Reconfigure
}

// maxHeld bounds the commands that wait for the end of a sync; more are dropped and logged.
const maxHeld = 64

// Machine is votequorum on one node. It is not safe for concurrent use.
type Machine struct {
	given Config // as configured
	cfg   Config // what is in force

	nodes   []node // ascending by id
	quorum  uint32 // votes needed
	quorate bool
	last    Verdict // announced last

	ring    ring.ID
	members []ring.NodeID // of the ring, ascending
	syncing bool
	awaited []ring.NodeID // members that have not finished this sync
	held    []heldCommand // operator's commands that came in the middle of the sync

	waitingForAll bool   // wait_for_all is armed
	floor         uint32 // allow_downscale never goes below
	tracked       uint32 // highest expected votes ever seen, if tracking
	lmsTimer      bool   // the last-man window is running
	lmsDue        bool   // it passed in the middle of a sync

	device deviceState
	out    Output
}

// New starts the machine of a node that is alone until the first ring. The output has the log
// lines of the start.
func New(cfg Config) (*Machine, Output, error) {
	if err := cfg.check(); err != nil {
		return nil, Output{}, fmt.Errorf("starting votequorum on node %d: %w", cfg.Self, err)
	}
	m := &Machine{given: cfg, syncing: true}
	m.cfg = cfg.effective(m.log)
	m.nodes = []node{{id: cfg.Self, state: member, flags: First}}
	m.members = []ring.NodeID{cfg.Self}
	m.tracked = cfg.TrackedExpected
	m.applyVotes()
	m.device.allowed = true
	m.armWaitForAll(m.cfg.WaitForAll)
	m.quorum = m.required(0, false)
	return m, m.take(), nil
}

// applyVotes takes votes and expected votes from the configuration.
func (m *Machine) applyVotes() {
	us := m.us()
	us.votes, us.expected = m.cfg.Votes, m.cfg.ExpectedVotes
	if m.cfg.TrackExpected {
		us.expected = max(us.expected, m.tracked)
	}
	m.floor = m.cfg.ExpectedVotes
	m.device.votes = 0
	if m.cfg.Device {
		m.device.votes = m.cfg.DeviceVotes
	}
}

// us is this node's own entry.
func (m *Machine) us() *node { return m.find(m.cfg.Self) }

func (m *Machine) find(id ring.NodeID) *node {
	i, ok := m.search(id)
	if !ok {
		return nil
	}
	return &m.nodes[i]
}

func (m *Machine) search(id ring.NodeID) (int, bool) {
	return slices.BinarySearchFunc(m.nodes, id, func(n node, id ring.NodeID) int {
		return int(int64(n.id) - int64(id))
	})
}

// findOrAdd is find, with a new entry if there is none. Entries of dead nodes are dropped when
// there are more than a ring can have.
func (m *Machine) findOrAdd(id ring.NodeID) *node {
	if n := m.find(id); n != nil {
		return n
	}
	if len(m.nodes) >= ring.MaxNodes {
		m.nodes = slices.DeleteFunc(m.nodes, func(n node) bool {
			return n.state != member && n.id != m.cfg.Self
		})
	}
	i, _ := m.search(id)
	m.nodes = slices.Insert(m.nodes, i, node{id: id, state: dead})
	return &m.nodes[i]
}

// Ring starts the sync of a new ring: call it at the ring's regular configuration, before any of
// the ring's messages. A ring that comes while another is being synced replaces it. The members
// must contain this node and be ascending.
func (m *Machine) Ring(id ring.ID, members []ring.NodeID) Output {
	if !slices.IsSorted(members) || !slices.Contains(members, m.cfg.Self) || len(members) > ring.MaxNodes {
		panic(fmt.Sprintf("quorum: ring %v with members %v given to node %d", id, members, m.cfg.Self))
	}
	joined, left := without(members, m.members), without(m.members, members)
	m.members, m.ring, m.syncing = slices.Clone(members), id, true
	m.awaited = slices.Clone(members)
	m.applyHeld()
	for _, gone := range left {
		if n := m.find(gone); n != nil {
			n.state = dead
		}
	}
	if len(members) > 1 {
		m.us().flags &^= First
	}
	m.logQuorum("Sync members[%d]: %s", len(members), list(members))
	if len(joined) > 0 {
		m.logQuorum("Sync joined[%d]: %s", len(joined), list(joined))
	}
	if len(left) > 0 {
		m.logQuorum("Sync left[%d]: %s", len(left), list(left))
	}
	m.startLastManStanding(len(left) > 0)
	m.startDeviceWait()
	m.announceSelf()
	if m.cfg.Device && m.device.name != "" {
		m.multicast(DeviceRegister{Register: true, Name: m.device.name})
	}
	return m.take()
}

// announceSelf multicasts this node's info.
func (m *Machine) announceSelf() {
	us := m.us()
	m.multicast(NodeInfo{Ring: m.ring, Votes: us.votes, Expected: us.expected, Flags: us.flags,
		DeviceVotes: m.device.votes, Majority: us.majority, Waiting: m.device.syncWait})
}

// Deliver takes one of the package's messages in the ring's order, also the machine's own. A
// message that cannot be decoded or comes from outside the ring changes nothing.
func (m *Machine) Deliver(from ring.NodeID, payload []byte) (Output, error) {
	msg, err := Decode(payload)
	if err != nil {
		return Output{}, fmt.Errorf("taking a message from node %d: %w", from, err)
	}
	if !slices.Contains(m.members, from) {
		return Output{}, fmt.Errorf("taking a message from node %d on ring %v: %w", from, m.ring, ErrStranger)
	}
	switch msg := msg.(type) {
	case NodeInfo:
		if msg.Ring == m.ring {
			m.nodeInfo(from, msg)
			if !msg.Waiting {
				m.finished(from)
			}
		}
	case Ready:
		if msg.Ring == m.ring {
			m.finished(from)
		}
	case Reconfigure:
		m.command(from, msg)
	case DeviceRegister:
		m.deviceRegister(from, msg)
	}
	return m.take(), nil
}

// finished notes that a member has done its part of the sync. The last one completes it: only now
// is there a verdict, from what all members said, whatever the order in which they said it.
func (m *Machine) finished(id ring.NodeID) {
	if !m.syncing {
		return
	}
	m.awaited = without(m.awaited, []ring.NodeID{id})
	if len(m.awaited) > 0 {
		return
	}
	m.absorb(m.members)
	m.syncing = false
	m.rememberMajority()
	m.announce()
	held := m.held
	m.held = nil
	for _, h := range held {
		m.reconfigure(h.from, h.msg)
	}
	if m.lmsDue {
		m.lmsDue = false
		m.lastMenStanding()
	}
}

// nodeInfo takes a member's word on itself.
func (m *Machine) nodeInfo(from ring.NodeID, msg NodeInfo) {
	n := m.findOrAdd(from)
	n.state = member
	if msg.Flags&Leaving != 0 {
		n.state = leaving
	}
	if from != m.cfg.Self {
		n.votes, n.reported, n.flags = msg.Votes, msg.Expected, msg.Flags
		n.deviceVotes, n.majority = msg.DeviceVotes, msg.Majority
	}
	if !m.syncing {
		m.absorb([]ring.NodeID{from})
	}
}

// absorb draws the conclusions from the latest infos of some members.
func (m *Machine) absorb(from []ring.NodeID) {
	us := m.us()
	var adopted uint32
	byPresent, released := false, false
	for _, id := range from {
		n := m.find(id)
		byPresent = byPresent || n.state == leaving && m.cfg.AllowDownscale
		if id == m.cfg.Self {
			continue
		}
		m.adoptDeviceVotes(n)
		if n.flags&Quorate != 0 {
			released = released || n.flags&WaitingForAll == 0
			adopted = max(adopted, n.reported)
		}
		if m.cfg.LastManStanding && n.votes > 1 {
			m.log(Warning, "Last Man Standing feature is supported only when all cluster nodes votes are "+
				"set to 1. Disabling LMS.")
			m.cfg.LastManStanding = false
			m.stopLastManStanding()
		}
	}
	// A node that is not quorate takes the word of the quorate side on what is expected.
	adopt := adopted > 0 && !m.quorate
	if adopt {
		us.expected = adopted
	}
	for _, id := range from {
		n := m.find(id)
		switch {
		case id == m.cfg.Self:
		case n.flags&Quorate != 0 || m.cfg.TrackExpected:
			n.expected = n.reported
		default:
			n.expected = us.expected
		}
	}
	if m.waitingForAll && released {
		m.armWaitForAll(false)
	}
	m.recalculate(adopt || byPresent, byPresent)
}

// startLastManStanding starts the window after which the nodes that are left count as the whole
// cluster, if enough of them are left.
func (m *Machine) startLastManStanding(lost bool) {
	if !m.cfg.LastManStanding {
		return
	}
	present := uint32(len(m.members))
	tie := m.cfg.TieBreaker != TieNone && m.decides(m.us().majority)
	if present >= m.quorum && lost || present <= m.quorum && tie {
		m.setTimer(LastManStandingTimer, m.cfg.LastManStandingWindow)
		m.lmsTimer = true
	}
}

func (m *Machine) stopLastManStanding() {
	if m.lmsTimer {
		m.stopTimer(LastManStandingTimer)
		m.lmsTimer = false
	}
}

// lastMenStanding takes the nodes that are left for the whole cluster, if they are quorate.
func (m *Machine) lastMenStanding() {
	if m.quorate && !m.syncing {
		m.recalculate(true, true)
	}
}

// Fire tells that a timer has expired.
func (m *Machine) Fire(t Timer) Output {
	switch t {
	case LastManStandingTimer:
		if m.lmsTimer {
			m.lmsTimer = false
			m.lmsDue = m.syncing
			m.lastMenStanding()
		}
	case DeviceTimer:
		m.deviceSilent()
	}
	return m.take()
}

// announce hands the verdict to whoever follows it, with the operators' log lines.
func (m *Machine) announce() {
	if m.last.Quorate != m.quorate {
		if m.quorate {
			m.logQuorum("This node is within the primary component and will provide service.")
		} else {
			m.logQuorum("This node is within the non-primary component and will NOT provide any services.")
		}
	}
	m.logQuorum("Members[%d]: %s", len(m.members), list(m.members))
	m.last = m.Verdict()
	m.out.Announce, m.out.Verdict = true, m.last
}

// Syncing tells whether the members of the ring are still exchanging their votes. Until they are
// done there is no verdict on the ring, and nobody should act on an earlier one.
func (m *Machine) Syncing() bool { return m.syncing }

// Verdict is the present verdict. While Syncing it is provisional.
func (m *Machine) Verdict() Verdict {
	votes, _ := m.present()
	return Verdict{Ring: m.ring, Members: slices.Clone(m.members), Quorate: m.quorate, Votes: votes,
		Expected: m.us().expected, Quorum: m.quorum}
}

// without gives a minus b, in a new slice.
func without(a, b []ring.NodeID) []ring.NodeID {
	var out []ring.NodeID
	for _, id := range a {
		if !slices.Contains(b, id) {
			out = append(out, id)
		}
	}
	return out
}

func list(ids []ring.NodeID) string {
	var b strings.Builder
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(strconv.FormatUint(uint64(id), 10))
	}
	return b.String()
}
