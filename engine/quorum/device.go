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

func (m *Machine) deviceIs(name string) error {
	switch {
	case !m.device.allowed || !m.cfg.Device:
		return fmt.Errorf("quorum device %q: %w", name, ErrDeviceRefused)
	case m.us().flags&DeviceRegistered == 0 || m.device.name != name:
		return fmt.Errorf("quorum device %q: %w", name, ErrDeviceUnknown)
	}
	return nil
}

// RegisterDevice takes the registration of the device on this node. It counts once its message
// was delivered.
func (m *Machine) RegisterDevice(name string) (Output, error) {
	switch {
	case !m.device.allowed || !m.cfg.Device:
		m.log(Info, "Registration of quorum device is disabled by incorrect corosync.conf. "+
			"See logs for more information")
		return m.take(), fmt.Errorf("registering quorum device %q: %w", name, ErrDeviceRefused)
	case name == "" || len(name) > maxDeviceName:
		return Output{}, fmt.Errorf("registering quorum device: a name needs 1 to %d bytes: %w",
			maxDeviceName, ErrDeviceRefused)
	case m.us().flags&DeviceRegistered != 0 && m.device.name == name:
		return Output{}, nil
	case m.device.name != "" && m.device.name != name:
		m.log(Warning, "A new qdevice with different name (new: %s old: %s) is trying to register!",
			name, m.device.name)
		return m.take(), fmt.Errorf("registering quorum device %q: %w", name, ErrDeviceExists)
	}
	m.device.pending = true
	m.multicast(DeviceRegister{Register: true, Name: name})
	return m.take(), nil
}

// deviceRegister takes a member's registration from the ring's order.
func (m *Machine) deviceRegister(from ring.NodeID, msg DeviceRegister) {
	us := m.us()
	if !msg.Register {
		for _, n := range m.nodes {
			if n.state == member && n.flags&DeviceRegistered != 0 && n.id != from {
				return
			}
		}
		m.device.name = ""
		return
	}
	if m.device.name == "" {
		m.device.name = msg.Name
	}
	if from != m.cfg.Self || !m.device.pending {
		return
	}
	m.device.pending = false
	if msg.Name != m.device.name {
		m.log(Warning, "A new qdevice with different name (new: %s old: %s) is trying to register!",
			msg.Name, m.device.name)
		return
	}
	us.flags |= DeviceRegistered
	m.announceSelf()
}

// UnregisterDevice takes the device's good-bye.
func (m *Machine) UnregisterDevice(name string) (Output, error) {
	if err := m.deviceIs(name); err != nil {
		return Output{}, fmt.Errorf("unregistering: %w", err)
	}
	m.stopDevice()
	m.us().flags &^= DeviceRegistered | DeviceAlive | DeviceCastVote | DeviceMasterWins
	m.announceSelf()
	m.multicast(DeviceRegister{Name: name})
	return m.take(), nil
}

func (m *Machine) stopDevice() {
	if m.device.timer {
		m.stopTimer(DeviceTimer)
		m.device.timer = false
	}
	m.endDeviceWait()
}

// PollDevice is the device's sign of life on this node, with its vote for the ring that it has
// seen. A poll for another ring is refused: its vote was for other members.
func (m *Machine) PollDevice(name string, id ring.ID, castVote bool) (Output, error) {
	if err := m.deviceIs(name); err != nil {
		return Output{}, fmt.Errorf("polling: %w", err)
	}
	if id != m.ring {
		m.log(Debug, "Received poll ring id (%v) != last sync ring id (%v). Ignoring poll call.", id, m.ring)
		return m.take(), fmt.Errorf("polling for ring %v on ring %v: %w", id, m.ring, ErrDeviceWrongRing)
	}
	us := m.us()
	before := us.flags
	us.flags |= DeviceAlive
	us.flags &^= DeviceCastVote
	if castVote {
		us.flags |= DeviceCastVote
	}
	m.setTimer(DeviceTimer, m.cfg.DeviceTimeout)
	m.device.timer = true
	waited := m.device.syncWait
	m.device.syncWait = false
	if us.flags != before {
		m.announceSelf() // also ends the wait
	} else if waited {
		m.multicast(Ready{Ring: m.ring})
	}
	return m.take(), nil
}

// DeviceMasterWins sets whether the device's vote alone makes a partition quorate.
func (m *Machine) DeviceMasterWins(name string, allow bool) (Output, error) {
	if err := m.deviceIs(name); err != nil {
		return Output{}, fmt.Errorf("setting master_wins: %w", err)
	}
	us := m.us()
	before := us.flags
	us.flags &^= DeviceMasterWins
	if allow {
		us.flags |= DeviceMasterWins
	}
	m.device.masterWins = allow
	if us.flags != before {
		m.announceSelf()
	}
	return m.take(), nil
}

// startDeviceWait makes the sync of a new ring wait for a poll on it, for at most the sync timeout.
func (m *Machine) startDeviceWait() {
	m.device.syncWait = false
	if m.us().flags&(DeviceRegistered|DeviceAlive) != DeviceRegistered|DeviceAlive {
		return
	}
	m.setTimer(DeviceTimer, m.cfg.DeviceSyncTimeout)
	m.device.timer = true
	m.device.syncWait = true
	m.log(Info, "waiting for quorum device %s poll (but maximum for %d ms)", m.device.name,
		m.cfg.DeviceSyncTimeout.Milliseconds())
}

func (m *Machine) endDeviceWait() {
	if m.device.syncWait {
		m.device.syncWait = false
		m.multicast(Ready{Ring: m.ring})
	}
}

// deviceSilent: the device has not polled in time.
func (m *Machine) deviceSilent() {
	us := m.us()
	if !m.device.timer || us.flags&DeviceAlive == 0 {
		return
	}
	m.device.timer = false
	us.flags &^= DeviceAlive | DeviceCastVote
	m.log(Info, "lost contact with quorum device %s", m.device.name)
	m.device.syncWait = false
	m.announceSelf()
}

// adoptDeviceVotes takes another member's idea of the device's votes: the quorate side's, else the
// highest.
func (m *Machine) adoptDeviceVotes(from *node) {
	switch {
	case !m.cfg.Device:
	case !m.quorate && from.flags&Quorate != 0:
		m.device.votes = from.deviceVotes
	default:
		m.device.votes = max(m.device.votes, from.deviceVotes)
	}
}
