package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
)

// shellBlocks are the blocks of shell commands in a text in Markdown.
func shellBlocks(text string) (blocks []string) {
	for _, part := range strings.Split(text, "\n```sh\n")[1:] {
		block, _, _ := strings.Cut(part, "\n```")
		blocks = append(blocks, block)
	}
	return blocks
}

// TestTheOperatorsPageRuns executes the blocks of the page in order and compares the results.
func TestTheOperatorsPageRuns(t *testing.T) {
	thorough.Only(t, "a cluster of three daemons works for half a minute")
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	page, err := os.ReadFile(filepath.Join(root, "docs", "operate.md"))
	require.NoError(t, err)
	blocks := shellBlocks(string(page))
	require.Greater(t, len(blocks), 3)
	dir, err := os.MkdirTemp("", "hf") // short, because paths of sockets must be
	require.NoError(t, err)
	t.Cleanup(func() {
		for i := 1; i <= 3; i++ {
			killByFile(filepath.Join(dir, "lab", fmt.Sprintf("n%d", i), "pid"))
		}
		os.RemoveAll(dir)
	})
	script := "set -e\n" + strings.Join(blocks, "\n") + "\nwait\n"
	for old, fresh := range map[string]string{
		"go build -o lab ": fmt.Sprintf("go -C %s build -o %s/lab ", root, dir),
		// All of 127.0.0.0/8 is this machine, so another run of this test is not in the way.
		" 127.0.0.":       fmt.Sprintf(" 127.%d.%d.", 1+rand.IntN(250), rand.IntN(250)),
		"sleep 1; done\n": "sleep 0.1; done\n"} {
		require.Contains(t, script, old)
		script = strings.ReplaceAll(script, old, fresh)
	}
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", script)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	stuck := time.AfterFunc(5*waitLimit, func() { _ = cmd.Cancel() })
	defer stuck.Stop()
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("%s", out)
}

// killByFile kills the process whose id is in a file.
func killByFile(path string) {
	data, err := os.ReadFile(path)
	if err != nil {
		return
	}
	if pid, err := strconv.Atoi(strings.TrimSpace(string(data))); err == nil && pid > 1 {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}
