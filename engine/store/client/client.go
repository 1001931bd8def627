// Package client lets the processes of a machine use the machine's store in blocking style: a call
// made from a task returns when the store has answered or the time is up.
//
// Package client never retries a change whose outcome it does not know: that is for callers to
// decide. It keeps nothing between calls.
package client

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

// Answers that callers distinguish. Every error of a call wraps one of them.
var (
	// ErrNotFound: there is no such file or directory.
	ErrNotFound = errors.New("no such file or directory")
	// ErrChanged: the entry is not at the expected revision, or is there already.
	ErrChanged = errors.New("the entry was changed")
	// ErrReadOnly: this node's ring has no quorum, so nothing can be changed.
	ErrReadOnly = errors.New("permission denied: the store is read-only without quorum")
	// ErrUnavailable: the store did not do it and will not; try again later.
	ErrUnavailable = errors.New("store not available")
	// ErrUnknown: the change may or may not be or become carried out.
	ErrUnknown = errors.New("outcome unknown")
	// ErrRefused: the request itself is wrong.
	ErrRefused = errors.New("refused by the store")
)

// maxWaiting bounds the calls of one process that wait at the same time.
const maxWaiting = 256

// Client is one process's way to its machine's store. Offer every event of the process to Step.
type Client struct {
	env        env.Env
	idPrefix   string
	lastNumber uint64
	openCalls  map[string]*call
	storeUp    bool
	timeout    time.Duration
}

type call struct {
	answered env.Signal
	answer   *store.Response
}

// New makes a client; timeout is how long a call waits for its answer. A change that is refused
// for that reason may still happen.
func New(e env.Env, timeout time.Duration) *Client {
	var nonce [6]byte
	e.Rand("store-client").Fill(nonce[:])
	self := e.Self()
	return &Client{env: e, timeout: timeout, openCalls: map[string]*call{},
		idPrefix: self.Name + "/" + self.Process + "/" + hex.EncodeToString(nonce[:]) + "/"}
}

// Step takes an event if it is the store's and reports whether it did.
func (c *Client) Step(ev env.Event) bool {
	switch ev := ev.(type) {
	case env.LocalUp:
		if ev.Process == store.Process {
			c.storeUp = true
			return true
		}
	case env.LocalDown:
		if ev.Process == store.Process {
			c.storeUp = false
			return true
		}
	case env.LocalMessage:
		if ev.From == store.Process {
			c.onAnswer(ev.Payload)
			return true
		}
	}
	return false
}

// Up reports whether the store's process runs.
func (c *Client) Up() bool { return c.storeUp }

func (c *Client) onAnswer(payload []byte) {
	r, err := store.DecodeCompactResponse(payload)
	if err != nil {
		c.env.Log().Error("the store's answer cannot be read", "error", err)
		return
	}
	if w := c.openCalls[r.ID]; w != nil {
		w.answer = r
		w.answered.Raise()
	}
}

// Do sends a request and waits for the answer; it fills in the request's id. The answer is nil if
// and only if there was none in time; then the error reports whether the request can have been
// carried out.
func (c *Client) Do(t *env.Task, req store.Request) (*store.Response, error) {
	return c.doWithin(t, req, c.timeout)
}

func (c *Client) doWithin(t *env.Task, req store.Request, timeout time.Duration) (*store.Response, error) {
	if len(c.openCalls) >= maxWaiting {
		return nil, fmt.Errorf("%w: %d requests are waiting", ErrUnavailable, maxWaiting)
	}
	c.lastNumber++
	req.ID = c.idPrefix + strconv.FormatUint(c.lastNumber, 10)
	if env.Buggify(c.env, "store-client/not-sent") {
		return nil, fmt.Errorf("%w: not sent", ErrUnavailable)
	}
	if err := c.env.Local(store.Process, req.EncodeCompact()); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	w := &call{}
	c.openCalls[req.ID] = w
	defer delete(c.openCalls, req.ID)
	until := c.env.Mono() + timeout
	for w.answer == nil {
		left := until - c.env.Mono()
		if left <= 0 || !t.Wait(&w.answered, left) && w.answer == nil {
			return nil, fmt.Errorf("%w: no answer of the store within %v", ErrUnknown, timeout)
		}
	}
	if env.Buggify(c.env, "store-client/no-answer") {
		return nil, fmt.Errorf("%w: the answer of the store was lost", ErrUnknown)
	}
	return w.answer, responseError(w.answer)
}

