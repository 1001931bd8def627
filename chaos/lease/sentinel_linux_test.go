package lease

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestSentinelKillsWhatItsOwnerLeaves, also what does not listen and what is stopped, and nothing
// else.
func TestSentinelKillsWhatItsOwnerLeaves(t *testing.T) {
	var pids []string
	var ends []chan error
	start := func(script string) {
		c := exec.Command("/bin/sh", "-c", script)
		require.NoError(t, c.Start())
		ended := make(chan error, 1)
		go func() { ended <- c.Wait() }()
		t.Cleanup(func() { _ = c.Process.Kill() })
		pids, ends = append(pids, fmt.Sprint(c.Process.Pid)), append(ends, ended)
	}
	start("trap '' TERM HUP INT; while :; do sleep 0.1; done")
	start("kill -STOP $$; sleep 60")
	start("sleep 60")
	group := t.TempDir() + "/cgroup.procs"
	require.NoError(t, os.WriteFile(group, []byte(strings.Join(pids[:2], "\n")+"\n"), 0o600))

	relieved, err := StartSentinel([]KillTarget{KillTarget("c" + group)})
	require.NoError(t, err)
	require.NoError(t, relieved.Stop())
	s, err := StartSentinel([]KillTarget{KillTarget("c" + group)})
	require.NoError(t, err)
	select {
	case <-ends[0]:
		t.Fatal("a sentinel with an owner kills nothing")
	case <-time.After(300 * time.Millisecond):
	}
	require.NoError(t, s.ownerPipe.Close(), "as when the owner dies")
	for _, ended := range ends[:2] {
		select {
		case err := <-ended:
			require.ErrorContains(t, err, "killed")
		case <-time.After(10 * time.Second):
			t.Fatal("the sentinel has not killed it")
		}
	}
	require.NoError(t, s.cmd.Wait())
	select {
	case <-ends[2]:
		t.Fatal("it was not on the sentinel's post")
	default:
	}
}
