package status

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
)

// Process is the name under which the status process runs on a machine.
const Process = "status"

// pace is the least time between two messages of a node, and between attempts to send one.
const pace = time.Second

const timerSend env.TimerID = 1

// Server is the process. It implements env.Process.
type Server struct {
	self ring.NodeID
	env  env.Env

	own   map[string]owned // by key
	nodes map[ring.NodeID]map[string]json.RawMessage

	cluster bool // the cluster process runs
	joined  bool // and has told of a ring
	due     bool // there is something to send
	ask     bool // and it wants the others to speak
	waits   bool // the timer runs
}

// owned is a value and the local process that it came from.
type owned struct {
	by    string
	value json.RawMessage
}

// New prepares the status process of a node.
func New(self ring.NodeID) *Server { return &Server{self: self} }

// Start implements env.Process.
func (s *Server) Start(e env.Env) error {
	s.env = e
	s.own, s.nodes = map[string]owned{}, map[ring.NodeID]map[string]json.RawMessage{}
	return nil
}

// Step implements env.Process.
func (s *Server) Step(ev env.Event) {
	switch ev := ev.(type) {
	case env.LocalUp:
		if ev.Process == cpg.Process {
			s.cluster = s.env.Local(cpg.Process, cpg.Encode(cpg.Hello{})) == nil
		}
	case env.LocalDown:
		s.down(ev.Process)
	case env.LocalMessage:
		if ev.From == cpg.Process {
			s.fromCluster(ev.Payload)
		} else {
			s.fromProcess(ev.From, ev.Payload)
		}
	case env.TimerFired:
		if ev.ID == timerSend {
			s.waits = false
			s.send()
		}
	}
}

// down: with the cluster process the ring is gone, with any other what it had to say.
func (s *Server) down(process string) {
	if process == cpg.Process {
		s.cluster, s.joined = false, false
		clear(s.nodes)
		return
	}
	for key, o := range s.own {
		if o.by == process {
			delete(s.own, key)
			s.due = true
		}
	}
	s.send()
}

func (s *Server) fromCluster(payload []byte) {
	m, err := cpg.Decode(payload)
	if err != nil {
		s.env.Log().Error("bad message from the cluster process", "err", err.Error())
		return
	}
	switch m := m.(type) {
	case cpg.Config:
		s.configure(m)
	case cpg.Deliver:
		s.hear(m.From, m.Payload)
	case cpg.Busy:
		s.due = true
		s.later()
	}
}

// configure takes a new ring, or the one that was there before this process.
func (s *Server) configure(c cpg.Config) {
	if c.Kind != cpg.Regular {
		return
	}
	for id := range s.nodes {
		if !slices.Contains(c.Members, id) {
			delete(s.nodes, id)
		}
	}
	s.joined = true
	s.ask = s.ask || c.Greeting
	s.due = s.due || s.ask || len(s.own) > 0
	s.send()
}

// hear takes what a node, perhaps this one, has to say.
func (s *Server) hear(from ring.NodeID, payload []byte) {
	m, err := decodeSaid(payload)
	if err != nil {
		s.env.Log().Error("the status of a node cannot be read", "node", uint32(from), "err", err.Error())
		return
	}
	s.nodes[from] = m.Values
	if m.Ask && from != s.self && len(s.own) > 0 {
		s.due = true
		s.send()
	}
}

func (s *Server) fromProcess(from string, payload []byte) {
	r, err := decodeRequest(payload)
	if err != nil {
		s.env.Log().Error("a request that cannot be read", "process", from, "err", err.Error())
		return
	}
	if r.Op == opGet {
		s.answer(from, &r)
		return
	}
	old, known := s.own[r.Key]
	switch {
	case len(r.Value) == 0:
		delete(s.own, r.Key)
	case !known && len(s.own) >= MaxKeys:
		s.env.Log().Error("too many keys", "process", from, "key", r.Key, "limit", MaxKeys)
		return
	default:
		s.own[r.Key] = owned{from, r.Value}
	}
	if string(old.value) != string(r.Value) {
		s.due = true
		s.send()
	}
}

func (s *Server) answer(to string, r *request) {
	a := answer{ID: r.ID, Nodes: map[ring.NodeID]json.RawMessage{}}
	for id, values := range s.nodes {
		if v := values[r.Key]; len(v) > 0 {
			a.Nodes[id] = v
		}
	}
	if err := s.env.Local(to, encode(a)); errors.Is(err, env.ErrLocalFull) {
		s.env.Log().Warn("a process does not take its answer", "process", to)
	}
}

// send says all that this node has to say, at its pace.
func (s *Server) send() {
	if !s.due || !s.cluster || !s.joined || s.waits {
		return
	}
	m := said{Ask: s.ask, Values: make(map[string]json.RawMessage, len(s.own))}
	for key, o := range s.own {
		m.Values[key] = o.value
	}
	payload := encode(m)
	if len(payload) > maxMessageBytes {
		s.env.Log().Error("there is more to say than fits", "bytes", len(payload), "limit", maxMessageBytes)
		s.due = false
		return
	}
	s.later()
	if s.env.Local(cpg.Process, cpg.Encode(cpg.Multicast{Payload: payload})) == nil {
		s.due, s.ask = false, false
	}
}

// later lets the next message wait for its time.
func (s *Server) later() {
	if !s.waits {
		s.waits = true
		s.env.SetTimer(timerSend, pace)
	}
}
