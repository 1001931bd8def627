package quorum

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

// ErrNotMember is wrapped when a message comes from a node that is not in the ring.
var ErrNotMember = errors.New("quorum message from outside the ring")

type nodeState uint8

const (
	stateMember  nodeState = iota + 1 // its node info counts
	stateDead                         // not in the ring, or not heard on it yet
	stateLeaving                      // has announced that it stops
)

// node is what is known of one node, this one included.
type node struct {
	id                ring.NodeID
	state             nodeState
	votes             uint32
	effectiveExpected uint32
	flags             Flags
	majority          Majority
	// The expected votes and the device's votes in its last info; expected is what counts here.
	reportedExpected uint32
	deviceVotes      uint32
}

// heldCommand is an operator's command that is held until the sync ends.
type heldCommand struct {
	sender ring.NodeID
	msg    Reconfigure
}

// maxHeld bounds the commands that are held until a sync ends. More are dropped and logged.
const maxHeld = 64

// Votequorum is votequorum on one node. It is not safe for concurrent use.
type Votequorum struct {
	configured Config // as configured
	cfg        Config // what is in force

	nodes         []node // ascending by id
	quorumVotes   uint32 // votes needed
	quorate       bool
	lastAnnounced Decision // announced last

	ring           ring.ID
	members        []ring.NodeID // of the ring, ascending
	syncing        bool
	awaitedMembers []ring.NodeID // members that have not finished this sync
	heldCommands   []heldCommand // operator's commands that came in the middle of the sync

	waitingForAll   bool   // wait_for_all is armed
	downscaleFloor  uint32 // allow_downscale never goes below
	trackedExpected uint32 // highest expected votes ever seen, if tracking
	lmsTimerSet     bool   // the last-man window is running
	lmsTimerDue     bool   // it passed in the middle of a sync

	device deviceState
	output Output
}

// New returns the votequorum of a node that is alone until the first ring. The output has the log lines
// of the start. It fails with ErrConfig.
func New(cfg Config) (*Votequorum, Output, error) {
	if err := cfg.checkCombinations(); err != nil {
		return nil, Output{}, fmt.Errorf("starting votequorum on node %d: %w", cfg.Self, err)
	}
	vq := &Votequorum{configured: cfg, syncing: true}
	vq.cfg = cfg.withoutConflicts(vq.log)
	vq.nodes = []node{{id: cfg.Self, state: stateMember, flags: First}}
	vq.members = []ring.NodeID{cfg.Self}
	vq.trackedExpected = cfg.TrackedExpected
	vq.applyVotes()
	vq.device.registrationAllowed = true
	vq.armWaitForAll(vq.cfg.WaitForAll)
	vq.quorumVotes = vq.votesRequired(0, false)
	return vq, vq.takeOutput(), nil
}

// applyVotes takes votes and expected votes from the configuration.
func (vq *Votequorum) applyVotes() {
	us := vq.ownEntry()
	us.votes, us.effectiveExpected = vq.cfg.Votes, vq.cfg.ExpectedVotes
	if vq.cfg.TrackExpected {
		us.effectiveExpected = max(us.effectiveExpected, vq.trackedExpected)
	}
	vq.downscaleFloor = vq.cfg.ExpectedVotes
	vq.device.votes = 0
	if vq.cfg.Device {
		vq.device.votes = vq.cfg.DeviceVotes
	}
}

// ownEntry returns this node's own entry.
func (vq *Votequorum) ownEntry() *node { return vq.findNode(vq.cfg.Self) }

// findNode returns the entry of a node, nil if there is none.
func (vq *Votequorum) findNode(id ring.NodeID) *node {
	i, ok := vq.searchNode(id)
	if !ok {
		return nil
	}
	return &vq.nodes[i]
}

// searchNode returns the index of a node, or where it belongs.
func (vq *Votequorum) searchNode(id ring.NodeID) (int, bool) {
	return slices.BinarySearchFunc(vq.nodes, id, func(n node, id ring.NodeID) int {
		return int(int64(n.id) - int64(id))
	})
}

// findOrAdd returns the entry of a node, a new one if there is none. When there are more entries than a
// ring can have members, entries of dead nodes are dropped.
func (vq *Votequorum) findOrAdd(id ring.NodeID) *node {
	if n := vq.findNode(id); n != nil {
		return n
	}
	if len(vq.nodes) >= ring.MaxNodes {
		vq.nodes = slices.DeleteFunc(vq.nodes, func(n node) bool {
			return n.state != stateMember && n.id != vq.cfg.Self
		})
	}
	i, _ := vq.searchNode(id)
	vq.nodes = slices.Insert(vq.nodes, i, node{id: id, state: stateDead})
	return &vq.nodes[i]
}

