package hostapi

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	readToken  = "a-token-of-someone-who-reads"
	writeToken = "a-token-of-someone-who-writes"
)

func clientsFile(t *testing.T, f *ClientsFile) string {
	t.Helper()
	data, err := json.Marshal(f)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "api-clients.json")
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return path
}

func testClients() *ClientsFile {
	return &ClientsFile{Tokens: []TokenEntry{{Name: "r", Role: RoleRead, SHA256: HashToken(readToken)},
		{Name: "w", Role: RoleWrite, SHA256: strings.ToUpper(HashToken(writeToken))}}}
}

func TestWhoIsLetIn(t *testing.T) {
	a, err := newAccess(clientsFile(t, testClients()), []string{"n1", "198.18.0.1", "fd00::1"})
	require.NoError(t, err)
	for name, c := range map[string]struct {
		method string
		header string // "Name: value" lines
		host   string
		status int // 0: let in
		role   Role
	}{
		"a reader": {"POST", "Authorization: Bearer " + readToken, "n1:8600", 0, RoleRead},
		"a writer": {"GET", "Authorization: Bearer " + writeToken,
			"198.18.0.1:8600", 0, RoleWrite},
		"in other letters": {"GET", "authorization: bearer " + readToken, "n1", 0, RoleRead},
		"by IPv6":          {"GET", "Authorization: Bearer " + readToken, "[fd00::1]:8600", 0, RoleRead},
		"no token":         {"GET", "", "n1", http.StatusUnauthorized, ""},
		"an unknown token": {"GET", "Authorization: Bearer " + readToken + "x", "n1",
			http.StatusUnauthorized, ""},
		"a short token": {"GET", "Authorization: Bearer x", "n1", http.StatusUnauthorized, ""},
		"another scheme": {"GET", "Authorization: Basic " + readToken, "n1",
			http.StatusUnauthorized, ""},
		"another host": {"GET", "Authorization: Bearer " + readToken, "n2",
			http.StatusMisdirectedRequest, ""},
		"a page of its own": {"GET", "Origin: https://n1\nAuthorization: Bearer " + readToken, "n1",
			http.StatusForbidden, ""},
		"a page without CORS": {"GET", "Sec-Fetch-Site: cross-site\nAuthorization: Bearer " + readToken, "n1",
			http.StatusForbidden, ""},
		"a form": {"POST", "Content-Type: text/plain\nAuthorization: Bearer " + writeToken, "n1",
			http.StatusUnsupportedMediaType, ""},
		"JSON with a charset": {"POST", "Content-Type: application/json; charset=utf-8\n" +
			"Authorization: Bearer " + writeToken, "n1", 0, RoleWrite},
		"a type that is no type": {"POST", "Content-Type: ;\nAuthorization: Bearer " + writeToken, "n1",
			http.StatusUnsupportedMediaType, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, "https://n1/v1/op/p", http.NoBody)
			r.Host = c.host
			r.Header.Set("Content-Type", "application/json")
			for line := range strings.Lines(c.header) {
				key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
				r.Header.Set(key, value)
			}
			role, no := a.check(r)
			require.Equal(t, c.role, role)
			status := 0
			if no != nil {
				status = no.status
			}
			require.Equal(t, c.status, status)
		})
	}
}

// TestClientsChange: the list is read again, and while it cannot be read no client is let in.
func TestClientsChange(t *testing.T) {
	path := clientsFile(t, testClients())
	a, err := newAccess(path, nil)
	require.NoError(t, err)
	now := time.Now()
	look := func() (int, error) {
		now = now.Add(2 * clientsFileEvery)
		clients, err := a.current(now)
		if err != nil {
			require.Nil(t, clients)
			return 0, err
		}
		return len(clients.Tokens), nil
	}
	write := func(text string) {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		require.NoError(t, os.Chtimes(path, now, now.Add(time.Duration(len(text))*time.Second)))
	}
	n, err := look()
	require.NoError(t, err)
	require.Equal(t, 2, n)
	write("{}")
	n, err = look()
	require.NoError(t, err)
	require.Zero(t, n)
	write("{...")
	_, err = look()
	require.ErrorIs(t, err, ErrAccess)
	_, err = look()
	require.ErrorIs(t, err, ErrAccess, "still")
	require.NoError(t, os.Remove(path))
	_, err = look()
	require.ErrorContains(t, err, "is missing: it lists who may use the API over TCP")
	write(`{"tokens": []}`)
	_, err = look()
	require.NoError(t, err)
}

func TestClientsAreRefused(t *testing.T) {
	sum := HashToken("x")
	for text, want := range map[string]string{
		`[]`:          "cannot unmarshal",
		`{"token":1}`: "unknown field",
		`{} {}`:       "text after the end",
		`{"tokens":[{"name":"a","role":"read","sha256":"12"}]}`: "64 hexadecimal digits",
		`{"tokens":[{"name":"a","role":"all","sha256":"` + sum +
			`"}]}`: `role "all": write "read" or "write"`,
		`{"tokens":[{"role":"read","sha256":"` + sum + `"}]}`: "has no name",
		`{"certificates":[{"role":"read"}]}`:                  "without common_name",
		`{"certificates":[{"common_name":"a","role":""}]}`:    `role ""`,
		strings.Repeat(`[`, 20):                               "",
		`{"tokens":[{"name":"a","role":"read","sha256":"` + sum + `"},` +
			`{"name":"a","role":"read","sha256":"` + sum + `"}]}`: "two tokens",
	} {
		_, err := DecodeClients([]byte(text))
		require.ErrorIs(t, err, ErrAccess, text)
		require.ErrorContains(t, err, want)
	}
}

func FuzzDecodeClients(f *testing.F) {
	data, err := json.Marshal(testClients())
	require.NoError(f, err)
	f.Add(data)
	f.Add([]byte(`{"certificates":[{"common_name":"a","role":"write"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		clients, err := DecodeClients(data)
		if err != nil {
			require.ErrorIs(t, err, ErrAccess)
			return
		}
		again, err := json.Marshal(clients)
		require.NoError(t, err)
		_, err = DecodeClients(again)
		require.NoError(t, err)
	})
}
