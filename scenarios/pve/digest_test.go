package pve_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/sim"
)

// digestStories are run in every configuration of the Go runtime.
var digestStories = []string{"standard", "power-loss-all", "pair-cut", "register-storm"}

const (
	// digestsOnly makes the test binary print digests instead of comparing them.
	digestsOnly = "HOLDFAST_PRINT_DIGESTS"
	// digestsUnderRace asks for the comparison with a binary built with -race, which takes long.
	digestsUnderRace = "HOLDFAST_DIGESTS_UNDER_RACE"
)

func digests(t *testing.T) string {
	var b strings.Builder
	for _, name := range digestStories {
		s, subject := load(t, name)
		for seed := range uint64(thorough.Count(1, 2)) {
			run, err := sim.Runner{}.Run(context.Background(), s, subject, scenarios.RunOptions{Seed: seed})
			require.NoError(t, err)
			fmt.Fprintf(&b, "digest %s %d %s\n", name, seed, run.Digest)
		}
	}
	return b.String()
}

// The same seed gives the same run, whatever the Go runtime does meanwhile.
func TestSameSeedSameDigest(t *testing.T) {
	here := digests(t)
	if os.Getenv(digestsOnly) != "" {
		fmt.Print(here)
		return
	}
	require.Equal(t, here, digests(t), "in one process, one after the other")
	self, err := os.Executable()
	require.NoError(t, err)
	settings := []string{"GOMAXPROCS=1", "GOGC=10", "GODEBUG=asyncpreemptoff=1"}
	all := [][]string{settings} // one process has them all; when thorough, each has one of its own as well
	for i := range thorough.Count(0, len(settings)) {
		all = append(all, settings[i:i+1])
	}
	for _, settings := range all {
		t.Run(strings.Join(settings, " "), func(t *testing.T) {
			cmd := exec.Command(self, "-test.run=^TestSameSeedSameDigest$")
			requireDigests(t, here, cmd, settings...)
		})
	}
	t.Run("race", func(t *testing.T) {
		if os.Getenv(digestsUnderRace) == "" {
			t.Skip("comparing with the race detector takes minutes: set " + digestsUnderRace +
				"=1, as make race does")
		}
		if _, err := exec.LookPath("gcc"); err != nil {
			t.Skip("the race detector needs a C compiler: gcc is not installed")
		}
		cmd := exec.Command("go", "test", "-race", "-count=1", "-run=^TestSameSeedSameDigest$", "-v", ".")
		requireDigests(t, here, cmd, "CGO_ENABLED=1")
	})
}

func requireDigests(t *testing.T, want string, cmd *exec.Cmd, settings ...string) {
	t.Helper()
	cmd.Env = append(append(os.Environ(), settings...), digestsOnly+"=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	var got strings.Builder
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "digest ") {
			got.WriteString(line)
		}
	}
	require.Equal(t, want, got.String())
}
