package main

import (
	"bytes"
	"context"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/cmd/internal/nodeapi"
)

// TestOverTCP: the token is sent, the node's authority is checked, and plain HTTP is refused.
func TestOverTCP(t *testing.T) {
	sent := ""
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent = r.Header.Get("Authorization")
		http.Error(w, `{"error":"stop here"}`, http.StatusServiceUnavailable)
	}))
	t.Cleanup(server.Close)
	dir := t.TempDir()
	authority, token := filepath.Join(dir, "api.crt"), filepath.Join(dir, "token")
	require.NoError(t, os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE",
		Bytes: server.Certificate().Raw}), 0o600))
	require.NoError(t, os.WriteFile(token, []byte("secret\n"), 0o600))
	ask := func(address string) (int, string) {
		var out, errs bytes.Buffer
		code := run(context.Background(), []string{"--api", address, "status"}, &out, &errs)
		return code, errs.String()
	}
	code, text := ask(server.URL)
	require.Equal(t, exitFailed, code)
	require.Contains(t, text, "over TCP a node wants a token: set HOLDFAST_API_TOKEN_FILE")
	t.Setenv(nodeapi.TokenVariable, token)
	_, text = ask(server.URL)
	require.Contains(t, text, "certificate signed by unknown authority")
	t.Setenv(nodeapi.CAVariable, authority)
	code, text = ask(server.URL)
	require.Equal(t, exitFailed, code)
	require.Contains(t, text, "stop here")
	require.Equal(t, "Bearer secret", sent)
	code, text = ask("http://n1:8600")
	require.Equal(t, exitFailed, code)
	require.Contains(t, text, "write https://n1:8600")
}
