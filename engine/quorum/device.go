package quorum

import (
	"errors"
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

// DeviceName is the name under which the quorum device registers.
const DeviceName = "Qdevice"

// What a quorum device can be told.
var (
	ErrDeviceRefused   = errors.New("the configuration does not allow a quorum device")
	ErrDeviceExists    = errors.New("another quorum device is registered")
	ErrDeviceUnknown   = errors.New("no quorum device of that name is registered")
	ErrDeviceWrongRing = errors.New("the poll is not for the present ring")
)

// deviceState is the quorum device as this node sees it. The device's own word (registered, alive,
// casts its vote, master wins) is in the node's flags.
type deviceState struct {
	allowed    bool   // the configuration lets a device register
	name       string // known in the cluster
	pending    bool   // this node's registration is on its way
	votes      uint32
	masterWins bool
	timer      bool
	syncWait   bool // this sync waits for a poll on the new ring
}

func (vq *Votequorum) deviceIs(name string) error {
	switch {
	case !vq.device.allowed || !vq.cfg.Device:
		return fmt.Errorf("quorum device %q: %w", name, ErrDeviceRefused)
	case vq.us().flags&DeviceRegistered == 0 || vq.device.name != name:
		return fmt.Errorf("quorum device %q: %w", name, ErrDeviceUnknown)
	}
	return nil
}

// RegisterDevice takes the registration of the device on this node. It counts once its message
// was delivered.
func (vq *Votequorum) RegisterDevice(name string) (Output, error) {
	switch {
	case !vq.device.allowed || !vq.cfg.Device:
		vq.log(Info, "Registration of quorum device is disabled by incorrect corosync.conf. "+
			"See logs for more information")
		return vq.take(), fmt.Errorf("registering quorum device %q: %w", name, ErrDeviceRefused)
	case name == "" || len(name) > maxDeviceName:
		return Output{}, fmt.Errorf("registering quorum device: a name needs 1 to %d bytes: %w",
			maxDeviceName, ErrDeviceRefused)
	case vq.us().flags&DeviceRegistered != 0 && vq.device.name == name:
		return Output{}, nil
	case vq.device.name != "" && vq.device.name != name:
		vq.log(Warning, "A new qdevice with different name (new: %s old: %s) is trying to register!",
			name, vq.device.name)
		return vq.take(), fmt.Errorf("registering quorum device %q: %w", name, ErrDeviceExists)
	}
	vq.device.pending = true
	vq.multicast(DeviceRegister{Register: true, Name: name})
	return vq.take(), nil
}

// deviceRegister takes a member's registration from the ring's order.
func (vq *Votequorum) deviceRegister(from ring.NodeID, msg DeviceRegister) {
	us := vq.us()
	if !msg.Register {
		for _, n := range vq.nodes {
			if n.state == member && n.flags&DeviceRegistered != 0 && n.id != from {
				return
			}
		}
		vq.device.name = ""
		return
	}
	if vq.device.name == "" {
		vq.device.name = msg.Name
	}
	if from != vq.cfg.Self || !vq.device.pending {
		return
	}
	vq.device.pending = false
	if msg.Name != vq.device.name {
		vq.log(Warning, "A new qdevice with different name (new: %s old: %s) is trying to register!",
			msg.Name, vq.device.name)
		return
	}
	us.flags |= DeviceRegistered
	vq.announceSelf()
}

// UnregisterDevice takes the device's good-bye.
func (vq *Votequorum) UnregisterDevice(name string) (Output, error) {
	if err := vq.deviceIs(name); err != nil {
		return Output{}, fmt.Errorf("unregistering: %w", err)
	}
	vq.stopDevice()
	vq.us().flags &^= DeviceRegistered | DeviceAlive | DeviceCastVote | DeviceMasterWins
	vq.announceSelf()
	vq.multicast(DeviceRegister{Name: name})
	return vq.take(), nil
}

func (vq *Votequorum) stopDevice() {
	if vq.device.timer {
		vq.stopTimer(DeviceTimer)
		vq.device.timer = false
	}
	vq.endDeviceWait()
}

// PollDevice is the device's sign of life on this node, with its vote for the ring that it has
// seen. A poll for another ring is refused: its vote was for other members.
func (vq *Votequorum) PollDevice(name string, id ring.ID, castVote bool) (Output, error) {
	if err := vq.deviceIs(name); err != nil {
		return Output{}, fmt.Errorf("polling: %w", err)
	}
	if id != vq.ring {
		vq.log(Debug, "Received poll ring id (%v) != last sync ring id (%v). Ignoring poll call.", id, vq.ring)
		return vq.take(), fmt.Errorf("polling for ring %v on ring %v: %w", id, vq.ring, ErrDeviceWrongRing)
	}
	us := vq.us()
	before := us.flags
	us.flags |= DeviceAlive
	us.flags &^= DeviceCastVote
	if castVote {
		us.flags |= DeviceCastVote
	}
	vq.setTimer(DeviceTimer, vq.cfg.DeviceTimeout)
	vq.device.timer = true
	waited := vq.device.syncWait
	vq.device.syncWait = false
	if us.flags != before {
		vq.announceSelf() // also ends the wait
	} else if waited {
		vq.multicast(Ready{Ring: vq.ring})
	}
	return vq.take(), nil
}

// DeviceMasterWins sets whether the device's vote alone makes a partition quorate.
func (vq *Votequorum) DeviceMasterWins(name string, allow bool) (Output, error) {
	if err := vq.deviceIs(name); err != nil {
		return Output{}, fmt.Errorf("setting master_wins: %w", err)
	}
	us := vq.us()
	before := us.flags
	us.flags &^= DeviceMasterWins
	if allow {
		us.flags |= DeviceMasterWins
	}
	vq.device.masterWins = allow
	if us.flags != before {
		vq.announceSelf()
	}
	return vq.take(), nil
}

// startDeviceWait makes the sync of a new ring wait for a poll on it, for at most the sync timeout.
func (vq *Votequorum) startDeviceWait() {
	vq.device.syncWait = false
	if vq.us().flags&(DeviceRegistered|DeviceAlive) != DeviceRegistered|DeviceAlive {
		return
	}
	vq.setTimer(DeviceTimer, vq.cfg.DeviceSyncTimeout)
	vq.device.timer = true
	vq.device.syncWait = true
	vq.log(Info, "waiting for quorum device %s poll (but maximum for %d ms)", vq.device.name,
		vq.cfg.DeviceSyncTimeout.Milliseconds())
}

func (vq *Votequorum) endDeviceWait() {
	if vq.device.syncWait {
		vq.device.syncWait = false
		vq.multicast(Ready{Ring: vq.ring})
	}
}

// deviceSilent: the device has not polled in time.
func (vq *Votequorum) deviceSilent() {
	us := vq.us()
	if !vq.device.timer || us.flags&DeviceAlive == 0 {
		return
	}
	vq.device.timer = false
	us.flags &^= DeviceAlive | DeviceCastVote
	vq.log(Info, "lost contact with quorum device %s", vq.device.name)
	vq.device.syncWait = false
	vq.announceSelf()
}

// adoptDeviceVotes takes another member's idea of the device's votes: the quorate side's, else the
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
