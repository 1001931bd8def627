package emitted

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Message is one that a record shows: that it was sent, that it was received, or both.
type Message struct {
	// From and To are numbers of machines; To is -1 if no record states who received it.
	From, To int
	// Sent and Received are times since the run began; -1 if no record states them.
	Sent, Received time.Duration
	// Process and Kind are those of the record with most details: of the receipt, else of the sending.
	Process, Kind string
	Text          string
}

// At is when the message was first seen.
func (m *Message) At() time.Duration {
	if m.Sent >= 0 {
		return m.Sent
	}
	return m.Received
}

// maxSendings is how many records are remembered because a later one may be their receipt.
const maxSendings = 200_000

// Messages pairs the records of messages. A record whose member "from" names a machine is a receipt. Its
// sending is an earlier record of that machine and the same process that has no such member, and all of
// whose members the receipt has as well, with equal values; "node" and "to" do not count. A record whose
// member "to" names a machine is a sending, also without a receipt.
type Messages struct {
	machines map[string]int // by name
	nodes    map[string]int // machines by the number that they give themselves as "node"
	kinds    map[kindKey]*sendingKind
	sendings map[string]*sending
	// senders maps kinds of receipts to those of their sendings.
	senders map[kindKey]*sendingKind
	list    []Message
	// ToSelf is how many messages machines sent to themselves; they are not in the list.
	ToSelf int
}

type kindKey struct{ process, kind string }

// sendingKind is a kind of record that may be a sending.
type sendingKind struct {
	key   kindKey
	names []string // of the members that a receipt must have
}

// sending is a record that may be the sending of a message.
type sending struct {
	at       time.Duration
	from, to int
	record   kindKey
	text     string
	place    int // in the list of messages, from 1; 0 if only a receipt puts it there
}

// NewMessages returns an empty list for a run with machines of the given names.
func NewMessages(machines []string) *Messages {
	m := &Messages{machines: map[string]int{}, nodes: map[string]int{}, kinds: map[kindKey]*sendingKind{},
		sendings: map[string]*sending{}, senders: map[kindKey]*sendingKind{}}
	for i, name := range machines {
		m.machines[name] = i
	}
	return m
}

// machineOf returns the machine that a member names: by its name, or by a number that it has given itself.
func (m *Messages) machineOf(value json.RawMessage) (int, bool) {
	if len(value) == 0 {
		return 0, false
	}
	if value[0] != '"' {
		machine, ok := m.nodes[string(value)]
		return machine, ok
	}
	machine, ok := m.machines[valueText(value)]
	return machine, ok
}

// Add takes the next record, in the order of time.
func (m *Messages) Add(r *Record) {
	members := membersOf(r.Data)
	if len(members) == 0 {
		return
	}
	if node := find(members, nodeMember); node != nil {
		m.nodes[string(node)] = r.Machine
	}
	if from, ok := m.machineOf(find(members, fromMember)); ok {
		m.receive(r, members, from)
		return
	}
	m.send(r, members)
}

// send remembers a record that may be a sending.
func (m *Messages) send(r *Record, members []member) {
	to, addressed := m.machineOf(find(members, toMember))
	if !addressed {
		to = -1
	}
	key := kindKey{r.Process, r.Kind}
	kind := m.kinds[key]
	if kind == nil {
		kind = &sendingKind{key: key}
		for _, member := range members {
			if member.name != nodeMember && member.name != toMember {
				kind.names = append(kind.names, member.name)
			}
		}
		m.kinds[key] = kind
	}
	if len(m.sendings) >= maxSendings && !addressed {
		return
	}
	s := &sending{at: r.At, from: r.Machine, to: to, record: key,
		text: describe(members, nodeMember, toMember)}
	if id, ok := kind.identify(r.Machine, members); ok {
		m.sendings[id] = s
	}
	if addressed {
		m.list = append(m.list, Message{From: r.Machine, To: to, Sent: r.At, Received: -1, Process: r.Process,
			Kind: r.Kind, Text: s.text})
		s.place = len(m.list)
	}
}

// identify returns what identifies a message among those of its sender; ok is false if a member is missing.
func (k *sendingKind) identify(sender int, members []member) (id string, ok bool) {
	if len(k.names) == 0 {
		return "", false
	}
	var b strings.Builder
	b.WriteString(k.key.process + "\x00" + k.key.kind + "\x00" + strconv.Itoa(sender))
	for _, name := range k.names {
		value := find(members, name)
		if value == nil {
			return "", false
		}
		b.WriteByte(0)
		b.Write(value)
	}
	return b.String(), true
}

// receive finds the sending of a receipt.
func (m *Messages) receive(r *Record, members []member, from int) {
	if from == r.Machine {
		m.ToSelf++
		return
	}
	got := Message{From: from, To: r.Machine, Sent: -1, Received: r.At, Process: r.Process, Kind: r.Kind,
		Text: describe(members, nodeMember, fromMember, toMember)}
	kind := m.senderOf(kindKey{r.Process, r.Kind}, members)
	if kind != nil {
		if id, ok := kind.identify(from, members); ok && m.sendings[id] != nil {
			s := m.sendings[id]
			if s.place > 0 && m.list[s.place-1].Received < 0 && s.to == r.Machine {
				m.list[s.place-1].Received = r.At
				return
			}
			got.Sent = s.at
		}
	}
	m.list = append(m.list, got)
}

// senderOf returns the kind of records that are the sendings of a kind of receipts: the one with most members
// of those that a receipt has all members of; nil if there is none.
func (m *Messages) senderOf(receipt kindKey, members []member) *sendingKind {
	if known := m.senders[receipt]; known != nil {
		return known
	}
	var best *sendingKind
	for key, kind := range m.kinds {
		if key.process != receipt.process || key.kind == receipt.kind {
			continue
		}
		if slices.ContainsFunc(kind.names, func(name string) bool { return find(members, name) == nil }) {
			continue
		}
		if best == nil || len(kind.names) > len(best.names) ||
			len(kind.names) == len(best.names) && key.kind < best.key.kind {
			best = kind
		}
	}
	if best != nil {
		m.senders[receipt] = best
	}
	return best
}

// List returns the messages in the order of the times at which they were first seen.
func (m *Messages) List() []Message {
	slices.SortStableFunc(m.list, func(a, b Message) int { return int(a.At() - b.At()) })
	return m.list
}
