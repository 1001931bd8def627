package wire

import (
	"encoding/binary"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

const (
	// RelayHeaderBytes is what a relayed frame has in front of the sealed packet.
	RelayHeaderBytes = 1 + 1 + 2 + 4 + 4

	// relayMark is the first byte of a relayed frame. No sealed packet begins with it.
	relayMark = 0x80

	relayFlagRelayed = 1 << 0
)

// RelayHeader is in front of a sealed packet that goes over one other node. It is not sealed: the relay needs
// nothing but where the packet goes, and the packet itself proves who sent it.
type RelayHeader struct {
	From, To ring.NodeID
	// IsRelayed means that the frame comes from the relay. It is not relayed again.
	IsRelayed bool
}

// IsRelayFrame reports whether a datagram is a relayed frame, and not a sealed packet.
func IsRelayFrame(datagram []byte) bool { return len(datagram) > 0 && datagram[0] == relayMark }

// Append appends the header.
func (h *RelayHeader) Append(b []byte) []byte {
	le := binary.LittleEndian
	b = append(b, relayMark, flagByte(h.IsRelayed)*relayFlagRelayed, 0, 0)
	return le.AppendUint32(le.AppendUint32(b, uint32(h.From)), uint32(h.To))
}

// Decode reads the header of a frame and returns the sealed packet behind it.
func (h *RelayHeader) Decode(frame []byte) (packet []byte, err error) {
	d := decoder{rest: frame}
	mark, flags, reserved := d.u8(), d.flags(relayFlagRelayed), d.u16()
	h.IsRelayed, h.From, h.To = flags != 0, d.node(), d.node()
	if d.isMalformed || mark != relayMark || reserved != 0 || h.From == 0 || h.To == 0 || h.From == h.To ||
		len(d.rest) == 0 {
		return nil, ErrMalformed
	}
	return d.rest, nil
}
