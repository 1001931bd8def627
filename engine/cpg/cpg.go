// Package cpg is the protocol between the cluster process and the processes of the same machine that use
// it, modelled on the closed process groups of Corosync (cpg_overview(3)): configuration changes, ordered
// messages and decisions about quorum in one direction, multicasts in the other.
//
// A group has the name of its process: messages that the "store" process multicasts are delivered to the
// "store" processes of all members of the ring, the sender's own machine included, in the ring's one total
// order together with the configuration changes. A process first sends Hello; it receives the present
// configuration and everything that follows. What was delivered while a process was not connected is never
// repeated.
//
// Package cpg only encodes and decodes. It never keeps state and never sends anything.
package cpg

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

// Process is the name of the process that serves this protocol.
const Process = "cluster"

// MaxPayloadBytes bounds the payload of a multicast.
const MaxPayloadBytes = 1 << 20

// Guarantee is when an ordered message may be delivered.
type Guarantee uint8

const (
	// Agreed delivers a message as soon as every message before it was delivered.
	Agreed Guarantee = iota
	// Safe also waits until every member of the ring has received the message.
	Safe
)

// Message is one of the types below.
type Message interface{ isMessage() }

// Hello asks the cluster process to deliver to the sender from now on.
type Hello struct{}

// Multicast asks for an ordered message. The answer is Busy if it cannot be queued now.
type Multicast struct {
	Cookie    uint64 // returned in Busy
	Guarantee Guarantee
	Payload   []byte
}

// Reform asks the cluster process to form a new ring with all reachable members, so that the sender takes
// part from the beginning of a ring. Its rate is limited; a request that comes too early is carried out
// later.
type Reform struct{}

// Leave asks the cluster process to leave the ring in order, and to end: the others form their next ring at
// once and not after a time-out. The sender must have ended everything that needs the ring.
type Leave struct{}

// Busy reports that a multicast was not queued, because a ring is being formed or the queue is full.
type Busy struct{ Cookie uint64 }

// Kind distinguishes the two configuration changes.
type Kind uint8

const (
	// Transitional closes a ring. Its members are the nodes that move to the next ring together.
	Transitional Kind = iota
	// Regular opens a ring.
	Regular
)

// Config is a configuration change. Between a transitional and the next regular configuration, the last
// messages of the old ring are delivered to the members of the transitional one.
type Config struct {
	Kind    Kind
	Ring    ring.ID
	Members []ring.NodeID // ascending
	Joined  []ring.NodeID // ascending; empty in a transitional one
	Left    []ring.NodeID // ascending
	// Greeting marks the answer to Hello: the ring was formed earlier, and messages of it may have been
	// delivered before.
	Greeting bool
}

// Deliver is an ordered message.
type Deliver struct {
	Ring    ring.ID
	Seq     uint64 // position in the ring's order, counting the messages of all groups
	From    ring.NodeID
	Payload []byte
}

// Quorum is votequorum's decision on a ring. It follows the ring's regular configuration once the members
// have exchanged their votes, and is sent again whenever it changes.
type Quorum struct {
	Ring                         ring.ID
	Quorate                      bool
	Votes, Expected, QuorumVotes uint32
}

func (Hello) isMessage()     {}
func (Multicast) isMessage() {}
func (Reform) isMessage()    {}
func (Leave) isMessage()     {}
func (Busy) isMessage()      {}
func (Config) isMessage()    {}
func (Deliver) isMessage()   {}
func (Quorum) isMessage()    {}

const (
	tagHello = 1 + iota
	tagMulticast
	tagReform
	tagBusy
	tagConfig
	tagDeliver
	tagQuorum
	tagLeave
)

// ErrMalformed is wrapped by every decoding error.
var ErrMalformed = errors.New("malformed local cluster message")

// Encode returns the bytes of a message. It panics on a type that is not declared here.
func Encode(m Message) []byte {
	le := binary.LittleEndian
	switch m := m.(type) {
	case Hello:
		return []byte{tagHello}
	case Reform:
		return []byte{tagReform}
	case Leave:
		return []byte{tagLeave}
	case Multicast:
		return m.AppendTo(make([]byte, 0, 10+len(m.Payload)))
	case Busy:
		return m.AppendTo(make([]byte, 0, 9))
	case Deliver:
		return m.AppendTo(make([]byte, 0, 25+len(m.Payload)))
	case Config:
		b := appendRing([]byte{tagConfig, byte(m.Kind), flagByte(m.Greeting)}, m.Ring)
		return appendNodes(appendNodes(appendNodes(b, m.Members), m.Joined), m.Left)
	case Quorum:
		b := appendRing([]byte{tagQuorum, flagByte(m.Quorate)}, m.Ring)
		b = le.AppendUint32(le.AppendUint32(b, m.Votes), m.Expected)
		return le.AppendUint32(b, m.QuorumVotes)
	default:
		panic(fmt.Sprintf("cpg: unknown message type %T", m))
	}
}

// AppendTo appends the message's bytes to b. What is appended to the result belongs to the payload.
func (m Multicast) AppendTo(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(append(b, tagMulticast, byte(m.Guarantee)), m.Cookie)
	return append(b, m.Payload...)
}

// AppendTo appends the message's bytes to b.
func (m Busy) AppendTo(b []byte) []byte {
	return binary.LittleEndian.AppendUint64(append(b, tagBusy), m.Cookie)
}

// AppendTo appends the message's bytes to b.
func (m Deliver) AppendTo(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(appendRing(append(b, tagDeliver), m.Ring), m.Seq)
	return append(binary.LittleEndian.AppendUint32(b, uint32(m.From)), m.Payload...)
}

func flagByte(on bool) byte {
	if on {
		return 1
	}
	return 0
}

func appendRing(b []byte, id ring.ID) []byte {
	b = binary.LittleEndian.AppendUint64(b, id.Seq)
	return binary.LittleEndian.AppendUint32(b, uint32(id.Rep))
}

func appendNodes(b []byte, ids []ring.NodeID) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(len(ids)))
	for _, id := range ids {
		b = binary.LittleEndian.AppendUint32(b, uint32(id))
	}
	return b
}