// StartRing starts the sync of a new ring. Call it at the ring's regular configuration, before any of the
// ring's messages. A ring that comes in the middle of a sync replaces it. members must be ascending and
// contain this node.
func (vq *Votequorum) StartRing(id ring.ID, members []ring.NodeID) Output {
	if !slices.IsSorted(members) || !slices.Contains(members, vq.cfg.Self) || len(members) > ring.MaxNodes {
		panic(fmt.Sprintf("quorum: ring %v with members %v given to node %d", id, members, vq.cfg.Self))
	}
	joined, left := difference(members, vq.members), difference(vq.members, members)
	vq.members, vq.ring, vq.syncing = slices.Clone(members), id, true
	vq.awaitedMembers = slices.Clone(members)
	vq.applyHeld()
	for _, gone := range left {
		if n := vq.findNode(gone); n != nil {
			n.state = stateDead
		}
	}
	if len(members) > 1 {
		vq.ownEntry().flags &^= First
	}
	vq.logQuorum("Sync members[%d]: %s", len(members), formatIDs(members))
	if len(joined) > 0 {
		vq.logQuorum("Sync joined[%d]: %s", len(joined), formatIDs(joined))
	}
	if len(left) > 0 {
		vq.logQuorum("Sync left[%d]: %s", len(left), formatIDs(left))
	}
	vq.startLastManStanding(len(left) > 0)
	vq.startDeviceWait()
	vq.announceSelf()
	if vq.cfg.Device && vq.device.name != "" {
		vq.multicast(DeviceRegister{Register: true, Name: vq.device.name})
	}
	return vq.takeOutput()
}

// announceSelf multicasts this node's info.
func (vq *Votequorum) announceSelf() {
	us := vq.ownEntry()
	vq.multicast(NodeInfo{Ring: vq.ring, Votes: us.votes, Expected: us.effectiveExpected, Flags: us.flags,
		DeviceVotes: vq.device.votes, Majority: us.majority, Waiting: vq.device.syncWaitsForPoll})
}

// Deliver takes one of this package's messages in the ring's order, this node's own included. A message
// that cannot be decoded (ErrMalformed) or comes from outside the ring (ErrNotMember) changes nothing.
func (vq *Votequorum) Deliver(from ring.NodeID, payload []byte) (Output, error) {
	msg, err := Decode(payload)
	if err != nil {
		return Output{}, fmt.Errorf("taking a message from node %d: %w", from, err)
	}
	if !slices.Contains(vq.members, from) {
		return Output{}, fmt.Errorf("taking a message from node %d on ring %v: %w", from, vq.ring,
			ErrNotMember)
	}
	switch msg := msg.(type) {
	case NodeInfo:
		if msg.Ring == vq.ring {
			vq.onNodeInfo(from, msg)
			if !msg.Waiting {
				vq.memberDone(from)
			}
		}
	case Ready:
		if msg.Ring == vq.ring {
			vq.memberDone(from)
		}
	case Reconfigure:
		vq.onCommand(from, msg)
	case DeviceRegister:
		vq.onDeviceRegister(from, msg)
	}
	return vq.takeOutput(), nil
}

// memberDone notes that a member has done its part of the sync. The last one completes the sync: only
// then is there a decision, from the infos of all members, regardless of the order in which they came.
func (vq *Votequorum) memberDone(id ring.NodeID) {
	if !vq.syncing {
		return
	}
	vq.awaitedMembers = difference(vq.awaitedMembers, []ring.NodeID{id})
	if len(vq.awaitedMembers) > 0 {
		return
	}
	vq.mergeInfos(vq.members)
	vq.syncing = false
	vq.rememberMajority()
	vq.announceDecision()
	held := vq.heldCommands
	vq.heldCommands = nil
	for _, h := range held {
		vq.applyCommand(h.sender, h.msg)
	}
	if vq.lmsTimerDue {
		vq.lmsTimerDue = false
		vq.applyLastManStanding()
	}
}

// onNodeInfo handles a member's info.
func (vq *Votequorum) onNodeInfo(from ring.NodeID, msg NodeInfo) {
	n := vq.findOrAdd(from)
	n.state = stateMember
	if msg.Flags&Leaving != 0 {
		n.state = stateLeaving
	}
	if from != vq.cfg.Self {
		n.votes, n.reportedExpected, n.flags = msg.Votes, msg.Expected, msg.Flags
		n.deviceVotes, n.majority = msg.DeviceVotes, msg.Majority
	}
	if !vq.syncing {
		vq.mergeInfos([]ring.NodeID{from})
	}
}

