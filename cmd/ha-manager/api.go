package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/cmd/ha-manager/internal/salvage"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/host/hostapi"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

// api is the store of one node, as clients reach it.
type api struct {
	client          http.Client
	baseURL         string
	token           string // "" at a socket
	requestIDPrefix string
	requestCount    int
}

// callTimeout is how long one request may take.
const callTimeout = 15 * time.Second

// remoteVariables name what a node's API over TCP needs: files with its authority and with a token.
const (
	caVariable    = "HOLDFAST_API_CA"
	tokenVariable = "HOLDFAST_API_TOKEN_FILE"
)

func connect(address string) (*api, error) {
	if address == "" {
		return nil, fmt.Errorf("%w: which node? give --api, or set %s to the path of its API socket",
			errUsage, apiVariable)
	}
	a := &api{baseURL: strings.TrimSuffix(address, "/"),
		requestIDPrefix: "ha-manager/" + rand.Text()[:12] + "/"}
	a.client.Timeout = callTimeout
	switch {
	case strings.HasPrefix(address, "https://"):
		return a, a.useTLS(os.Getenv(caVariable), os.Getenv(tokenVariable))
	case strings.HasPrefix(address, "http://"):
		return nil, fmt.Errorf("%w: a node serves its API over TCP with TLS only: write https://%s", errUsage,
			strings.TrimPrefix(address, "http://"))
	}
	a.baseURL = "http://node"
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", address)
	}
	a.client.Transport = &http.Transport{DialContext: dial}
	return a, nil
}

// useTLS prepares the client for a node that is reached over TCP. Without a file of authorities it trusts
// those of this machine.
func (a *api) useTLS(caFile, tokenFile string) error {
	if tokenFile == "" {
		return fmt.Errorf("%w: over TCP a node wants a token: set %s to a file with one of "+
			"\"holdfastd api-token\"", errUsage, tokenVariable)
	}
	token, err := os.ReadFile(tokenFile)
	if err != nil {
		return fmt.Errorf("%w: reading the token: %w", errUsage, err)
	}
	a.token = strings.TrimSpace(string(token))
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile != "" {
		authorities, err := os.ReadFile(caFile)
		if err != nil {
			return fmt.Errorf("%w: reading the node's authority: %w", errUsage, err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(authorities) {
			return fmt.Errorf("%w: %s has no certificate in PEM form", errUsage, caFile)
		}
	}
	a.client.Transport = &http.Transport{TLSClientConfig: conf}
	return nil
}

// newRequest makes a request of the node.
func (a *api) newRequest(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, method, a.baseURL+path, body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUsage, err)
	}
	r.Header.Set("Content-Type", "application/json")
	if a.token != "" {
		r.Header.Set("Authorization", "Bearer "+a.token)
	}
	return r, nil
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
	hr, err := a.newRequest(ctx, http.MethodPost, hostapi.PathOp+store.Process, bytes.NewReader(req.Encode()))
	if err != nil {
		return nil, err
	}
	answer, err := a.client.Do(hr)
	if err != nil {
		return nil, fmt.Errorf("asking the node: %w", err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, hostapi.MaxOpBytes))
	if err != nil {
		return nil, fmt.Errorf("reading the node's answer: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return nil, answerError(answer.Status, body)
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

// health returns the health of the node that is asked.
func (a *api) health(ctx context.Context) (*hostapi.Health, error) {
	hr, err := a.newRequest(ctx, http.MethodGet, hostapi.PathHealth, http.NoBody)
	if err != nil {
		return nil, err
	}
	answer, err := a.client.Do(hr)
	if err != nil {
		return nil, fmt.Errorf("asking the node for its name: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, hostapi.MaxOpBytes))
		return nil, answerError(answer.Status, text)
	}
	var health hostapi.Health
	if err := json.NewDecoder(io.LimitReader(answer.Body, hostapi.MaxOpBytes)).Decode(&health); err != nil {
		return nil, fmt.Errorf("reading the node's name: %w", err)
	}
	return &health, nil
}

// answerError returns the error in an answer that is none of the store.
func answerError(status string, body []byte) error {
	var inside struct {
		Error string `json:"error"`
	}
	if err := json.Unmarshal(body, &inside); err != nil || inside.Error == "" {
		inside.Error = string(bytes.TrimSpace(body))
	}
	return fmt.Errorf("the node answers %s: %s", status, salvage.Printable(inside.Error))
}

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
