package wire

import (
	"crypto/cipher"
	"encoding/binary"
	"slices"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

// WindowPackets is how far behind the newest packet of a sender an older one may arrive and still be
// accepted.
const WindowPackets = 2048

const replayWindowWords = WindowPackets / 64

// Stats counts the packets that an [Opener] accepted and refused.
type Stats struct {
	Accepted, Foreign, Replayed, StaleBoot uint64
}

// Opener opens packets of a fixed set of nodes. It keeps one cipher and one window for each node.
type Opener struct {
	cipher      Cipher
	clusterKey  []byte
	senders     []sender
	stats       Stats
	nonceBuffer [nonceBytes]byte
}

// sender is the state kept for one sending node.
type sender struct {
	node           ring.NodeID
	aead           cipher.AEAD // nil: nothing accepted yet
	boot           Boot
	highestCounter uint64
	seenCounters   [replayWindowWords]uint64 // bit counter%WindowPackets, for highest-WindowPackets < counter
}

// NewOpener returns an Opener for packets of the given nodes. It fails with ErrKey.
func NewOpener(key []byte, nodes []ring.NodeID) (*Opener, error) {
	return Cipher(nil).NewOpener(key, nodes)
}

// NewOpener is the function [NewOpener] with this cipher.
func (c Cipher) NewOpener(key []byte, nodes []ring.NodeID) (*Opener, error) {
	if err := CheckKey(key); err != nil {
		return nil, err
	}
	o := &Opener{cipher: c, clusterKey: slices.Clone(key)}
	for _, id := range ring.Sorted(nodes) {
		o.senders = append(o.senders, sender{node: id})
	}
	return o, nil
}

// Stats returns the counts so far.
func (o *Opener) Stats() Stats { return o.stats }

// Newest returns the newest boot of a node from which a packet was accepted; false if there is none.
func (o *Opener) Newest(node ring.NodeID) (Boot, bool) {
	s := o.findSender(node)
	if s == nil || s.aead == nil {
		return Boot{}, false
	}
	return s.boot, true
}

// findSender returns the state of a node, nil if the node is unknown.
func (o *Opener) findSender(node ring.NodeID) *sender {
	for i := range o.senders {
		if o.senders[i].node == node {
			return &o.senders[i]
		}
	}
	return nil
}

// Open authenticates a packet and appends its payload to dst. It returns the sending node and the longer
// slice, or dst unchanged with ErrForeign, ErrReplayed or ErrStaleBoot. With ErrStaleBoot it returns the
// node too, because that packet is genuine. Open does not change the packet, and does not allocate for
// known boots if dst has room for the payload.
func (o *Opener) Open(dst, packet []byte) (ring.NodeID, []byte, error) {
	if len(packet) < OverheadBytes || packet[0] != Version {
		o.stats.Foreign++
		return 0, dst, ErrForeign
	}
	node := ring.NodeID(binary.LittleEndian.Uint32(packet[offsetNode:]))
	s := o.findSender(node)
	if s == nil {
		o.stats.Foreign++
		return 0, dst, ErrForeign
	}
	count := binary.LittleEndian.Uint64(packet[offsetBoot:])
	id := BootID(packet[offsetBootID:])
	if s.aead == nil || s.boot.Count != count || s.boot.ID != id {
		return o.openOtherBoot(s, Boot{Count: count, ID: id}, dst, packet)
	}
	counter := binary.LittleEndian.Uint64(packet[offsetCounter:])
	if s.wasSeen(counter) {
		o.stats.Replayed++
		return 0, dst, ErrReplayed
	}
	out, ok := o.decrypt(s.aead, dst, packet)
	if !ok {
		o.stats.Foreign++
		return 0, dst, ErrForeign
	}
	s.markSeen(counter)
	o.stats.Accepted++
	return node, out, nil
}

// openOtherBoot opens a packet that is not of the sender's present boot. It changes the boot only after the
// packet was authenticated.
func (o *Opener) openOtherBoot(s *sender, boot Boot, dst, packet []byte) (ring.NodeID, []byte, error) {
	aead := o.cipher.ofBoot(o.clusterKey, s.node, &boot.ID)
	counter := binary.LittleEndian.Uint64(packet[offsetCounter:])
	out, ok := o.decrypt(aead, dst, packet)
	if !ok || counter == 0 || boot.Count == 0 {
		o.stats.Foreign++
		return 0, dst, ErrForeign
	}
	if s.aead != nil && boot.Count <= s.boot.Count {
		o.stats.StaleBoot++
		return s.node, dst, ErrStaleBoot
	}
	*s = sender{node: s.node, aead: aead, boot: boot}
	s.markSeen(counter)
	o.stats.Accepted++
	return s.node, out, nil
}

// decrypt appends the payload of a packet to dst; false if the packet is not authentic.
func (o *Opener) decrypt(aead cipher.AEAD, dst, packet []byte) ([]byte, bool) {
	copy(o.nonceBuffer[nonceBytes-8:], packet[offsetCounter:headerBytes])
	out, err := aead.Open(dst, o.nonceBuffer[:], packet[headerBytes:], packet[:headerBytes])
	if err != nil {
		return dst, false
	}
	return out, true
}

// wasSeen reports whether a counter was accepted before, or is too old to know.
func (s *sender) wasSeen(counter uint64) bool {
	if counter > s.highestCounter {
		return false
	}
	if counter == 0 || s.highestCounter-counter >= WindowPackets {
		return true
	}
	at := counter % WindowPackets
	return s.seenCounters[at/64]&(1<<(at%64)) != 0
}

// markSeen records an accepted counter and moves the window.
func (s *sender) markSeen(counter uint64) {
	if counter > s.highestCounter {
		s.clearSeen(counter - s.highestCounter)
		s.highestCounter = counter
	}
	at := counter % WindowPackets
	s.seenCounters[at/64] |= 1 << (at % 64)
}

// clearSeen clears the bits of the counters that the window moves onto.
func (s *sender) clearSeen(steps uint64) {
	if steps >= WindowPackets {
		s.seenCounters = [replayWindowWords]uint64{}
		return
	}
	for c := s.highestCounter + 1; c <= s.highestCounter+steps; c++ {
		at := c % WindowPackets
		s.seenCounters[at/64] &^= 1 << (at % 64)
	}
}
