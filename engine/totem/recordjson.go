package totem

import (
	"strconv"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

// Nearly all records of a run are Sent and Delivered. They append their JSON themselves, byte for byte as
// encoding/json would write it, in a fraction of the time.

// AppendJSON appends the record's JSON to b.
func (r Sent) AppendJSON(b []byte) []byte {
	b = appendPlace(b, r.Node, r.Ring, r.Ordinal)
	b = strconv.AppendUint(append(b, `,"guarantee":`...), uint64(r.Guarantee), 10)
	b = strconv.AppendUint(append(b, `,"digest":`...), r.Digest, 10)
	return append(b, '}')
}

// AppendJSON appends the record's JSON to b.
func (r Delivered) AppendJSON(b []byte) []byte {
	b = appendPlace(b, r.Node, r.Ring, r.Ordinal)
	b = strconv.AppendUint(append(b, `,"from":`...), uint64(r.From), 10)
	b = strconv.AppendUint(append(b, `,"guarantee":`...), uint64(r.Guarantee), 10)
	b = strconv.AppendBool(append(b, `,"transitional":`...), r.Transitional)
	b = strconv.AppendUint(append(b, `,"digest":`...), r.Digest, 10)
	return append(b, '}')
}

// appendPlace appends the fields that both records begin with.
func appendPlace(b []byte, n ring.NodeID, id ring.ID, ordinal uint64) []byte {
	b = strconv.AppendUint(append(b, `{"node":`...), uint64(n), 10)
	b = strconv.AppendUint(append(b, `,"ring":{"Seq":`...), id.Seq, 10)
	b = strconv.AppendUint(append(b, `,"Rep":`...), uint64(id.Rep), 10)
	return strconv.AppendUint(append(b, `},"ordinal":`...), ordinal, 10)
}
