package host

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/host/hostapi"
)

// askSocket makes the test binary ask the API behind a socket once and end.
const askSocket = "HOLDFAST_TEST_ASK_SOCKET"

// TestHeldOperationsLockNobodyOut: one process holds 2,100 operations that are never answered. Another one
// is answered, the machine can be shut down, and the host ends in order.
func TestHeldOperationsLockNobodyOut(t *testing.T) {
	if path := os.Getenv(askSocket); path != "" {
		ask(t, path)
		return
	}
	dir := socketDir(t)
	socket := filepath.Join(dir, "api")
	down := process("init", answerUnlessNever)
	down.API.Reserved = true
	cfg := Config{Dir: dir, Name: "n1", APISocket: socket,
		Processes: []Process{process("p", answerUnlessNever), down}}
	h, err := New(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()

	const held = 2100
	refused := 0
	for range held {
		conn, err := net.Dial("unix", socket)
		require.NoError(t, err)
		defer conn.Close()
		_, err = fmt.Fprintf(conn, "POST %sp HTTP/1.1\r\nHost: n1\r\nContent-Length: 5\r\n\r\nnever",
			hostapi.PathOp)
		if err != nil { // the refusal was quicker
			refused++
			continue
		}
		if h.Health().Listeners[0].RefusedConnections > 0 {
			line, err := bufio.NewReader(conn).ReadString('\n')
			require.NoError(t, err)
			require.Contains(t, line, "503 Service Unavailable")
			refused++
		}
	}
	require.Positive(t, refused)
	health := h.Health().Listeners[0]
	require.Less(t, health.Connections, held)
	require.EqualValues(t, held-health.Connections, health.RefusedConnections)

	cmd := exec.Command(os.Args[0], "-test.run=^TestHeldOperationsLockNobodyOut$", "-test.v")
	cmd.Env = append(os.Environ(), askSocket+"="+socket)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	cancel()
	select {
	case err := <-ended:
		require.NoError(t, err)
	case <-time.After(patience):
		require.Fail(t, "the host did not end")
	}
}

// ask is the other process.
func ask(t *testing.T, path string) {
	t.Helper()
	c := socketClient(t, path)
	for _, process := range []string{"p", "init"} {
		res, err := c.Post("http://node"+hostapi.PathOp+process, "application/json", strings.NewReader("hi"))
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, http.StatusOK, res.StatusCode)
	}
}
