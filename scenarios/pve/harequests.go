package pve

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// Limits and defaults of requests.
const (
	requestTimeout = 10 * time.Second
	// maxRequestTries bounds how often a request begins anew because somebody else changed the file.
	maxRequestTries = 5
	// requestProcesses is where the process numbers of those who make requests begin in the history.
	requestProcesses = workload.FirstActor
)

// Actors implements scenarios.ActorProvider.
func (s *Subject) Actors(scale scenarios.Timescale) []scenarios.Actor {
	h := s.spec.HA
	if h == nil || h.Operations == nil {
		return nil
	}
	clients := max(h.Operations.Clients, 1)
	actors := make([]scenarios.Actor, clients)
	for i := range actors {
		a := requester{number: i, clients: clients, subject: s, spec: h.Operations, scale: scale,
			kinds: h.Operations.Kinds, services: h.Operations.Services, process: requestProcesses + i}
		if len(a.kinds) == 0 {
			a.kinds = haspec.RequestKinds()
		}
		if len(a.services) == 0 {
			a.services = slices.Sorted(maps.Keys(h.Services))
		}
		actors[i] = scenarios.Actor{Name: fmt.Sprintf("requests-%d", i), Run: a.run}
	}
	return actors
}

// requester is a client that makes requests.
type requester struct {
	number, clients int
	subject         *Subject
	spec            *haspec.Operations
	scale           scenarios.Timescale
	kinds, services []string

	world   workload.ClientEnv
	home    int // the machine that it talks to
	process int // its number in the history; a new one after each unknown outcome
	asked   int
}

// requestSteps is the resolution of pauses.
const requestSteps = 1 << 12

func (a requester) run(w workload.ClientEnv) error {
	a.world, a.home = w, a.number%len(a.subject.machines)
	choose := map[string]fault.Chooser{}
	for _, label := range []string{"pause", "kind", "service", "node"} {
		choose[label] = w.Choices(label)
	}
	count := a.spec.Count / a.clients
	if a.number < a.spec.Count%a.clients {
		count++
	}
	pause := a.scale.Of(a.subject.duration) / time.Duration(count+1)
	due := w.Now()
	for i := range count {
		due += 2 * pause * time.Duration(choose["pause"].Choose(requestSteps)) / requestSteps
		if w.Sleep(due-w.Now()) != nil {
			return nil
		}
		o := request{kind: a.kinds[choose["kind"].Choose(uint64(len(a.kinds)))],
			sid: a.services[choose["service"].Choose(uint64(len(a.services)))]}
		if node := choose["node"].Choose(uint64(len(a.subject.machines))); o.moves() {
			o.node = a.subject.NodeNames()[node]
		}
		if stopped, err := a.give(i, o); stopped || err != nil {
			return err
		}
	}
	return nil
}

// request is what a client wants of a service.
type request struct{ kind, sid, node string }

func (o *request) moves() bool {
	return o.kind == haspec.RequestMigrate || o.kind == haspec.RequestRelocate
}

// line is a move as the master reads it.
func (o *request) line() string { return o.kind + " " + o.sid + " " + o.node }

// wants is the state that a request asks for.
func (o *request) wants() string {
	if o.kind == haspec.RequestStart {
		return ha.WantStarted
	}
	return ha.WantStopped
}

// give makes a request and notes it in the history.
func (a *requester) give(number int, o request) (stopped bool, err error) {
	e := history.Event{Process: a.process, Type: history.Invoke, F: o.kind, Key: o.sid,
		ID: fmt.Sprintf("h%d-%d", a.number, number), Node: a.subject.machines[a.home]}
	if o.moves() {
		e.Value = workload.JSON(o.node)
	}
	a.world.Append(e)
	e.Type, e.Error = history.Fail, "changed by others"
	var doErr error
	for range maxRequestTries {
		var again bool
		if e.Type, e.Rev, e.Error, again, doErr = a.attempt(e.ID, o); !again {
			break
		}
	}
	a.world.Append(e)
	if e.Type == history.Info {
		a.process += a.clients
	}
	if e.Type != history.OK {
		a.home = (a.home + 1) % len(a.subject.machines)
	}
	return errors.Is(doErr, workload.ErrStopped), nil
}

// attempt reads the file that a request changes and writes it back.
func (a *requester) attempt(id string, o request) (t history.Type, rev uint64, code string, again bool, err error) {
	file := haproc.ResourcesPath
	if o.moves() {
		file = haproc.CommandsPath
	}
	answer, err := a.ask(id, store.Request{Op: store.OpRead, Path: file})
	var old string
	var revision uint64
	switch {
	case refusedAs(err, tree.NotFound):
	case err != nil:
		return history.Fail, 0, codeOf(err), false, err // nothing was changed
	default:
		old, revision = string(answer.Entry.Data), answer.Entry.Mod
	}
	text := old + o.line() + "\n"
	if !o.moves() {
		if text, err = changeService(old, []string{"set", o.sid, "state", o.wants()}); err != nil {
			return history.Fail, 0, "no such service", false, nil
		}
	}
	if revision == 0 {
		_, err = a.ask(id, store.Request{Op: tree.Mkdir.String(), Path: path.Dir(file)})
		if err != nil && !refusedAs(err, tree.Exists) {
			return history.Fail, 0, codeOf(err), false, err
		}
	}
	answer, err = a.ask(id, store.Request{Op: tree.CAS.String(), Path: file, Data: []byte(text), Expect: revision})
	switch {
	case err == nil:
		return history.OK, answer.Revision, "", false, nil
	case refusedAs(err, tree.RevisionMismatch, tree.Exists, tree.NotFound):
		return history.Fail, 0, "changed by others", true, nil
	case refusedAs(err, store.CodeUnknown):
		return history.Info, 0, codeOf(err), false, nil
	case isRefusal(err), errors.Is(err, workload.ErrRefused):
		return history.Fail, 0, codeOf(err), false, nil
	}
	return history.Info, 0, codeOf(err), false, err
}

// ask makes one request at the machine that this client talks to.
func (a *requester) ask(id string, r store.Request) (*store.Response, error) {
	a.asked++
	r.ID = fmt.Sprintf("requests/%s/%d", id, a.asked)
	out, err := a.world.Do(a.home, store.Process, r.Encode(), requestTimeout)
	if err != nil {
		return nil, err
	}
	answer, err := store.DecodeResponse(out)
	if err == nil && !answer.OK {
		err = &errRefused{answer.Code}
	}
	if err == nil && r.Op == store.OpRead && answer.Entry == nil {
		err = fmt.Errorf("reading %s: an answer without an entry", r.Path)
	}
	return answer, err
}

func isRefusal(err error) bool {
	var r *errRefused
	return errors.As(err, &r)
}

// codeOf is a short word for the history.
func codeOf(err error) string {
	var r *errRefused
	switch {
	case errors.As(err, &r):
		return string(r.code)
	case errors.Is(err, workload.ErrRefused):
		return "refused"
	case errors.Is(err, workload.ErrTimeout):
		return "timeout"
	case errors.Is(err, workload.ErrStopped):
		return "stopped"
	}
	return "reset"
}
