package quorum

import (
	"errors"
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

// ErrInvalidParameter is wrapped when an operator's command is refused.
var ErrInvalidParameter = errors.New("invalid parameter")

// SetExpected is the operator's "expected K": expected votes of the whole cluster from now on, until
// a node with more joins or the processes restart. It is refused if more votes than K are present,
// or if the partition could not be quorate with K. On an isolated node it can make that node
// quorate although the others are alive: the operator says that they are not.
func (m *Machine) SetExpected(k uint32) (Output, error) {
	votes, _ := m.present()
	need := m.required(k, true)
	switch {
	case k == 0 || k > maxExpected:
		return Output{}, fmt.Errorf("setting expected votes to %d: %w: write 1 to %d", k,
			ErrInvalidParameter, maxExpected)
	case k < votes:
		return Output{}, fmt.Errorf("setting expected votes to %d: %w: %d votes are present; write at "+
			"least that many", k, ErrInvalidParameter, votes)
	case need > votes:
		return Output{}, fmt.Errorf("setting expected votes to %d: %w: %d votes would be needed, %d are "+
			"present; write at most %d", k, ErrInvalidParameter, need, votes, mostExpected(votes))
	}
	m.multicast(Reconfigure{What: setExpected, Node: m.cfg.Self, Value: k})
	return m.take(), nil
}

// mostExpected is the highest number of expected votes with which the votes are a majority.
func mostExpected(votes uint32) uint32 {
	if votes == 0 {
		return 0
	}
	return 2*votes - 1
}

// SetVotes changes the votes of a node at runtime. It is refused if the partition could not be
// quorate with them.
func (m *Machine) SetVotes(id ring.NodeID, votes uint32) (Output, error) {
	n := m.find(id)
	if n == nil || votes > maxVotes {
		return Output{}, fmt.Errorf("setting votes of node %d to %d: %w: write a known node and at most "+
			"%d votes", id, votes, ErrInvalidParameter, maxVotes)
	}
	before := n.votes
	n.votes = votes
	present, _ := m.present()
	need := m.required(0, true)
	n.votes = before
	if need > present {
		return Output{}, fmt.Errorf("setting votes of node %d to %d: %w: %d votes would be needed, %d would "+
			"be present", id, votes, ErrInvalidParameter, need, present)
	}
	m.multicast(Reconfigure{What: setVotes, Node: id, Value: votes})
	return m.take(), nil
}

// CancelWaitForAll is the operator's word that the missing nodes will not come.
func (m *Machine) CancelWaitForAll() Output {
	m.multicast(Reconfigure{What: cancelWaitForAll, Node: m.cfg.Self})
	return m.take()
}

// command takes an operator's command from the ring's order. In the middle of a sync it waits: the
// infos that are still to come would undo it on some members.
func (m *Machine) command(from ring.NodeID, msg Reconfigure) {
	switch {
	case !m.syncing:
		m.reconfigure(from, msg)
	case len(m.held) < maxHeld:
		m.held = append(m.held, heldCommand{from, msg})
	default:
		m.log(Warning, "too many commands during a sync; one of node %d is dropped", from)
	}
}

// applyHeld keeps what was commanded in a sync that a new ring has ended, before this node says how
// it stands on the new one.
func (m *Machine) applyHeld() {
	us := m.us()
	for _, h := range m.held {
		switch {
		case h.msg.What == setExpected:
			us.expected, m.floor, m.quorum = h.msg.Value, h.msg.Value, 0
		case h.msg.What == setVotes && h.msg.Node == us.id:
			us.votes, m.quorum = h.msg.Value, 0
		case h.msg.What == cancelWaitForAll:
			m.armWaitForAll(false)
		}
	}
	m.held = nil
}

// reconfigure carries out an operator's command in the ring's order.
func (m *Machine) reconfigure(from ring.NodeID, msg Reconfigure) {
	us := m.us()
	switch msg.What {
	case setExpected:
		m.expectEverywhere(msg.Value)
		m.floor = msg.Value
		if m.cfg.TrackExpected {
			us.expected = max(us.expected, m.tracked)
		}
		m.recalculate(true, false)
	case setVotes:
		if n := m.find(msg.Node); n != nil {
			n.votes = msg.Value
			m.recalculate(true, false)
		}
	case cancelWaitForAll:
		m.armWaitForAll(false)
		m.log(Info, "wait_for_all_status reset by user on node %d.", from)
		m.recalculate(false, false)
	}
}

// Leave announces a clean stop. Only allow_downscale makes use of it; without it nothing is sent.
func (m *Machine) Leave() Output {
	if m.cfg.AllowDownscale {
		m.us().flags |= Leaving
		m.announceSelf()
	}
	return m.take()
}

// Reload takes a changed configuration while running. Votes, expected votes, two_node and the
// device can change; wait_for_all, last_man_standing, auto_tie_breaker, allow_downscale and
// expected_votes_tracking stay as they were at the start, as in Corosync. A combination that would
// be refused at the start switches the device off, or two_node if the device is registered.
//
// wait_for_all is never armed again by a reload. If it was not written in the file it follows
// two_node.
func (m *Machine) Reload(cfg Config) (Output, error) {
	if cfg.Self != m.cfg.Self || cfg.ExpectedVotes == 0 {
		m.log(Crit, "configuration error: nodelist or quorum.expected_votes must be configured!")
		m.log(Crit, "will continue with current runtime data")
		return m.take(), fmt.Errorf("reloading on node %d: %w: not in the nodelist, or no votes",
			m.cfg.Self, ErrConfig)
	}
	start := m.given
	cfg.LastManStanding, cfg.LastManStandingWindow = start.LastManStanding, start.LastManStandingWindow
	cfg.TieBreaker, cfg.TieBreakerList = start.TieBreaker, start.TieBreakerList
	cfg.AllowDownscale, cfg.TrackExpected = start.AllowDownscale, start.TrackExpected
	cfg.WaitForAllGiven, cfg.WaitForAll = start.WaitForAllGiven, start.WaitForAll
	if !start.WaitForAllGiven {
		cfg.WaitForAll = cfg.TwoNode
	}
	cfg = m.settleDevice(cfg)
	lms := m.cfg.LastManStanding // once switched off it stays off
	oldVotes, oldExpected := m.us().votes, m.us().expected
	m.cfg = cfg.effective(m.log)
	m.cfg.LastManStanding = m.cfg.LastManStanding && lms
	m.applyVotes()
	if !m.cfg.WaitForAll {
		m.armWaitForAll(false)
	}
	m.announceSelf()
	if us := m.us(); us.votes != oldVotes {
		m.multicast(Reconfigure{What: setVotes, Node: us.id, Value: us.votes})
	}
	if us := m.us(); us.expected != oldExpected {
		m.multicast(Reconfigure{What: setExpected, Node: us.id, Value: us.expected})
	}
	return m.take(), nil
}

// settleDevice resolves at runtime what would be refused at the start.
func (m *Machine) settleDevice(cfg Config) Config {
	m.device.allowed = true
	if !cfg.Device {
		m.stopDevice()
		m.us().flags &^= DeviceRegistered | DeviceAlive | DeviceCastVote | DeviceMasterWins
		return cfg
	}
	if cfg.TwoNode {
		m.log(Crit, "configuration error: two_node and quorum device cannot be configured at the same time!")
		if m.us().flags&DeviceRegistered != 0 {
			m.log(Crit, "quorum device is registered, disabling two_node")
			cfg.TwoNode = false
			if !cfg.WaitForAllGiven {
				cfg.WaitForAll = false
			}
		} else {
			m.log(Crit, "quorum device is not registered, allowing two_node")
			m.device.allowed = false
		}
	}
	clash := ""
	switch {
	case cfg.LastManStanding:
		clash = "last_man_standing"
	case cfg.TieBreaker != TieNone:
		clash = "auto_tie_breaker"
	case cfg.AllowDownscale:
		clash = "allow_downscale"
	}
	if clash != "" {
		m.log(Crit, "configuration error: quorum.device is not compatible with %s", clash)
		m.log(Crit, "disabling quorum device operations")
		m.device.allowed = false
	}
	return cfg
}
