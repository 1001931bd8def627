package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"

	"github.com/holdfast-sim/holdfast/cmd/internal/nodeapi"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/host/hostapi"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

// api is the store of one node, as clients reach it.
type api struct {
	*nodeapi.Client
	requestIDPrefix string
	requestCount    int
}

func newAPI(address string) (*api, error) {
	client, err := nodeapi.NewClient(address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUsage, err)
	}
	return &api{Client: client, requestIDPrefix: "ha-manager/" + rand.Text()[:12] + "/"}, nil
}

// errNotFound means that the store has no such file.
var errNotFound = errors.New("no such file or directory")

// errNoQuorum is Proxmox VE's error for a change on a node without quorum, which can only read.
var errNoQuorum = errors.New("cluster not ready - no quorum?")

// errGuestExists means that another file configures a guest of the same number.
var errGuestExists = errors.New("the guest's number is taken")

// errChanged means that another client changed the file since it was read.
var errChanged = errors.New("the file was changed meanwhile")

func (a *api) callStore(ctx context.Context, req store.Request) (*store.Response, error) {
	a.requestCount++
	req.ID = fmt.Sprintf("%s%d", a.requestIDPrefix, a.requestCount)
	body, err := a.Call(ctx, http.MethodPost, hostapi.PathOp+store.Process, req.Encode())
	if err != nil {
		return nil, err
	}
	r, err := store.DecodeResponse(body)
	if err != nil {
		return nil, err
	}
	return r, refusalError(r, req.Path)
}

func refusalError(r *store.Response, path string) error {
	switch {
	case r.OK:
		return nil
	case r.Code == tree.NotFound:
		return fmt.Errorf("%s: %w", path, errNotFound)
	case r.Code == tree.RevisionMismatch, r.Code == tree.Exists:
		return fmt.Errorf("%s: %w", path, errChanged)
	case r.Code == tree.GuestExists:
		return fmt.Errorf("%s: %w: %s", path, errGuestExists, r.Message)
	case r.Code == store.CodeReadOnly, r.Code == store.CodeNoQuorum:
		return fmt.Errorf("%s: %w", path, errNoQuorum)
	}
	return &refusal{path: path, code: string(r.Code), message: r.Message}
}

// refusal is the store's refusal of a request, for a reason that the client cannot remove.
type refusal struct{ path, code, message string }

// Error implements error.
func (r *refusal) Error() string { return fmt.Sprintf("%s: %s: %s", r.path, r.code, r.message) }

// checkWritable fails on a node without quorum, before any other check of a change.
func (a *api) checkWritable(ctx context.Context) error {
	r, err := a.callStore(ctx, store.Request{Op: store.OpStatus})
	if err == nil && (r.Status == nil || !r.Status.Quorate) {
		err = errNoQuorum
	}
	return err
}

// readFile reads a file as the node has it; a missing one is empty at revision 0.
func (a *api) readFile(ctx context.Context, path string) (string, uint64, error) {
	r, err := a.callStore(ctx, store.Request{Op: store.OpRead, Path: path, Local: true})
	if errors.Is(err, errNotFound) {
		return "", 0, nil
	}
	if err != nil {
		return "", 0, err
	}
	if r.Entry.Kind == store.KindDirectory {
		return "", 0, fmt.Errorf("%s is a directory", path)
	}
	return string(r.Entry.Data), r.Entry.Mod, nil
}

// maxEdits bounds the attempts of an edit when other clients change the file.
const maxEdits = 20

// editFile changes a file without losing the changes of other clients: it starts again after errChanged.
func (a *api) editFile(ctx context.Context, path string, change func(string) (string, error)) error {
	if err := a.checkWritable(ctx); err != nil {
		return err
	}
	for range maxEdits {
		old, revision, err := a.readFile(ctx, path)
		if err != nil {
			return err
		}
		text, err := change(old)
		if err != nil {
			return err
		}
		req := store.Request{Op: "cas", Path: path, Data: []byte(text), Expect: revision}
		if _, err = a.callStore(ctx, req); revision == 0 && errors.Is(err, errNotFound) {
			if err = a.makeDirs(ctx, env.Dir(path)); err == nil {
				_, err = a.callStore(ctx, req)
			}
		}
		if !errors.Is(err, errChanged) {
			return err
		}
	}
	return fmt.Errorf("changing %s: %w, again and again", path, errChanged)
}

// makeDirs makes a directory, and those above it.
func (a *api) makeDirs(ctx context.Context, path string) error {
	if path == "." || path == "" {
		return nil
	}
	_, err := a.callStore(ctx, store.Request{Op: "mkdir", Path: path})
	if errors.Is(err, errNotFound) {
		if err = a.makeDirs(ctx, env.Dir(path)); err == nil {
			_, err = a.callStore(ctx, store.Request{Op: "mkdir", Path: path})
		}
	}
	if errors.Is(err, errChanged) {
		return nil // it is there
	}
	return err
}

// listFiles lists everything below a directory; a directory has the value false.
func (a *api) listFiles(ctx context.Context, path string) (map[string]bool, error) {
	all := map[string]bool{}
	for after := ""; ; {
		r, err := a.callStore(ctx, store.Request{
			Op: store.OpList, Path: path, Local: true, Deep: true, After: after,
		})
		if errors.Is(err, errNotFound) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		for _, e := range r.Entries {
			all[e.Path], after = e.Kind != store.KindDirectory, e.Path
		}
		if !r.More {
			return all, nil
		}
	}
}
