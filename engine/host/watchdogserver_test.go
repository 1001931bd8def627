package host

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// guarding makes a guard and a supervisor's client that talks to it.
func guarding(t *testing.T) (*WatchdogServer, *watchdogClient) {
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
	g := NewWatchdogServer(l)
	t.Cleanup(func() { g.Close() })
	dog, err := openWatchdog(path, "")
	require.NoError(t, err)
	return g, dog.(*watchdogClient)
}

// rings reports whether an expiry arrives within a time.
func rings(g *WatchdogServer, within time.Duration) bool {
	select {
	case <-g.Expired():
		return true
	case <-time.After(within):
		return false
	}
}

func TestGuardTellsOfAWatchdogThatIsNotPetted(t *testing.T) {
	g, dog := guarding(t)
	require.False(t, dog.Armed())
	require.NoError(t, dog.Arm(150*time.Millisecond))
	require.True(t, dog.Armed())
	require.True(t, g.Armed())
	require.True(t, rings(g, 10*time.Second))
	require.False(t, g.Armed(), "what was reset counts no more")
	require.ErrorContains(t, dog.Arm(time.Hour), "watchdog device failed", "the machine is off")
	require.True(t, dog.Armed(), "one that does not answer may be armed")
	require.False(t, rings(g, 50*time.Millisecond), "an expiry is told once")

	g.Rearm()
	require.False(t, dog.Armed(), "a machine begins with its watchdog disarmed")
	require.NoError(t, dog.Arm(time.Hour))
	dog.Pet()
	require.NoError(t, dog.Disarm())
	require.False(t, dog.Armed())
}

func TestGuardOfAWatchdogThatIsPetted(t *testing.T) {
	g, dog := guarding(t)
	require.NoError(t, dog.Arm(time.Minute))
	dog.Pet()
	require.False(t, rings(g, 50*time.Millisecond))
	require.NoError(t, dog.Arm(100*time.Millisecond), "another time, from now on")
	require.NoError(t, dog.Disarm())
	require.False(t, rings(g, 300*time.Millisecond), "disarmed")
	dog.Pet()
	require.False(t, rings(g, 300*time.Millisecond), "a pet arms nothing")
}

func TestGuardRefusesNonsense(t *testing.T) {
	_, dog := guarding(t)
	for _, nonsense := range []string{"arm", "arm soon", "arm -1", "fly", "pet pet"} {
		_, err := dog.ask(nonsense)
		require.ErrorIs(t, err, ErrWatchdog, nonsense)
	}
	require.False(t, dog.Armed())
}

// FuzzGuard: whatever is sent, the answer is one of three, and only words of the protocol arm it.
func FuzzGuard(f *testing.F) {
	for _, line := range []string{"arm 1000000000", "pet", "disarm", "state", "arm 99999999999999999999",
		"", "arm\x00 1"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		g := &WatchdogServer{timer: time.NewTimer(time.Hour)}
		defer g.timer.Stop()
		state, err := g.handle([]string{line})
		require.True(t, state == "" || state == "armed")
		require.False(t, g.armed, "a single word arms nothing")
		if err == nil {
			require.Contains(t, []string{requestPet, requestDisarm, requestState}, line)
		}
	})
}
