package quorum

import (
	"errors"
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

// ErrInvalidParameter is wrapped when an operator's command is refused.
var ErrInvalidParameter = errors.New("invalid parameter")

// SetExpected carries out the operator's "expected K" (corosync-quorumtool(8)): it sets the expected
// votes of the whole cluster, until a node with a higher value joins or the processes restart. It is
// refused with ErrInvalidParameter if more than K votes are present, or if K would take quorum from a
// partition that has it. On an isolated node it can make that node quorate while the other nodes run: the
// operator states that they do not.
func (vq *Votequorum) SetExpected(k uint32) (Output, error) {
	votes, _ := vq.votesPresent()
	need := vq.votesRequired(k, true)
	switch {
	case k == 0 || k > maxExpected:
		return Output{}, fmt.Errorf("setting expected votes to %d: %w: write 1 to %d", k,
			ErrInvalidParameter, maxExpected)
	case k < votes:
		return Output{}, fmt.Errorf("setting expected votes to %d: %w: %d votes are present; write at "+
			"least that many", k, ErrInvalidParameter, votes)
	case need > votes && vq.quorate:
		return Output{}, fmt.Errorf("setting expected votes to %d: %w: %d votes would be needed, %d are "+
			"present; write at most %d", k, ErrInvalidParameter, need, votes, mostExpected(votes))
	}
	vq.multicast(Reconfigure{What: setExpected, Node: vq.cfg.Self, Value: k})
	return vq.takeOutput(), nil
}

// mostExpected returns the highest number of expected votes of which the given votes are a majority.
func mostExpected(votes uint32) uint32 {
	if votes == 0 {
		return 0
	}
	return 2*votes - 1
}

// SetVotes changes the votes of a node at runtime. It is refused with ErrInvalidParameter if the
// partition could not be quorate with them.
func (vq *Votequorum) SetVotes(id ring.NodeID, votes uint32) (Output, error) {
	n := vq.findNode(id)
	if n == nil || votes > maxVotes {
		return Output{}, fmt.Errorf("setting votes of node %d to %d: %w: write a known node and at most "+
			"%d votes", id, votes, ErrInvalidParameter, maxVotes)
	}
	before := n.votes
	n.votes = votes
	present, _ := vq.votesPresent()
	need := vq.votesRequired(0, true)
	n.votes = before
	if need > present {
		return Output{}, fmt.Errorf("setting votes of node %d to %d: %w: %d votes would be needed, %d would "+
			"be present", id, votes, ErrInvalidParameter, need, present)
	}
	vq.multicast(Reconfigure{What: setVotes, Node: id, Value: votes})
	return vq.takeOutput(), nil
}

// CancelWaitForAll ends wait_for_all on the operator's statement that the missing nodes will not come.
func (vq *Votequorum) CancelWaitForAll() Output {
	vq.multicast(Reconfigure{What: cancelWaitForAll, Node: vq.cfg.Self})
	return vq.takeOutput()
}

// onCommand handles an operator's command. In the middle of a sync the command is held: the infos that
// are still to come would undo it on some members.
func (vq *Votequorum) onCommand(from ring.NodeID, msg Reconfigure) {
	switch {
	case !vq.syncing:
		vq.applyCommand(from, msg)
	case len(vq.heldCommands) < maxHeld:
		vq.heldCommands = append(vq.heldCommands, heldCommand{from, msg})
	default:
		vq.log(Warning, "too many commands during a sync; one of node %d is dropped", from)
	}
}

// applyHeld applies the commands that were held when a new ring ended their sync. It runs before this
// node sends its info on the new ring.
func (vq *Votequorum) applyHeld() {
	us := vq.ownEntry()
	for _, h := range vq.heldCommands {
		switch {
		case h.msg.What == setExpected:
			us.effectiveExpected, vq.downscaleFloor, vq.quorumVotes = h.msg.Value, h.msg.Value, 0
		case h.msg.What == setVotes && h.msg.Node == us.id:
			us.votes, vq.quorumVotes = h.msg.Value, 0
		case h.msg.What == cancelWaitForAll:
			vq.armWaitForAll(false)
		}
	}
	vq.heldCommands = nil
}

// applyCommand carries out an operator's command.
func (vq *Votequorum) applyCommand(from ring.NodeID, msg Reconfigure) {
	us := vq.ownEntry()
	switch msg.What {
	case setExpected:
		vq.expectEverywhere(msg.Value)
		vq.downscaleFloor = msg.Value
		if vq.cfg.TrackExpected {
			us.effectiveExpected = max(us.effectiveExpected, vq.trackedExpected)
		}
		vq.recalculate(true, false)
	case setVotes:
		if n := vq.findNode(msg.Node); n != nil {
			n.votes = msg.Value
			vq.recalculate(true, false)
		}
	case cancelWaitForAll:
		vq.armWaitForAll(false)
		vq.log(Info, "wait_for_all_status reset by user on node %d.", from)
		vq.recalculate(false, false)
	}
}

// Leave announces an orderly stop. Only allow_downscale makes use of it; without that option nothing is
// sent.
func (vq *Votequorum) Leave() Output {
	if vq.cfg.AllowDownscale {
		vq.ownEntry().flags |= Leaving
		vq.announceSelf()
	}
	return vq.takeOutput()
}

// Reload applies a changed configuration at runtime. Votes, expected votes, two_node and the device can
// change; wait_for_all, last_man_standing, auto_tie_breaker, allow_downscale and expected_votes_tracking
// keep their values from the start, as in Corosync. A combination that would be refused at the start
// switches the device off, or two_node if the device is registered.
//
// A reload never arms wait_for_all again. If the file does not set it, it follows two_node.
func (vq *Votequorum) Reload(cfg Config) (Output, error) {
	if cfg.Self != vq.cfg.Self || cfg.ExpectedVotes == 0 {
		vq.log(Crit, "configuration error: nodelist or quorum.expected_votes must be configured!")
		vq.log(Crit, "will continue with current runtime data")
		return vq.takeOutput(), fmt.Errorf("reloading on node %d: %w: not in the nodelist, or no votes",
			vq.cfg.Self, ErrConfig)
	}
	start := vq.configured
	cfg.LastManStanding, cfg.LastManStandingWindow = start.LastManStanding, start.LastManStandingWindow
	cfg.TieBreaker, cfg.TieBreakerList = start.TieBreaker, start.TieBreakerList
	cfg.AllowDownscale, cfg.TrackExpected = start.AllowDownscale, start.TrackExpected
	cfg.WaitForAllGiven, cfg.WaitForAll = start.WaitForAllGiven, start.WaitForAll
	if !start.WaitForAllGiven {
		cfg.WaitForAll = cfg.TwoNode
	}
	cfg = vq.settleDevice(cfg)
	lms := vq.cfg.LastManStanding // once switched off it stays off
	oldVotes, oldExpected := vq.ownEntry().votes, vq.ownEntry().effectiveExpected
	vq.cfg = cfg.withoutConflicts(vq.log)
	vq.cfg.LastManStanding = vq.cfg.LastManStanding && lms
	vq.applyVotes()
	if !vq.cfg.WaitForAll {
		vq.armWaitForAll(false)
	}
	vq.announceSelf()
	if us := vq.ownEntry(); us.votes != oldVotes {
		vq.multicast(Reconfigure{What: setVotes, Node: us.id, Value: us.votes})
	}
	if us := vq.ownEntry(); us.effectiveExpected != oldExpected {
		vq.multicast(Reconfigure{What: setExpected, Node: us.id, Value: us.effectiveExpected})
	}
	return vq.takeOutput(), nil
}

// settleDevice resolves at runtime the combinations that would be refused at the start.
func (vq *Votequorum) settleDevice(cfg Config) Config {
	vq.device.registrationAllowed = true
	if !cfg.Device {
		vq.stopDevice()
		vq.ownEntry().flags &^= DeviceRegistered | DeviceAlive | DeviceCastVote | DeviceMasterWins
		return cfg
	}
	if cfg.TwoNode {
		vq.log(Crit, "configuration error: two_node and quorum device cannot be configured at the same time!")
		if vq.ownEntry().flags&DeviceRegistered != 0 {
			vq.log(Crit, "quorum device is registered, disabling two_node")
			cfg.TwoNode = false
			if !cfg.WaitForAllGiven {
				cfg.WaitForAll = false
			}
		} else {
			vq.log(Crit, "quorum device is not registered, allowing two_node")
			vq.device.registrationAllowed = false
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
		vq.log(Crit, "configuration error: quorum.device is not compatible with %s", clash)
		vq.log(Crit, "disabling quorum device operations")
		vq.device.registrationAllowed = false
	}
	return cfg
}
