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

// minSendInterval is the least time between two messages of a node, and between attempts to send one.
const minSendInterval = time.Second

const timerSend env.TimerID = 1

// Server is the status process. It implements env.Process.
type Server struct {
	self ring.NodeID
	env  env.Env

	ownValues map[string]ownedValue // by key
	nodes     map[ring.NodeID]map[string]json.RawMessage

	clusterUp   bool // the cluster process runs
	hasRing     bool // and has reported a ring
	sendPending bool // there is something to send
	askOthers   bool // with the request that the other nodes send, too
	timerRuns   bool // the timer runs
}

// ownedValue is a value with the local process that set it.
type ownedValue struct {
	ownerProcess string
	value        json.RawMessage
}

// New returns the status process of a node.
func New(self ring.NodeID) *Server { return &Server{self: self} }

// Start implements env.Process.
func (s *Server) Start(e env.Env) error {
	s.env = e
	s.ownValues, s.nodes = map[string]ownedValue{}, map[ring.NodeID]map[string]json.RawMessage{}
	return nil
}

// Step implements env.Process.
func (s *Server) Step(ev env.Event) {
	switch ev := ev.(type) {
	case env.LocalUp:
		if ev.Process == cpg.Process {
			s.clusterUp = s.env.Local(cpg.Process, cpg.Encode(cpg.Hello{})) == nil
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
			s.multicastValues()
		}
	}
}

// processEnded handles the end of a local process. Without the cluster process there is no ring; the
// values of any other process are dropped.
func (s *Server) processEnded(process string) {
	if process == cpg.Process {
		s.clusterUp, s.hasRing = false, false
		clear(s.nodes)
		return
	}
	for key, o := range s.ownValues {
		if o.ownerProcess == process {
			delete(s.ownValues, key)
			s.sendPending = true
		}
	}
	s.multicastValues()
}

func (s *Server) fromCluster(payload []byte) {
	m, err := cpg.Decode(payload)
	if err != nil {
		s.env.Log().Error("bad message from the cluster process", "err", err.Error())
		return
	}
	switch m := m.(type) {
	case cpg.Config:
		s.onConfiguration(m)
	case cpg.Deliver:
		s.takeValues(m.From, m.Payload)
	case cpg.Busy:
		s.sendPending = true
		s.deferNextMessage()
	}
}

// onConfiguration takes a new ring, or the present ring if it existed before this process.
func (s *Server) onConfiguration(c cpg.Config) {
	if c.Kind != cpg.Regular {
		return
	}
	for id := range s.nodes {
		if !slices.Contains(c.Members, id) {
			delete(s.nodes, id)
		}
	}
	s.hasRing = true
	s.askOthers = s.askOthers || c.Greeting
	s.sendPending = s.sendPending || s.askOthers || len(s.ownValues) > 0
	s.multicastValues()
}

// takeValues takes the values of a node, possibly this one.
func (s *Server) takeValues(from ring.NodeID, payload []byte) {
	m, err := decodeAnnouncement(payload)
	if err != nil {
		s.env.Log().Error("the status of a node cannot be read", "node", uint32(from), "err", err.Error())
		return
	}
	s.nodes[from] = m.Values
	if m.Ask && from != s.self && len(s.ownValues) > 0 {
		s.sendPending = true
		s.multicastValues()
	}
}

func (s *Server) fromProcess(from string, payload []byte) {
	r, err := decodeRequest(payload)
	if err != nil {
		s.env.Log().Error("a request that cannot be read", "process", from, "err", err.Error())
		return
	}
	if r.Op == opGet {
		s.answerRequest(from, &r)
		return
	}
	old, known := s.ownValues[r.Key]
	switch {
	case len(r.Value) == 0:
		delete(s.ownValues, r.Key)
	case !known && len(s.ownValues) >= MaxKeys:
		s.env.Log().Error("too many keys", "process", from, "key", r.Key, "limit", MaxKeys)
		return
	default:
		s.ownValues[r.Key] = ownedValue{from, r.Value}
	}
	if string(old.value) != string(r.Value) {
		s.sendPending = true
		s.multicastValues()
	}
}

func (s *Server) answerRequest(to string, r *request) {
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

// multicastValues multicasts all values of this node, at most once per pace.
func (s *Server) multicastValues() {
	if !s.sendPending || !s.clusterUp || !s.hasRing || s.timerRuns {
		return
	}
	m := announcement{Ask: s.askOthers, Values: make(map[string]json.RawMessage, len(s.ownValues))}
	for key, o := range s.ownValues {
		m.Values[key] = o.value
	}
	payload := env.EncodeJSON(m)
	if len(payload) > maxMessageBytes {
		s.env.Log().Error("there is more to say than fits", "bytes", len(payload), "limit", maxMessageBytes)
		s.sendPending = false
		return
	}
	s.deferNextMessage()
	if s.env.Local(cpg.Process, cpg.Encode(cpg.Multicast{Payload: payload})) == nil {
		s.sendPending, s.askOthers = false, false
	}
}

// deferNextMessage starts the timer for the next message.
func (s *Server) deferNextMessage() {
	if !s.timerRuns {
		s.timerRuns = true
		s.env.SetTimer(timerSend, minSendInterval)
	}
}
