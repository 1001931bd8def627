package requests

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
	"github.com/holdfast-sim/holdfast/scenarios/pve/operator"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// Limits of requests.
const (
	// timeout is how long a client waits for an answer of the store.
	timeout = 10 * time.Second
	// maxTries bounds how often a request starts anew because another client changed the file.
	maxTries = 5
)

// Cluster is what request clients need to know about the cluster.
type Cluster struct {
	Machines []string
	Nodes    []string // the names of the machines' nodes, in the same order
	Duration time.Duration
}

// Actors returns the clients of an ha: section, none if it has none. Their pauses, which spread the
// requests over the duration, are scaled.
func Actors(spec *haspec.Spec, c Cluster, scale timescale.Ratio) []scenarios.Actor {
	if spec.Operations == nil {
		return nil
	}
	clients := max(spec.Operations.Clients, 1)
	actors := make([]scenarios.Actor, clients)
	for i := range actors {
		a := client{clientNumber: i, clientCount: clients, cluster: c, totalRequests: spec.Operations.Count,
			duration: scale.Of(c.Duration), kinds: spec.Operations.Kinds, services: spec.Operations.Services,
			processNumber: workload.FirstActor + i}
		if len(a.kinds) == 0 {
			a.kinds = haspec.RequestKinds()
		}
		if len(a.services) == 0 {
			a.services = slices.Sorted(maps.Keys(spec.Services))
		}
		actors[i] = scenarios.Actor{Name: fmt.Sprintf("requests-%d", i), Run: a.run}
	}
	return actors
}

// client makes requests, one at a time.
type client struct {
	clientNumber, clientCount int
	cluster                   Cluster
	totalRequests             int           // requests of all clients together
	duration                  time.Duration // scaled
	kinds, services           []string

	world             workload.ClientEnv
	machine           int // index of the machine that it talks to
	processNumber     int // its number in the history; a new one after each unknown outcome
	storeRequestCount int
}

// pauseSteps is the resolution with which pauses are drawn.
const pauseSteps = 1 << 12

// run makes the client's share of the requests. The i-th is due after i draws from twice the mean pause.
func (c client) run(w workload.ClientEnv) error {
	c.world, c.machine = w, c.clientNumber%len(c.cluster.Machines)
	choose := map[string]draw.Chooser{}
	for _, label := range []string{"pause", "kind", "service", "node"} {
		choose[label] = w.Choices(label)
	}
	count := c.totalRequests / c.clientCount
	if c.clientNumber < c.totalRequests%c.clientCount {
		count++
	}
	pause := c.duration / time.Duration(count+1)
	due := w.Now()
	for i := range count {
		due += 2 * pause * time.Duration(choose["pause"].Choose(pauseSteps)) / pauseSteps
		if w.Sleep(due-w.Now()) != nil {
			return nil
		}
		r := haspec.Request{Kind: c.kinds[choose["kind"].Choose(uint64(len(c.kinds)))],
			SID: c.services[choose["service"].Choose(uint64(len(c.services)))]}
		// The node is drawn for every kind, so that the draws of later requests do not depend on it.
		if node := choose["node"].Choose(uint64(len(c.cluster.Machines))); r.Moves() {
			r.Node = c.cluster.Nodes[node]
		}
		if c.makeRequest(i, r) {
			return nil
		}
	}
	return nil
}

// makeRequest makes a request and appends it to the history. It reports whether the run has stopped.
func (c *client) makeRequest(number int, r haspec.Request) (stopped bool) {
	e := history.Event{Process: c.processNumber, Type: history.Invoke, F: r.Kind, Key: r.SID,
		ID: fmt.Sprintf("h%d-%d", c.clientNumber, number), Node: c.cluster.Machines[c.machine]}
	if r.Moves() {
		e.Value = workload.JSON(r.Node)
	}
	c.world.Append(e)
	var o outcome
	for range maxTries {
		if o = c.attemptOnce(e.ID, r); !o.canRetry {
			break
		}
	}
	e.Type, e.Rev, e.Error = o.eventType, o.revision, o.failureCode
	c.world.Append(e)
	if e.Type == history.Info {
		c.processNumber += c.clientCount
	}
	if e.Type != history.OK {
		c.machine = (c.machine + 1) % len(c.cluster.Machines)
	}
	return errors.Is(o.err, workload.ErrStopped)
}

