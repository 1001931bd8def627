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

// Server is the status process. It implements env.Process.
type Server struct {
	self ring.NodeID
	env  env.Env

	own   map[string]owned // by key
	nodes map[ring.NodeID]map[string]json.RawMessage

	cluster   bool // the cluster process runs
	joined    bool // and has reported a ring
	due       bool // there is something to send
	ask       bool // with the request that the other nodes send, too
	timerRuns bool // the timer runs
}

// owned is a value with the local process that set it.
type owned struct {
	by    string
	value json.RawMessage
}

// New returns the status process of a node.
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
		s.processEnded(ev.Process)
	case env.LocalMessage:
		if ev.From == cpg.Process {
			s.fromCluster(ev.Payload)
		} else {
			s.fromProcess(ev.From, ev.Payload)
		}
	case env.TimerFired:
		if ev.ID == timerSend {
			s.timerRuns = false
			s.send()
		}
	}
}

// processEnded handles the end of a local process. Without the cluster process there is no ring; the
// values of any other process are dropped.
func (s *Server) processEnded(process string) {
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
		s.receive(m.From, m.Payload)
	case cpg.Busy:
		s.due = true
		s.deferNextMessage()
	}
}

// configure takes a new ring, or the present ring if it existed before this process.
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

// receive takes the values of a node, possibly this one.
func (s *Server) receive(from ring.NodeID, payload []byte) {
	m, err := decodeAnnouncement(payload)
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
	if err := s.env.Local(to, env.EncodeJSON(a)); errors.Is(err, env.ErrLocalFull) {
		s.env.Log().Warn("a process does not take its answer", "process", to)
	}
}

// send multicasts all values of this node, at most once per pace.
func (s *Server) send() {
	if !s.due || !s.cluster || !s.joined || s.timerRuns {
		return
	}
	m := announcement{Ask: s.ask, Values: make(map[string]json.RawMessage, len(s.own))}
	for key, o := range s.own {
		m.Values[key] = o.value
	}
	payload := env.EncodeJSON(m)
	if len(payload) > maxMessageBytes {
		s.env.Log().Error("there is more to say than fits", "bytes", len(payload), "limit", maxMessageBytes)
		s.due = false
		return
	}
	s.deferNextMessage()
	if s.env.Local(cpg.Process, cpg.Encode(cpg.Multicast{Payload: payload})) == nil {
		s.due, s.ask = false, false
	}
}

// deferNextMessage starts the timer for the next message.
func (s *Server) deferNextMessage() {
	if !s.timerRuns {
		s.timerRuns = true
		s.env.SetTimer(timerSend, pace)
	}
}
