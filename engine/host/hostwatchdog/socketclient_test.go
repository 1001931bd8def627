package hostwatchdog

import (
	"bufio"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestClientSpeaksTheProtocol opens the socket of a server that notes what it is asked.
func TestClientSpeaksTheProtocol(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the kind of a socket's file is not seen there")
	}
	dir, err := os.MkdirTemp("", "hf") // short, because paths of sockets must be
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "dog")
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	asked, answers := make(chan string, 10), make(chan string, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			for lines := bufio.NewScanner(c); lines.Scan(); {
				asked <- lines.Text()
				if _, err := c.Write([]byte(<-answers + "\n")); err != nil {
					break
				}
			}
			c.Close()
		}
	}()
	answers <- "ok"
	dog, err := Open(path, "")
	require.NoError(t, err)
	require.Equal(t, "state", <-asked)
	answers <- "ok"
	require.NoError(t, dog.Arm(1500*time.Millisecond))
	require.Equal(t, "arm 1500000000", <-asked)
	answers <- "ok"
	dog.Pet()
	require.Equal(t, "pet", <-asked)
	answers <- "ok armed"
	require.True(t, dog.Armed())
	require.Equal(t, "state", <-asked)
	answers <- "error the machine is off"
	require.ErrorContains(t, dog.Disarm(), "the machine is off")
	require.Equal(t, "disarm", <-asked)

	require.NoError(t, l.Close())
	dog.(*client).conn.Close()
	require.True(t, dog.Armed(), "a server that does not answer may be armed")
}

func TestWatchdogThatIsNoneIsRefused(t *testing.T) {
	dog, err := Open("", "")
	require.NoError(t, err)
	require.Nil(t, dog)
	_, err = Open(filepath.Join(t.TempDir(), "nothing"), "")
	require.ErrorIs(t, err, ErrUnusable)
	require.ErrorContains(t, err, "softdog")
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, []byte(strings.Repeat("x", 3)), 0o600))
	_, err = Open(file, "")
	require.ErrorContains(t, err, "neither a device")
}
