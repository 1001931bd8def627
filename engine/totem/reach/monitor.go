package reach

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

// The first byte of a monitor's messages.
const (
	KindPing = 8  // asks for an answer: number, digest of the sender's table, the relay if there is one
	KindPong = 9  // answers: number of the ping, boot of the sender, the relay if there is one
	KindRows = 10 // rows, see Table.AppendRows
)

const (
	pingBytes = 1 + 8 + 8 // of a pong as well
	viaBytes  = 4         // what a relayed ping or pong has more
)

// Config is the configuration of a Monitor.
type Config struct {
	Node   ring.NodeID
	Nodes  []ring.NodeID // every configured node, ascending, this one included
	Votes  uint32        // of this node
	Timing Timing
	Relay  bool // nodes to which the direct link does not work are reached over one other node
	Host   Host
}

// Monitor probes the links of one node, keeps the rows of all, and holds what follows from them. Methods that
// may change the decision report whether they did.
type Monitor struct {
	cfg Config
	prober
	outbox

	digest    uint64
	decision  Decision
	decidedAt time.Duration // when decision became what it is
	rowAt     time.Duration // when this node's row was published
	rowWaits  bool          // the row is out of date, and the next one is due RowEvery after rowAt
	primary   Primary
	isLeaving bool
}

// NewMonitor returns a monitor that does nothing before Start.
func NewMonitor(cfg Config) *Monitor {
	self, ok := slices.BinarySearch(cfg.Nodes, cfg.Node)
	if !ok {
		panic("reach: this node is not among the nodes")
	}
	table := NewTable(cfg.Nodes)
	m := &Monitor{cfg: cfg, prober: newProber(&cfg, self, table)}
	m.outbox = outbox{host: cfg.Host, routes: &m.prober}
	return m
}

// Start begins a boot of the node, whose rows replace those of all earlier ones, and publishes its row. It is
// called again when the node takes a later boot number.
func (m *Monitor) Start(now time.Duration, boot uint64) (changed bool) {
	m.table.rows[m.self].Version = Version{Boot: boot}
	return m.publish(now)
}

// NextAt returns when Advance has to be called.
func (m *Monitor) NextAt() time.Duration {
	next := m.pingedAt + m.cfg.Timing.Ping
	if !m.hasBegun {
		return 0
	}
	if m.rowWaits {
		next = min(next, m.rowAt+RowEvery)
	}
	return next
}

// Advance does what is due.
func (m *Monitor) Advance(now time.Duration) (changed bool) {
	if !m.hasBegun || now >= m.pingedAt+m.cfg.Timing.Ping {
		m.judge(now)
		m.chooseRoutes(now)
		m.sendPings(now)
	}
	return m.refreshRow(now)
}

func (m *Monitor) sendPings(now time.Duration) {
	le := binary.LittleEndian
	b := le.AppendUint64(append(m.buffer[:0], KindPing), m.nextProbe(now))
	m.buffer = le.AppendUint64(b, m.digest)
	for i, id := range m.cfg.Nodes {
		if i != m.self {
			m.cfg.Host.Send(id, 0, m.buffer)
		}
	}
	for i := range m.paths {
		for _, via := range []int{m.paths[i].via, m.paths[i].trial} {
			if via != direct {
				relay := m.cfg.Nodes[via]
				m.cfg.Host.Send(m.cfg.Nodes[i], relay, le.AppendUint32(m.buffer[:pingBytes], uint32(relay)))
			}
		}
	}
}

// refreshRow publishes this node's row if its content has changed and the last one is old enough.
func (m *Monitor) refreshRow(now time.Duration) (changed bool) {
	old := m.table.rows[m.self]
	row := m.currentRow(now)
	if row.Links == old.Links && row.Direct == old.Direct && row.Primary == old.Primary &&
		row.IsLeaving == old.IsLeaving && !gradesMoved(m.links, m.self, old.Quality) {
		m.rowWaits = false
		return false
	}
	if m.rowWaits = now < m.rowAt+RowEvery; m.rowWaits {
		return false
	}
	return m.publish(now)
}

// currentRow returns this node's row as it should be, with the version that it has and without the quality of
// links.
func (m *Monitor) currentRow(now time.Duration) Row {
	r := Row{Version: m.table.rows[m.self].Version, IsLeaving: m.isLeaving, Votes: m.cfg.Votes,
		Primary: m.primary, Relays: m.paths != nil}
	if !m.isLeaving {
		r.Links = m.reached()
		if r.Relays {
			r.Direct = m.freshLinks(now)
		}
	}
	return r
}

// publish gives this node's row a new version and sends it to all.
func (m *Monitor) publish(now time.Duration) (changed bool) {
	row := m.currentRow(now)
	if row.Version.Number++; row.Relays {
		row.Quality = gradesOf(m.links, m.self)
	}
	m.table.rows[m.self] = row
	m.rowAt, m.rowWaits = now, false
	var own Set
	own.Add(m.self)
	m.buffer = m.table.AppendRows(append(m.buffer[:0], KindRows), own)
	m.sendAll()
	return m.decide(now)
}

// decide derives the decision from the rows.
func (m *Monitor) decide(now time.Duration) (changed bool) {
	m.digest = m.table.Digest()
	d := m.table.Decide(m.self)
	changed = d != m.decision
	if changed {
		m.decision, m.decidedAt = d, now
	}
	return changed
}

