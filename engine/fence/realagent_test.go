//go:build unix

package fence_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/fence"
	"github.com/holdfast-sim/holdfast/engine/host"
)

// agentDir is the environment variable that makes the test's own executable a fence agent, with
// its outlets as files in that directory.
const agentDir = "HOLDFAST_TEST_AGENT_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(agentDir); dir != "" {
		os.Exit(agent(dir))
	}
	os.Exit(m.Run())
}

// agent reads name=value lines and switches the outlet that they name.
func agent(dir string) int {
	if len(os.Args) == 3 && os.Args[2] == "metadata" {
		_, _ = os.Stdout.Write(agentMetadata(filepath.Base(os.Args[0]), "power"))
		return 0
	}
	args := map[string]string{}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		key, value, _ := strings.Cut(in.Text(), "=")
		args[key] = value
	}
	outlet := filepath.Join(dir, args["plug"])
	log, err := os.OpenFile(filepath.Join(dir, "log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return 1
	}
	fmt.Fprintf(log, "%s %s %s\n", args["plug"], args["action"], args["nodename"])
	switch {
	case args["mood"] == "broken":
		fmt.Fprintln(os.Stderr, "Failed: Unable to obtain correct plug status")
		return 1
	case args["mood"] == "hangs":
		time.Sleep(time.Minute)
		return 0
	}
	_, missing := os.Stat(outlet)
	switch args["action"] {
	case "off":
		if os.WriteFile(outlet, nil, 0o600) != nil {
			return 1
		}
	case "on":
		if os.Remove(outlet) != nil {
			return 1
		}
	case "status":
		if missing == nil {
			return 2
		}
	}
	return 0
}

// TestRealAgents fences with programs of this machine, through a host.
func TestRealAgents(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	dir := t.TempDir()
	t.Setenv(agentDir, dir)
	part := func(args ...string) []fence.Part {
		p := fence.Part{Agent: self}
		for i := 0; i < len(args); i += 2 {
			p.Args = append(p.Args, fence.Arg{Key: args[i], Value: args[i+1]})
		}
		return []fence.Part{p}
	}
	request := fence.Request{Node: "n3", Version: 7,
		Verified: fence.AgentFingerprints{self: metadataOf(t, self, "power").Fingerprint()},
		Wanted: func() (bool,
			string) {
			return true, ""
		},
		Devices: []fence.Device{
			{Name: "broken", Action: fence.Reset, Attempts: 1, Parts: part("plug", "1", "mood", "broken")},
			{Name: "hangs", Action: fence.Reset, Attempts: 1, Timeout: 300 * time.Millisecond,
				Parts: part("plug", "2", "mood", "hangs")},
			{Name: "works", Action: fence.Off, Parts: append(part("plug", "3"), part("plug", "4")...)},
		}}
	proofs := make(chan fence.Proof, 1)
	p := &realCaller{request: request, proofs: proofs}
	h, err := host.New(host.Config{Name: "n1", Dir: t.TempDir(),
		Processes: []host.Process{{Name: "crm", New: func() env.Process { return p }}}})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	select {
	case proof := <-proofs:
		require.Equal(t, "works", proof.Device)
		require.Equal(t, uint64(7), proof.Version)
	case <-time.After(30 * time.Second):
		require.Fail(t, "no proof")
	}
	cancel()
	require.NoError(t, <-ended)
	for _, plug := range []string{"3", "4"} {
		require.FileExists(t, filepath.Join(dir, plug), "the outlet is off")
	}
	log, err := os.ReadFile(filepath.Join(dir, "log"))
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(log), "1 status n3\n2 status n3\n"), "in order: %s", log)
	require.Equal(t, 3, strings.Count(string(log), "3 status n3\n"), "asked before, and twice after: %s", log)
}

// realCaller fences once.
type realCaller struct {
	request fence.Request
	proofs  chan fence.Proof
	tasks   *env.Tasks
}

func (c *realCaller) Start(e env.Env) error {
	c.tasks = env.NewTasks(e, 1)
	var f *fence.Fencer
	f = fence.New(e, c.tasks, fence.Options{Changed: func() {
		if p, ok := f.Proof(c.request.Node); ok {
			c.proofs <- p
		}
	}})
	f.Request(c.request)
	return nil
}

func (c *realCaller) Step(ev env.Event) { c.tasks.Step(ev) }
