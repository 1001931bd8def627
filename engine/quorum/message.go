package quorum

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

// Flags are the states of a node that other nodes must know.
type Flags uint32

// The flags, in the order in which Corosync prints them.
const (
	Quorate Flags = 1 << iota
	Leaving
	WaitingForAll
	First
	DeviceRegistered
	DeviceAlive
	DeviceCastVote
	DeviceMasterWins
	allFlags = 1<<iota - 1
)

var flagNames = []string{"quorate", "leaving", "wfa-status", "first", "qdevice-registered",
	"qdevice-alive", "qdevice-cast-vote", "qdevice-master-wins"}

// String lists the flags that are set, in the words of corosync-quorumtool(8).
func (f Flags) String() string {
	var names []string
	for i, name := range flagNames {
		if f>>i&1 == 1 {
			names = append(names, name)
		}
	}
	return strings.Join(names, "|")
}

// Limits of the messages.
const (
	maxVotes      = 65535   // of one node or of the device
	maxExpected   = 1 << 26 // more than all nodes and the device can have together
	maxDeviceName = 255     // bytes
)

// ErrMalformed is wrapped by every decoding error.
var ErrMalformed = errors.New("malformed quorum message")

// Message is one of the types below. The sender of a message is known from the ring, so no node can send
// one in the name of another.
type Message interface{ quorumMessage() }

// NodeInfo holds the votes and the state of its sender. Every member sends one on each new ring and
// whenever it changes.
type NodeInfo struct {
	Ring     ring.ID // the ring that it was sent for
	Votes    uint32
	Expected uint32
	Flags    Flags
	// DeviceVotes is what the sender takes the device's votes to be; 0 if it knows of no device.
	DeviceVotes uint32
	// Majority is the last ring in which the sender's side was quorate by its votes.
	Majority Majority
	// Waiting means that the sender still waits for its device and will send Ready.
	Waiting bool
}

// Majority describes the last ring that was quorate by its votes, for later ties. All members of that
// ring remember the same. The zero value means that there was none.
type Majority struct {
	Ring  ring.ID
	Votes uint32      // of the members together
	Tie   ring.NodeID // the member that auto_tie_breaker follows, 0 if none
}

// Ready ends the sync for a sender that has sent a NodeInfo with Waiting.
type Ready struct{ Ring ring.ID }

// The settings that an operator can change at runtime.
const (
	setExpected      = 1 // expected votes of the cluster
	setVotes         = 2 // votes of one node
	cancelWaitForAll = 3
)

// Reconfigure carries an operator's command to all members.
type Reconfigure struct {
	What  uint8
	Node  ring.NodeID
	Value uint32
}

// DeviceRegister notifies the members of the device that the cluster uses.
type DeviceRegister struct {
	Register bool
	Name     string
}

func (NodeInfo) quorumMessage()       {}
func (Ready) quorumMessage()          {}
func (Reconfigure) quorumMessage()    {}
func (DeviceRegister) quorumMessage() {}

const (
	wireVersion = 1

	tagNodeInfo    = 1
	tagReady       = 2
	tagReconfigure = 3
	tagDevice      = 4

	ringBytes        = 12
	nodeInfoBytes    = 2 + ringBytes + 4*4 + ringBytes + 2*4 + 1
	readyBytes       = 2 + ringBytes
	reconfigureBytes = 2 + 1 + 4 + 4
	deviceBytes      = 2 + 1 // and the name
)

// Encode returns the bytes of a message: a version, a tag, and fixed fields in little endian.
func Encode(m Message) []byte {
	le := binary.LittleEndian
	switch m := m.(type) {
	case NodeInfo:
		b := appendRing([]byte{wireVersion, tagNodeInfo}, m.Ring)
		b = le.AppendUint32(le.AppendUint32(b, m.Votes), m.Expected)
		b = le.AppendUint32(le.AppendUint32(b, uint32(m.Flags)), m.DeviceVotes)
		b = appendRing(b, m.Majority.Ring)
		b = le.AppendUint32(le.AppendUint32(b, m.Majority.Votes), uint32(m.Majority.Tie))
		return append(b, boolByte(m.Waiting))
	case Ready:
		return appendRing([]byte{wireVersion, tagReady}, m.Ring)
	case Reconfigure:
		b := le.AppendUint32([]byte{wireVersion, tagReconfigure, m.What}, uint32(m.Node))
		return le.AppendUint32(b, m.Value)
	case DeviceRegister:
		if len(m.Name) > maxDeviceName {
			panic("quorum: device name too long to encode")
		}
		return append([]byte{wireVersion, tagDevice, boolByte(m.Register)}, m.Name...)
	default:
		panic(fmt.Sprintf("quorum: unknown message type %T", m))
	}
}