// Receive takes a message of another node: its kind, and what follows.
func (m *Monitor) Receive(now time.Duration, from ring.NodeID, kind byte, body []byte) (changed bool,
	err error,
) {
	i, ok := slices.BinarySearch(m.cfg.Nodes, from)
	if !ok || i == m.self {
		return false, ErrMalformed
	}
	switch {
	case kind == KindRows:
		return m.onRows(now, i, body)
	case kind != KindPing && kind != KindPong:
		return false, ErrMalformed
	}
	number, value, via, err := m.cfg.decodePing(from, body)
	switch {
	case err != nil:
		return false, err
	case kind == KindPing:
		m.onPing(i, number, value, via)
		return false, nil
	case value == 0:
		return false, ErrMalformed
	}
	m.answer(now, i, number, value, via)
	return m.refreshRow(now), nil
}

// onPing answers a probe, over the relay over which it came. If the sender has other rows than this node, it
// gets those of this node, and its own rows come as the answer to the next probe of this node.
func (m *Monitor) onPing(from int, probe, digest uint64, via int) {
	le := binary.LittleEndian
	b := le.AppendUint64(append(m.buffer[:0], KindPong), probe)
	m.buffer = le.AppendUint64(b, m.table.rows[m.self].Version.Boot)
	relay := ring.NodeID(0)
	if via != direct {
		relay = m.cfg.Nodes[via]
		m.buffer = le.AppendUint32(m.buffer, uint32(relay))
	}
	m.cfg.Host.Send(m.cfg.Nodes[from], relay, m.buffer)
	m.Compare(m.cfg.Nodes[from], digest)
}

// Digest identifies the rows that this node has.
func (m *Monitor) Digest() uint64 { return m.digest }

// Compare sends all rows to a node whose rows have another digest.
func (m *Monitor) Compare(with ring.NodeID, digest uint64) {
	i, ok := slices.BinarySearch(m.cfg.Nodes, with)
	if !ok || i == m.self || digest == m.digest {
		return
	}
	var all Set
	for j := range m.cfg.Nodes {
		all.Add(j)
	}
	m.sendRows(i, all)
}

// onRows merges rows, and passes those that are news on to nodes that their origin does not reach.
func (m *Monitor) onRows(now time.Duration, from int, body []byte) (changed bool, err error) {
	rows, err := m.table.DecodeRows(body)
	if err != nil {
		return false, err
	}
	news := rows[:0] // those that are newer than what this node had
	for _, r := range rows {
		if r.Node == m.self {
			changed = m.outdo(now, r.Version) || changed
			continue
		}
		reaches := r.sendsTo()
		if r.IsLeaving {
			reaches = m.table.rows[r.Node].sendsTo()
		}
		if !m.table.Merge(r.Node, r.Row) {
			continue
		}
		if r.IsLeaving {
			m.drop(r.Node)
		}
		r.Links = reaches
		news = append(news, r)
	}
	if len(news) == 0 {
		return changed, nil
	}
	changed = m.decide(now) || changed
	m.passOn(m.upLinks(), from, news)
	return m.refreshRow(now) || changed, nil
}

// outdo publishes a row that replaces one of this node that others have and this one does not know, because
// its disk was replaced.
func (m *Monitor) outdo(now time.Duration, v Version) (changed bool) {
	own := &m.table.rows[m.self].Version
	if !own.Before(v) {
		return false
	}
	*own = v
	return m.publish(now)
}

// MarkQuorum notes whether the ring of which this node is a member is quorate. Links are damped until one is
// not, and again when one is: damping protects a ring that works from links that do not, and without quorum
// it could only keep apart nodes that have quorum together.
func (m *Monitor) MarkQuorum(now time.Duration, id ring.ID, members []ring.NodeID, isQuorate bool,
) (changed bool) {
	m.prober.cfg.Timing.isWaived = !isQuorate
	if !isQuorate {
		return false
	}
	p := Primary{Ring: id}
	for _, node := range members {
		if i, ok := slices.BinarySearch(m.cfg.Nodes, node); ok {
			p.Members.Add(i)
		}
	}
	m.primary = p
	return m.refreshRow(now)
}

// Leave publishes that this node is in no ring from now on.
func (m *Monitor) Leave(now time.Duration) {
	m.isLeaving = true
	m.publish(now)
}

// HasLeft reports whether a node has left in order, and not come back.
func (m *Monitor) HasLeft(id ring.NodeID) bool {
	i, ok := slices.BinarySearch(m.cfg.Nodes, id)
	return ok && m.table.rows[i].IsLeaving
}

// DropLinks brings all links down, because this node does not get what the others send. They come up again
// like links after a first outage.
func (m *Monitor) DropLinks(now time.Duration) (changed bool) {
	m.dropAll()
	return m.publish(now)
}

// Members returns the nodes with which this node has to be in a ring, itself included.
func (m *Monitor) Members() []ring.NodeID { return m.table.ids(m.decision.Members) }

// Exclusion describes why a node is excluded: to which of the First members it has no link. It is the zero
// value for a node that is not.
type Exclusion struct {
	First   []ring.NodeID // the members of the ring of which the node is no member
	Missing []ring.NodeID // those of First to which the node has no link that works both ways
}

// Excluded returns the node's exclusion, and whether it is certain: not within the short time in which the
// ends of links notice that these work again.
func (m *Monitor) Excluded(now time.Duration) (x Exclusion, isCertain bool) {
	if m.decision.First.Has(m.self) {
		return Exclusion{}, true
	}
	missing := m.decision.First
	links := m.table.rows[m.self].Links
	for j := links.Next(0); j >= 0; j = links.Next(j + 1) {
		if m.table.rows[j].Links.Has(m.self) {
			missing.Remove(j)
		}
	}
	return Exclusion{First: m.table.ids(m.decision.First), Missing: m.table.ids(missing)},
		now-m.decidedAt >= 3*m.cfg.Timing.Ping
}