// outcome is what became of an attempt.
type outcome struct {
	eventType   history.Type
	revision    uint64 // of the change, if it was acknowledged
	failureCode string // for the history, if it was not
	canRetry    bool   // another client changed the file, so the attempt can be repeated
	err         error
}

// codeChangedByOthers is the history's word for a request whose file changed between reading and writing.
const codeChangedByOthers = "changed by others"

// failedOutcome returns the outcome of an attempt that certainly changed nothing.
func failedOutcome(err error) outcome {
	return outcome{eventType: history.Fail, failureCode: codeOf(err), err: err}
}

// attemptOnce reads the file that a request changes and writes it back.
func (c *client) attemptOnce(id string, r haspec.Request) outcome {
	file := haproc.ResourcesPath
	if r.Moves() {
		file = haproc.CommandsPath
	}
	answer, err := c.askStore(id, store.Request{Op: store.OpRead, Path: file})
	var old string
	var revision uint64
	switch {
	case operator.RefusedAs(err, tree.NotFound):
	case err != nil:
		return failedOutcome(err)
	default:
		old, revision = string(answer.Entry.Data), answer.Entry.Mod
	}
	text := old + r.Line() + "\n"
	if !r.Moves() {
		if text, err = operator.WithProperty(old, r.SID, "state", string(r.Wants())); err != nil {
			return outcome{eventType: history.Fail, failureCode: "no such service"}
		}
	}
	if revision == 0 {
		_, err = c.askStore(id, store.Request{Op: tree.Mkdir.String(), Path: path.Dir(file)})
		if err != nil && !operator.RefusedAs(err, tree.Exists) {
			return failedOutcome(err)
		}
	}
	return outcomeOf(c.askStore(id,
		store.Request{Op: tree.CAS.String(), Path: file, Data: []byte(text), Expect: revision}))
}

// outcomeOf returns the outcome of an attempt whose change was answered with this.
func outcomeOf(answer *store.Response, err error) outcome {
	var refused *operator.RefusedError
	switch {
	case err == nil:
		return outcome{eventType: history.OK, revision: answer.Revision}
	case operator.RefusedAs(err, tree.RevisionMismatch, tree.Exists, tree.NotFound):
		return outcome{eventType: history.Fail, failureCode: codeChangedByOthers, canRetry: true}
	case operator.RefusedAs(err, store.CodeUnknown):
		return outcome{eventType: history.Info, failureCode: codeOf(err)}
	case errors.As(err, &refused), errors.Is(err, workload.ErrRefused):
		return outcome{eventType: history.Fail, failureCode: codeOf(err)}
	}
	return outcome{eventType: history.Info, failureCode: codeOf(err), err: err}
}

// askStore makes one request at the machine that this client talks to.
func (c *client) askStore(id string, r store.Request) (*store.Response, error) {
	c.storeRequestCount++
	r.ID = fmt.Sprintf("requests/%s/%d", id, c.storeRequestCount)
	out, err := c.world.Do(c.machine, store.Process, r.Encode(), timeout)
	if err != nil {
		return nil, err
	}
	answer, err := store.DecodeResponse(out)
	if err == nil && !answer.OK {
		err = &operator.RefusedError{Code: answer.Code, Message: answer.Message}
	}
	if err == nil && r.Op == store.OpRead && answer.Entry == nil {
		err = fmt.Errorf("reading %s: the answer has no entry", r.Path)
	}
	return answer, err
}

// codeOf returns the history's short word for an error.
func codeOf(err error) string {
	var r *operator.RefusedError
	switch {
	case errors.As(err, &r):
		return string(r.Code)
	case errors.Is(err, workload.ErrRefused):
		return "refused"
	case errors.Is(err, workload.ErrTimeout):
		return "timeout"
	case errors.Is(err, workload.ErrStopped):
		return "stopped"
	}
	return "reset"
}