// mergeInfos updates votes and expected votes from the latest infos of some members.
func (vq *Votequorum) mergeInfos(from []ring.NodeID) {
	us := vq.ownEntry()
	var adopted uint32
	byPresent, released := false, false
	for _, id := range from {
		n := vq.findNode(id)
		byPresent = byPresent || n.state == stateLeaving && vq.cfg.AllowDownscale
		if id == vq.cfg.Self {
			continue
		}
		vq.adoptDeviceVotes(n)
		if n.flags&Quorate != 0 {
			released = released || n.flags&WaitingForAll == 0
			adopted = max(adopted, n.reportedExpected)
		}
		if vq.cfg.LastManStanding && n.votes > 1 {
			vq.log(Warning, lmsNeedsOneVote)
			vq.cfg.LastManStanding = false
			vq.stopLastManStanding()
		}
	}
	// A node that is not quorate adopts the expected votes of the quorate side.
	adopt := adopted > 0 && !vq.quorate
	if adopt {
		us.effectiveExpected = adopted
	}
	for _, id := range from {
		n := vq.findNode(id)
		switch {
		case id == vq.cfg.Self:
		case n.flags&Quorate != 0 || vq.cfg.TrackExpected:
			n.effectiveExpected = n.reportedExpected
		default:
			n.effectiveExpected = us.effectiveExpected
		}
	}
	if vq.waitingForAll && released {
		vq.armWaitForAll(false)
	}
	vq.recalculate(adopt || byPresent, byPresent)
}

// startLastManStanding starts the window after which the present members count as the whole cluster, if
// enough of them are present.
//
// Worked example of last_man_standing (votequorum(5)), nodes A, B, C, D with one vote each, window 10 s:
//
//	ABCD        4 expected, 3 needed
//	ABC         D is lost: 3 of 4, quorate; the window starts
//	+10 s       still quorate: 3 expected, 2 needed
//	AB          C is lost: 2 of 3, quorate; the window starts again
//	+10 s       2 expected, 2 needed
//
// Had B and C been lost within the window, A would have 1 of 4 and not be quorate. DESIGN.md shows how
// the option can make two sides quorate: D does not know that the others have forgotten it.
func (vq *Votequorum) startLastManStanding(lost bool) {
	if !vq.cfg.LastManStanding {
		return
	}
	present := uint32(len(vq.members))
	tie := vq.cfg.TieBreaker != TieNone && vq.tieBreakerPresent(vq.ownEntry().majority)
	if present >= vq.quorumVotes && lost || present <= vq.quorumVotes && tie {
		vq.setTimer(LastManStandingTimer, vq.cfg.LastManStandingWindow)
		vq.lmsTimerSet = true
	}
}

// stopLastManStanding stops the window.
func (vq *Votequorum) stopLastManStanding() {
	if vq.lmsTimerSet {
		vq.stopTimer(LastManStandingTimer)
		vq.lmsTimerSet = false
	}
}

// applyLastManStanding makes the present members count as the whole cluster, if they are quorate.
func (vq *Votequorum) applyLastManStanding() {
	if vq.quorate && !vq.syncing {
		vq.recalculate(true, true)
	}
}

// TimerExpired handles the expiry of a timer.
func (vq *Votequorum) TimerExpired(t Timer) Output {
	switch t {
	case LastManStandingTimer:
		if vq.lmsTimerSet {
			vq.lmsTimerSet = false
			vq.lmsTimerDue = vq.syncing
			vq.applyLastManStanding()
		}
	case DeviceTimer:
		vq.onDeviceTimeout()
	}
	return vq.takeOutput()
}

// announceDecision puts the decision into the output, with the log lines for operators.
func (vq *Votequorum) announceDecision() {
	if vq.lastAnnounced.Quorate != vq.quorate {
		if vq.quorate {
			vq.logQuorum("This node is within the primary component and will provide service.")
		} else {
			vq.logQuorum("This node is within the non-primary component and will NOT provide any services.")
		}
	}
	vq.logQuorum("Members[%d]: %s", len(vq.members), formatIDs(vq.members))
	vq.lastAnnounced = vq.Decision()
	vq.output.Announce, vq.output.Decision = true, vq.lastAnnounced
}

// Syncing reports whether the members of the ring are still exchanging their votes. Until they are done
// there is no decision on the ring, and an earlier decision must not be acted upon.
func (vq *Votequorum) Syncing() bool { return vq.syncing }

// Decision returns the present decision. It is provisional while Syncing reports true.
func (vq *Votequorum) Decision() Decision {
	votes, _ := vq.votesPresent()
	return Decision{Ring: vq.ring, Members: slices.Clone(vq.members), Quorate: vq.quorate, Votes: votes,
		Expected: vq.ownEntry().effectiveExpected, Quorum: vq.quorumVotes}
}

// difference returns the nodes of a that are not in b, in a new slice.
func difference(a, b []ring.NodeID) []ring.NodeID {
	var out []ring.NodeID
	for _, id := range a {
		if !slices.Contains(b, id) {
			out = append(out, id)
		}
	}
	return out
}

// formatIDs returns node ids with spaces between them.
func formatIDs(ids []ring.NodeID) string {
	var b strings.Builder
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(strconv.FormatUint(uint64(id), 10))
	}
	return b.String()
}
