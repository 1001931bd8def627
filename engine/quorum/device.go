package quorum

import (
	"errors"
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

// DeviceName is the name under which the quorum device registers.
const DeviceName = "Qdevice"

// Errors of the calls of a quorum device.
var (
	ErrDeviceRefused   = errors.New("the configuration does not allow a quorum device")
	ErrDeviceExists    = errors.New("another quorum device is registered")
	ErrDeviceUnknown   = errors.New("no quorum device of that name is registered")
	ErrDeviceWrongRing = errors.New("the poll is not for the present ring")
)

// deviceState is this node's view of the quorum device. Whether the device is registered, is alive, casts
// its vote and has master_wins is in the node's flags.
type deviceState struct {
	registrationAllowed bool   // the configuration lets a device register
	name                string // known in the cluster
	registrationPending bool   // this node's registration is on its way
	votes               uint32
	masterWins          bool
	timerSet            bool // DeviceTimer is set
	syncWaitsForPoll    bool // this sync waits for a poll on the new ring
}

// checkDevice fails unless a device is allowed and registered under the name.
func (vq *Votequorum) checkDevice(name string) error {
	switch {
	case !vq.device.registrationAllowed || !vq.cfg.Device:
		return fmt.Errorf("quorum device %q: %w", name, ErrDeviceRefused)
	case vq.ownEntry().flags&DeviceRegistered == 0 || vq.device.name != name:
		return fmt.Errorf("quorum device %q: %w", name, ErrDeviceUnknown)
	}
	return nil
}

// RegisterDevice registers the device of this node. The registration counts once its message was
// delivered. It fails with ErrDeviceRefused and ErrDeviceExists.
func (vq *Votequorum) RegisterDevice(name string) (Output, error) {
	switch {
	case !vq.device.registrationAllowed || !vq.cfg.Device:
		vq.log(Info, "Registration of quorum device is disabled by incorrect corosync.conf. "+
			"See logs for more information")
		return vq.takeOutput(), fmt.Errorf("registering quorum device %q: %w", name, ErrDeviceRefused)
	case name == "" || len(name) > maxDeviceName:
		return Output{}, fmt.Errorf("registering quorum device: a name needs 1 to %d bytes: %w",
			maxDeviceName, ErrDeviceRefused)
	case vq.ownEntry().flags&DeviceRegistered != 0 && vq.device.name == name:
		return Output{}, nil
	case vq.device.name != "" && vq.device.name != name:
		vq.log(Warning, "A new qdevice with different name (new: %s old: %s) is trying to register!",
			name, vq.device.name)
		return vq.takeOutput(), fmt.Errorf("registering quorum device %q: %w", name, ErrDeviceExists)
	}
	vq.device.registrationPending = true
	vq.multicast(DeviceRegister{Register: true, Name: name})
	return vq.takeOutput(), nil
}

// onDeviceRegister handles a member's registration.
func (vq *Votequorum) onDeviceRegister(from ring.NodeID, msg DeviceRegister) {
	us := vq.ownEntry()
	if !msg.Register {
		for _, n := range vq.nodes {
			if n.state == stateMember && n.flags&DeviceRegistered != 0 && n.id != from {
				return
			}
		}
		vq.device.name = ""
		return
	}
	if vq.device.name == "" {
		vq.device.name = msg.Name
	}
	if from != vq.cfg.Self || !vq.device.registrationPending {
		return
	}
	vq.device.registrationPending = false
	if msg.Name != vq.device.name {
		vq.log(Warning, "A new qdevice with different name (new: %s old: %s) is trying to register!",
			msg.Name, vq.device.name)
		return
	}
	us.flags |= DeviceRegistered
	vq.announceSelf()
}

// UnregisterDevice withdraws the registration. It fails with ErrDeviceRefused and ErrDeviceUnknown.
func (vq *Votequorum) UnregisterDevice(name string) (Output, error) {
	if err := vq.checkDevice(name); err != nil {
		return Output{}, fmt.Errorf("unregistering: %w", err)
	}
	vq.stopDevice()
	vq.ownEntry().flags &^= DeviceRegistered | DeviceAlive | DeviceCastVote | DeviceMasterWins
	vq.announceSelf()
	vq.multicast(DeviceRegister{Name: name})
	return vq.takeOutput(), nil
}

// stopDevice stops the timer of the device and the wait for it.
func (vq *Votequorum) stopDevice() {
	if vq.device.timerSet {
		vq.stopTimer(DeviceTimer)
		vq.device.timerSet = false
	}
	vq.endDeviceWait()
}

// PollDevice takes a poll of the device: it is alive, and castVote is its vote for the ring id. A poll
// for another ring is refused with ErrDeviceWrongRing, because its vote was for other members.
func (vq *Votequorum) PollDevice(name string, id ring.ID, castVote bool) (Output, error) {
	if err := vq.checkDevice(name); err != nil {
		return Output{}, fmt.Errorf("polling: %w", err)
	}
	if id != vq.ring {
		vq.log(Debug, "Received poll ring id (%v) != last sync ring id (%v). Ignoring poll call.", id,
			vq.ring)
		return vq.takeOutput(), fmt.Errorf("polling for ring %v on ring %v: %w", id, vq.ring,
			ErrDeviceWrongRing)
	}
	us := vq.ownEntry()
	before := us.flags
	us.flags |= DeviceAlive
	us.flags &^= DeviceCastVote
	if castVote {
		us.flags |= DeviceCastVote
	}
	vq.setTimer(DeviceTimer, vq.cfg.DeviceTimeout)
	vq.device.timerSet = true
	waited := vq.device.syncWaitsForPoll
	vq.device.syncWaitsForPoll = false
	if us.flags != before {
		vq.announceSelf() // also ends the wait
	} else if waited {
		vq.multicast(Ready{Ring: vq.ring})
	}
	return vq.takeOutput(), nil
}

// DeviceMasterWins sets whether the device's vote alone makes a partition quorate.
func (vq *Votequorum) DeviceMasterWins(name string, allow bool) (Output, error) {
	if err := vq.checkDevice(name); err != nil {
		return Output{}, fmt.Errorf("setting master_wins: %w", err)
	}
	us := vq.ownEntry()
	before := us.flags
	us.flags &^= DeviceMasterWins
	if allow {
		us.flags |= DeviceMasterWins
	}
	vq.device.masterWins = allow
	if us.flags != before {
		vq.announceSelf()
	}
	return vq.takeOutput(), nil
}

// startDeviceWait makes the sync of a new ring wait for a poll, for at most the sync timeout.
func (vq *Votequorum) startDeviceWait() {
	vq.device.syncWaitsForPoll = false
	if vq.ownEntry().flags&(DeviceRegistered|DeviceAlive) != DeviceRegistered|DeviceAlive {
		return
	}
	vq.setTimer(DeviceTimer, vq.cfg.DeviceSyncTimeout)
	vq.device.timerSet = true
	vq.device.syncWaitsForPoll = true
	vq.log(Info, "waiting for quorum device %s poll (but maximum for %d ms)", vq.device.name,
		vq.cfg.DeviceSyncTimeout.Milliseconds())
}

// endDeviceWait ends the wait and notifies the members.
func (vq *Votequorum) endDeviceWait() {
	if vq.device.syncWaitsForPoll {
		vq.device.syncWaitsForPoll = false
		vq.multicast(Ready{Ring: vq.ring})
	}
}

// onDeviceTimeout handles a device that has not polled in time: its vote is gone.
func (vq *Votequorum) onDeviceTimeout() {
	us := vq.ownEntry()
	if !vq.device.timerSet || us.flags&DeviceAlive == 0 {
		return
	}
	vq.device.timerSet = false
	us.flags &^= DeviceAlive | DeviceCastVote
	vq.log(Info, "lost contact with quorum device %s", vq.device.name)
	vq.device.syncWaitsForPoll = false
	vq.announceSelf()
}

// adoptDeviceVotes takes over another member's number of device votes: that of the quorate side, else the
// highest.
func (vq *Votequorum) adoptDeviceVotes(from *node) {
	switch {
	case !vq.cfg.Device:
	case !vq.quorate && from.flags&Quorate != 0:
		vq.device.votes = from.deviceVotes
	default:
		vq.device.votes = max(vq.device.votes, from.deviceVotes)
	}
}
