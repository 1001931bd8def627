// Package nodeapi reaches the API of one node, through its socket or over TCP.
//
// Package nodeapi never tries a request again: whether that is safe depends on the request.
package nodeapi

import (
	"bytes"
	"context"
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

	"github.com/holdfast-sim/holdfast/cmd/internal/salvage"
	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/host/hostapi"
	"github.com/holdfast-sim/holdfast/engine/node"
)

// Client sends requests to one node.
type Client struct {
	http    http.Client
	baseURL string
	token   string // "" at a socket
}

// callTimeout is how long one request may take.
const callTimeout = 15 * time.Second

// Variables of the environment that name what a node's API needs: its address, and over TCP the files with
// its authority and with a token.
const (
	AddressVariable = "HOLDFAST_API"
	CAVariable      = "HOLDFAST_API_CA"
	TokenVariable   = "HOLDFAST_API_TOKEN_FILE"
)

// NewClient returns a client of the node at an address: the path of its socket, or https://HOST:PORT. It
// sends nothing yet.
func NewClient(address string) (*Client, error) {
	if address == "" {
		return nil, fmt.Errorf("which node? give --api, or set %s to the path of its API socket",
			AddressVariable)
	}
	c := &Client{baseURL: strings.TrimSuffix(address, "/")}
	c.http.Timeout = callTimeout
	switch {
	case strings.HasPrefix(address, "https://"):
		return c, c.useTLS(os.Getenv(CAVariable), os.Getenv(TokenVariable))
	case strings.HasPrefix(address, "http://"):
		return nil, fmt.Errorf("a node serves its API over TCP with TLS only: write https://%s",
			strings.TrimPrefix(address, "http://"))
	}
	c.baseURL = "http://node"
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", address)
	}
	c.http.Transport = &http.Transport{DialContext: dial}
	return c, nil
}

// useTLS prepares the client for a node that is reached over TCP. Without a file of authorities it trusts
// those of this machine.
func (c *Client) useTLS(caFile, tokenFile string) error {
	if tokenFile == "" {
		return fmt.Errorf("over TCP a node wants a token: set %s to a file with one of "+
			"\"holdfastd api-token\"", TokenVariable)
	}
	token, err := os.ReadFile(tokenFile)
	if err != nil {
		return fmt.Errorf("reading the token: %w", err)
	}
	c.token = strings.TrimSpace(string(token))
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile != "" {
		authorities, err := os.ReadFile(caFile)
		if err != nil {
			return fmt.Errorf("reading the node's authority: %w", err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(authorities) {
			return fmt.Errorf("%s has no certificate in PEM form", caFile)
		}
	}
	c.http.Transport = &http.Transport{TLSClientConfig: conf}
	return nil
}

// Call sends a request and returns the body of the answer. An answer that is not 200 is an error.
func (c *Client) Call(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.baseURL+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("making a request of the node: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, fmt.Errorf("asking the node: %w", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, hostapi.MaxOpBytes))
	if err != nil {
		return nil, fmt.Errorf("reading the node's answer: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return nil, answerError(answer.Status, text)
	}
	return text, nil
}

// Health returns the health of the node.
func (c *Client) Health(ctx context.Context) (*hostapi.Health, error) {
	text, err := c.Call(ctx, http.MethodGet, hostapi.PathHealth, nil)
	if err != nil {
		return nil, err
	}
	var health hostapi.Health
	if err := json.Unmarshal(text, &health); err != nil {
		return nil, fmt.Errorf("reading the node's health: %w", err)
	}
	return &health, nil
}

// ClusterStatus asks the node's cluster process for its status; nil if that process does not run or has no
// answer. The store's status then shows that the node has no quorum.
func (c *Client) ClusterStatus(ctx context.Context) *node.ClusterStatus {
	body, err := c.Call(ctx, http.MethodPost, hostapi.PathOp+cpg.Process, []byte(node.OpStatus))
	if err != nil {
		return nil
	}
	var s node.ClusterStatus
	if json.Unmarshal(body, &s) != nil || s.Error != "" {
		return nil
	}
	return &s
}

// answerError returns the error in an answer, without the form in which the node sent it.
func answerError(status string, body []byte) error {
	var inside struct {
		Error string `json:"error"`
	}
	if err := json.Unmarshal(body, &inside); err != nil || inside.Error == "" {
		inside.Error = string(bytes.TrimSpace(body))
	}
	return errors.New("the node answers " + status + ": " + salvage.Printable(inside.Error))
}
