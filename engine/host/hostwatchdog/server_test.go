package hostwatchdog

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// serving returns a server and a client of it.
func serving(t *testing.T) (*Server, *client) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the kind of a socket's file is not seen there")
	}
	dir, err := os.MkdirTemp("", "hf") // short, because paths of sockets must be
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "dog")
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	s := NewServer(l)
	t.Cleanup(func() { s.Close() })
	dog, err := Open(path, "")
	require.NoError(t, err)
	return s, dog.(*client)
}

// expires reports whether an expiry is reported within a time.
func expires(s *Server, within time.Duration) bool {
	select {
	case <-s.Expired():
		return true
	case <-time.After(within):
		return false
	}
}

func TestServerReportsAWatchdogThatIsNotPetted(t *testing.T) {
	s, dog := serving(t)
	require.False(t, dog.Armed())
	require.NoError(t, dog.Arm(150*time.Millisecond))
	require.True(t, dog.Armed())
	require.True(t, s.Armed())
	require.True(t, expires(s, 10*time.Second))
	require.False(t, s.Armed(), "a machine that was reset has no countdown")
	require.ErrorContains(t, dog.Arm(time.Hour), "watchdog device failed", "the machine is off")
	require.True(t, dog.Armed(), "a server that does not answer may be armed")
	require.False(t, expires(s, 50*time.Millisecond), "an expiry is reported once")

	s.Rearm()
	require.False(t, dog.Armed(), "a machine begins with its watchdog disarmed")
	require.NoError(t, dog.Arm(time.Hour))
	dog.Pet()
	require.NoError(t, dog.Disarm())
	require.False(t, dog.Armed())
}

func TestServerOfAWatchdogThatIsPetted(t *testing.T) {
	s, dog := serving(t)
	require.NoError(t, dog.Arm(time.Minute))
	dog.Pet()
	require.False(t, expires(s, 50*time.Millisecond))
	require.NoError(t, dog.Arm(100*time.Millisecond), "another time, from now on")
	require.NoError(t, dog.Disarm())
	require.False(t, expires(s, 300*time.Millisecond), "disarmed")
	dog.Pet()
	require.False(t, expires(s, 300*time.Millisecond), "a pet arms nothing")
}

func TestServerRefusesUnknownRequests(t *testing.T) {
	_, dog := serving(t)
	for _, nonsense := range []string{"arm", "arm soon", "arm -1", "fly", "pet pet"} {
		_, err := dog.request(nonsense)
		require.ErrorIs(t, err, ErrWatchdog, nonsense)
	}
	require.False(t, dog.Armed())
}

// FuzzServer sends any line: the answer is one of three, and no single word arms the watchdog.
func FuzzServer(f *testing.F) {
	for _, line := range []string{"arm 1000000000", "pet", "disarm", "state", "arm 99999999999999999999", "",
		"arm\x00 1"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		s := &Server{expiryTimer: time.NewTimer(time.Hour)}
		defer s.expiryTimer.Stop()
		state, err := s.handleRequest([]string{line})
		require.True(t, state == "" || state == "armed")
		require.False(t, s.isArmed, "a single word arms nothing")
		if err == nil {
			require.Contains(t, []string{requestPet, requestDisarm, requestState}, line)
		}
	})
}