// responseError is the error that an answer means.
func responseError(r *store.Response) error {
	if r.OK {
		return nil
	}
	kind := ErrRefused
	switch r.Code {
	case tree.NotFound:
		kind = ErrNotFound
	case tree.RevisionMismatch, tree.Exists:
		kind = ErrChanged
	case store.CodeReadOnly, store.CodeNoQuorum:
		kind = ErrReadOnly
	case store.CodeTryAgain, store.CodeFailed:
		kind = ErrUnavailable
	case store.CodeUnknown:
		kind = ErrUnknown
	}
	if r.Message == "" {
		return fmt.Errorf("%w (%s)", kind, r.Code)
	}
	return fmt.Errorf("%w (%s: %s)", kind, r.Code, r.Message)
}

// Read reads a file as this node has it: with quorum at least as new as every change that was
// acknowledged to this node.
func (c *Client) Read(t *env.Task, path string) (data []byte, revision uint64, err error) {
	e, err := c.ReadEntry(t, path)
	if err != nil {
		return nil, 0, err
	}
	return e.Data, e.Mod, nil
}

// ReadEntry is Read with all that is known of the file.
func (c *Client) ReadEntry(t *env.Task, path string) (*store.EntryInfo, error) {
	return c.readFile(t, store.Request{Op: store.OpRead, Path: path, Local: true})
}

// ReadConfirmed reads a file as the cluster has it: what it returns is acknowledged, and no later ring goes
// on without it. It needs a quorum and costs a place in the order.
func (c *Client) ReadConfirmed(t *env.Task, path string) (*store.EntryInfo, error) {
	return c.readFile(t, store.Request{Op: store.OpRead, Path: path})
}

func (c *Client) readFile(t *env.Task, request store.Request) (*store.EntryInfo, error) {
	r, err := c.Do(t, request)
	if err != nil {
		return nil, requestError("reading", request.Path, err)
	}
	if r.Entry == nil || r.Entry.Kind != store.KindFile {
		return nil, fmt.Errorf("reading %s: %w: not a file", request.Path, ErrRefused)
	}
	return r.Entry, nil
}

// List lists a directory as this node has it, all of it and at one revision. A missing directory
// is empty.
func (c *Client) List(t *env.Task, path string) ([]store.EntryInfo, error) {
	var all []store.EntryInfo
	err := c.listPages(t, store.Request{Path: path}, func(r *store.Response, first bool) string {
		if first {
			all = nil
		}
		all = appendPage(all, r.Entries)
		return lastItem(all).Path
	})
	return all, err
}

// NamesBelow lists the paths of everything below a directory, in the order in which one walks
// through it, as this node has them and at one revision.
func (c *Client) NamesBelow(t *env.Task, path string) ([]string, error) {
	var all []string
	req := store.Request{Path: path, Deep: true, Names: true}
	err := c.listPages(t, req, func(r *store.Response, first bool) string {
		if first {
			all = nil
		}
		all = appendPage(all, r.Paths)
		return lastItem(all)
	})
	return all, err
}

// appendPage adds a page, and copies nothing when it is the first.
func appendPage[T any](all, page []T) []T {
	if len(all) == 0 {
		return page
	}
	return append(all, page...)
}

func lastItem[T any](list []T) (last T) {
	if len(list) > 0 {
		last = list[len(list)-1]
	}
	return last
}

// maxListRestarts bounds how often a listing of several pages restarts because of a change.
const maxListRestarts = 20