func boolByte(on bool) byte {
	if on {
		return 1
	}
	return 0
}

func appendRing(b []byte, id ring.ID) []byte {
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint64(b, id.Seq), uint32(id.Rep))
}

func readRing(b []byte) ring.ID {
	return ring.ID{Seq: binary.LittleEndian.Uint64(b), Rep: ring.NodeID(binary.LittleEndian.Uint32(b[8:]))}
}

// Decode reads a message. It accepts exactly the bytes that Encode writes, and fails with ErrMalformed.
func Decode(b []byte) (Message, error) {
	if len(b) < 2 || b[0] != wireVersion {
		return nil, fmt.Errorf("%w: %d bytes or wrong version", ErrMalformed, len(b))
	}
	switch b[1] {
	case tagNodeInfo:
		return decodeNodeInfo(b)
	case tagReady:
		if len(b) != readyBytes {
			return nil, fmt.Errorf("%w: ready of %d bytes", ErrMalformed, len(b))
		}
		return Ready{Ring: readRing(b[2:])}, nil
	case tagReconfigure:
		return decodeReconfigure(b)
	case tagDevice:
		return decodeDevice(b)
	}
	return nil, fmt.Errorf("%w: unknown tag %d", ErrMalformed, b[1])
}

func decodeNodeInfo(b []byte) (Message, error) {
	if len(b) != nodeInfoBytes {
		return nil, fmt.Errorf("%w: node info of %d bytes", ErrMalformed, len(b))
	}
	const votesAt, majorityAt = 2 + ringBytes, 2 + ringBytes + 4*4
	u32 := func(at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }
	m := NodeInfo{Ring: readRing(b[2:]), Votes: u32(votesAt), Expected: u32(votesAt + 4),
		Flags: Flags(u32(votesAt + 8)), DeviceVotes: u32(votesAt + 12),
		Majority: Majority{Ring: readRing(b[majorityAt:]), Votes: u32(majorityAt + ringBytes),
			Tie: ring.NodeID(u32(majorityAt + ringBytes + 4))},
		Waiting: b[nodeInfoBytes-1] == 1}
	if m.Majority.Votes > maxExpected {
		return nil, fmt.Errorf("%w: node info with a majority of %d votes", ErrMalformed, m.Majority.Votes)
	}
	if m.Votes > maxVotes || m.Expected > maxExpected || m.Expected == 0 || m.DeviceVotes > maxVotes {
		return nil, fmt.Errorf("%w: node info with %d votes, %d expected, device %d", ErrMalformed,
			m.Votes, m.Expected, m.DeviceVotes)
	}
	if m.Flags&^allFlags != 0 || b[nodeInfoBytes-1] > 1 {
		return nil, fmt.Errorf("%w: node info with unknown flags %#x", ErrMalformed, uint32(m.Flags))
	}
	return m, nil
}

func decodeReconfigure(b []byte) (Message, error) {
	if len(b) != reconfigureBytes {
		return nil, fmt.Errorf("%w: reconfigure of %d bytes", ErrMalformed, len(b))
	}
	m := Reconfigure{What: b[2], Node: ring.NodeID(binary.LittleEndian.Uint32(b[3:])),
		Value: binary.LittleEndian.Uint32(b[7:])}
	if m.What < setExpected || m.What > cancelWaitForAll || m.Value > maxExpected {
		return nil, fmt.Errorf("%w: reconfigure %d to %d", ErrMalformed, m.What, m.Value)
	}
	return m, nil
}

func decodeDevice(b []byte) (Message, error) {
	if len(b) <= deviceBytes || len(b) > deviceBytes+maxDeviceName || b[2] > 1 {
		return nil, fmt.Errorf("%w: device registration of %d bytes", ErrMalformed, len(b))
	}
	return DeviceRegister{Register: b[2] == 1, Name: string(b[deviceBytes:])}, nil
}
