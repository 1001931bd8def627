package store

import (
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/bin"
	"github.com/holdfast-sim/holdfast/engine/store/state"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

// Messages between stores, all of them in the ring's total order. Each is cut into frames.

const (
	wireVersion = 3
	// maxFrameBytes is the payload of one multicast; longer messages take several.
	maxFrameBytes = 32 << 10
	// maxMessageBytes bounds every message but snapshots.
	maxMessageBytes = tree.MaxFileBytes + 2*tree.MaxPathBytes + 64<<10
	// maxSnapshotBytes bounds a snapshot: the content, and a kilobyte for each entry and log entry
	// would be more than any real tree needs; beyond that the transfer is refused.
	maxSnapshotBytes = tree.MaxTreeBytes + 384<<20
)

type frame struct {
	ringID        ring.ID // of the ring for which it was sent
	messageNumber uint64  // of the message, per sender
	pieceIndex    uint32
	pieceCount    uint32
	isBulk        bool // part of a snapshot
	piece         []byte
}

// appendTo appends the frame's bytes to b.
func (f *frame) appendTo(b []byte) []byte {
	w := bin.Writer{B: b}
	w.U8(wireVersion)
	w.U64(f.ringID.Seq)
	w.U32(uint32(f.ringID.Rep))
	w.U64(f.messageNumber)
	w.U32(f.pieceIndex)
	w.U32(f.pieceCount)
	w.Bool(f.isBulk)
	w.Raw(f.piece)
	return w.B
}

func decodeFrame(data []byte) (frame, error) {
	r := &bin.Reader{B: data}
	version := r.U8()
	f := frame{ringID: ring.ID{Seq: r.U64(), Rep: ring.NodeID(r.U32())},
		messageNumber: r.U64(), pieceIndex: r.U32(), pieceCount: r.U32(), isBulk: r.Bool()}
	f.piece = r.B
	limit := uint32(maxMessageBytes/maxFrameBytes + 1)
	if f.isBulk {
		limit = maxSnapshotBytes/maxFrameBytes + 1
	}
	if r.Failed() || version != wireVersion || len(f.piece) > maxFrameBytes ||
		f.pieceCount == 0 || f.pieceCount > limit || f.pieceIndex >= f.pieceCount {
		return frame{}, fmt.Errorf("%w: frame of %d bytes", state.ErrMalformed, len(data))
	}
	return f, nil
}

// message is one of the types below.
type message interface{ encode(*bin.Writer) }

// report is STATE: what a node has on its disk as it enters a ring.
type report struct {
	Incarnation state.Incarnation
	Epoch       ring.ID
	Mark        state.Mark
	Config      *state.Config    // a proposal while the store is unborn
	Peers       []state.PeerMark // what the others have confirmed, as this store remembers it
}

// decide is DECIDE: which reports take part in the epoch, and whose state it starts from.
type decide struct {
	Members []ring.NodeID
	Source  ring.NodeID
	Epoch   ring.ID // the source's installed epoch
	Mark    state.Mark
	Genesis bool
	// Replacement is the request that gives a node's vote to another store as the epoch's first change; ""
	// for none. See replacement.go.
	Replacement string
}

// fetch asks Target for what is between a place in the history and its own.
type fetch struct {
	Target  ring.NodeID
	Mark    state.Mark
	Genesis state.GenesisID
}

// command asks for a change.
type command struct{ state.Command }

// marker is a place in the order for reads.
type marker struct{ ID uint64 }

// ack confirms that everything up to Position is durable, which is everything up to Revision of this epoch.
type ack struct {
	Incarnation state.Incarnation
	Position    uint64
	Revision    uint64
}

// snapshot carries an encoded state.Snapshot.
type snapshot struct{ Data []byte }

const (
	tagReport = 1 + iota
	tagDecide
	tagFetch
	tagCommand
	tagMarker
	tagAck
	tagSnapshot
)

func putRing(w *bin.Writer, id ring.ID) {
	w.U64(id.Seq)
	w.U32(uint32(id.Rep))
}

func getRing(r *bin.Reader) ring.ID { return ring.ID{Seq: r.U64(), Rep: ring.NodeID(r.U32())} }

func putMark(w *bin.Writer, m state.Mark) {
	w.U64(m.Revision)
	w.Raw(m.Chain[:])
}

func getMark(r *bin.Reader) (m state.Mark) {
	m.Revision = r.U64()
	r.Raw(m.Chain[:])
	return m
}

func (m *report) encode(w *bin.Writer) {
	w.U8(tagReport)
	w.Raw(m.Incarnation[:])
	putRing(w, m.Epoch)
	putMark(w, m.Mark)
	state.AppendConfig(w, m.Config)
	state.AppendPeers(w, m.Peers)
}

func (m *decide) encode(w *bin.Writer) {
	w.U8(tagDecide)
	w.U32(uint32(len(m.Members)))
	for _, n := range m.Members {
		w.U32(uint32(n))
	}
	w.U32(uint32(m.Source))
	putRing(w, m.Epoch)
	putMark(w, m.Mark)
	w.Bool(m.Genesis)
	w.String(m.Replacement)
}

func (m *fetch) encode(w *bin.Writer) {
	w.U8(tagFetch)
	w.U32(uint32(m.Target))
	putMark(w, m.Mark)
	w.Raw(m.Genesis[:])
}

func (m *command) encode(w *bin.Writer) {
	w.U8(tagCommand)
	w.String(m.Request)
	w.U64(m.Since)
	w.U32(uint32(m.Replace.Node))
	w.Raw(m.Replace.Incarnation[:])
	op := &m.Op
	w.U8(uint8(op.Kind))
	w.String(op.Path)
	w.String(op.To)
	w.Bytes(op.Data)
	w.U64(op.Expect)
	w.U32(op.Writer)
	w.U64(uint64(op.MtimeMS))
}

func (m *marker) encode(w *bin.Writer) {
	w.U8(tagMarker)
	w.U64(m.ID)
}

func (m *ack) encode(w *bin.Writer) {
	w.U8(tagAck)
	w.Raw(m.Incarnation[:])
	w.U64(m.Position)
	w.U64(m.Revision)
}

func (m *snapshot) encode(w *bin.Writer) {
	w.U8(tagSnapshot)
	w.Raw(m.Data)
}

func encodeMessage(m message) []byte {
	size := 256
	switch m := m.(type) {
	case *command:
		size += len(m.Op.Data) + len(m.Op.Path) + len(m.Op.To)
	case *snapshot:
		size += len(m.Data)
	case *marker, *ack:
		size = 64
	}
	w := bin.Writer{B: make([]byte, 0, size)}
	m.encode(&w)
	return w.B
}

// decodeMessage reads a complete message. Contents alias data.
func decodeMessage(data []byte) (message, error) {
	r := &bin.Reader{B: data}
	var m message
	switch r.U8() {
	case tagReport:
		m = decodeReport(r)
	case tagDecide:
		m = decodeDecide(r)
	case tagFetch:
		f := &fetch{Target: ring.NodeID(r.U32()), Mark: getMark(r)}
		r.Raw(f.Genesis[:])
		m = f
	case tagCommand:
		m = decodeCommand(r)
	case tagMarker:
		m = &marker{ID: r.U64()}
	case tagAck:
		a := &ack{}
		r.Raw(a.Incarnation[:])
		a.Position, a.Revision = r.U64(), r.U64()
		m = a
	case tagSnapshot:
		m, r.B = &snapshot{Data: r.B}, nil
	default:
		r.Fail()
	}
	if !r.Done() {
		return nil, fmt.Errorf("%w: message of %d bytes", state.ErrMalformed, len(data))
	}
	return m, nil
}

func decodeReport(r *bin.Reader) *report {
	m := &report{}
	r.Raw(m.Incarnation[:])
	m.Epoch, m.Mark = getRing(r), getMark(r)
	m.Config = state.ReadConfig(r)
	m.Peers = state.ReadPeers(r)
	if m.Incarnation.IsZero() {
		r.Fail()
	}
	return m
}

func decodeDecide(r *bin.Reader) *decide {
	m := &decide{}
	for n := r.Count(4); n > 0; n-- {
		node := ring.NodeID(r.U32())
		if k := len(m.Members); k > 0 && m.Members[k-1] >= node {
			r.Fail()
		}
		m.Members = append(m.Members, node)
	}
	m.Source, m.Epoch, m.Mark = ring.NodeID(r.U32()), getRing(r), getMark(r)
	m.Genesis, m.Replacement = r.Bool(), r.String(MaxRequestIDBytes)
	return m
}

func decodeCommand(r *bin.Reader) *command {
	m := &command{}
	m.Request, m.Since = r.String(MaxRequestIDBytes), r.U64()
	m.Replace.Node = ring.NodeID(r.U32())
	r.Raw(m.Replace.Incarnation[:])
	m.Op = tree.Op{Kind: tree.OpKind(r.U8()), Path: r.String(tree.MaxPathBytes),
		To: r.String(tree.MaxPathBytes), Data: r.Bytes(tree.MaxFileBytes), Expect: r.U64(), Writer: r.U32(),
		MtimeMS: int64(r.U64())}
	if m.Request == "" {
		r.Fail()
	}
	return m
}