// listPages asks for page after page. Take gets them and returns the last path so far; the first of all
// comes again when a change came in between.
func (c *Client) listPages(t *env.Task, req store.Request,
	take func(r *store.Response, first bool) string) error {
	req.Op, req.Local = store.OpList, true
	var revision uint64
	again := 0
	for {
		r, err := c.Do(t, req)
		if errors.Is(err, ErrNotFound) {
			take(&store.Response{}, true)
			return nil
		}
		if err != nil {
			return requestError("listing", req.Path, err)
		}
		first := req.After == ""
		if !first && r.Revision != revision {
			if again++; again > env.Limit(c.env, "store-client/few-restarts", maxListRestarts, 0) {
				return requestError("listing", req.Path, fmt.Errorf("%w: it changes all the time",
					ErrUnavailable))
			}
			req.After = ""
			continue
		}
		revision = r.Revision
		if req.After = take(r, first); !r.More || req.After == "" {
			return nil
		}
	}
}

// Status returns the status of this node's store.
func (c *Client) Status(t *env.Task) (*store.Status, error) {
	r, err := c.Do(t, store.Request{Op: store.OpStatus})
	if err != nil {
		return nil, requestError("asking for the status of", "the store", err)
	}
	if r.Status == nil {
		return nil, fmt.Errorf("asking for the status of the store: %w: an empty answer", ErrRefused)
	}
	return r.Status, nil
}

// Place is a place in the history of a store: a revision, and the chain that leads to it.
type Place struct {
	Revision uint64
	Chain    string // "" if only the revision is known
}

// Watch waits until something at or below a path, or a directory above it, may have changed on this
// node after a place, or for store.WatchTimeout. Read what is of interest then, and watch again
// from the place that it returns: nothing is missed.
func (c *Client) Watch(t *env.Task, path string, since Place) (changed bool, at Place, err error) {
	r, err := c.doWithin(t, store.Request{Op: store.OpWatch, Path: path, Since: since.Revision,
		Chain: since.Chain}, store.WatchTimeout+c.timeout)
	if err != nil {
		return false, Place{}, requestError("watching", path, err)
	}
	return r.Changed, Place{r.Revision, r.Chain}, nil
}

// Write replaces a file or creates it, and returns the revision that this made.
func (c *Client) Write(t *env.Task, path string, data []byte) (uint64, error) {
	return c.changePath(t, "writing", store.Request{Op: "write", Path: path, Data: data})
}

// CAS replaces a file that is at the expected revision; 0 expects that there is none.
func (c *Client) CAS(t *env.Task, path string, data []byte, expect uint64) (uint64, error) {
	return c.changePath(t, "writing", store.Request{Op: "cas", Path: path, Data: data, Expect: expect})
}

// Mkdir makes a directory and those above it. That it is there already is no error.
func (c *Client) Mkdir(t *env.Task, path string) error {
	if path == "" {
		return nil
	}
	_, err := c.changePath(t, "making", store.Request{Op: "mkdir", Path: path})
	if errors.Is(err, ErrNotFound) {
		if err := c.Mkdir(t, env.Dir(path)); err != nil {
			return err
		}
		_, err = c.changePath(t, "making", store.Request{Op: "mkdir", Path: path})
	}
	if errors.Is(err, ErrChanged) {
		return nil
	}
	return err
}

// Delete removes a file or an empty directory that is at the expected revision; 0 is any.
func (c *Client) Delete(t *env.Task, path string, expect uint64) error {
	_, err := c.changePath(t, "removing", store.Request{Op: "delete", Path: path, Expect: expect})
	return err
}

// Rename moves a file.
func (c *Client) Rename(t *env.Task, path, to string) error {
	_, err := c.changePath(t, "moving", store.Request{Op: "rename", Path: path, To: to})
	return err
}

func (c *Client) changePath(t *env.Task, doing string, req store.Request) (uint64, error) {
	r, err := c.Do(t, req)
	if err != nil {
		return 0, requestError(doing, req.Path, err)
	}
	return r.Revision, nil
}

func requestError(doing, path string, err error) error {
	return fmt.Errorf("%s %s: %w", doing, path, err)
}
