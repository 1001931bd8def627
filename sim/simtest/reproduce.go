package simtest

import (
	"encoding/hex"
	"fmt"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/holdfast-sim/holdfast/scenarios"
)

// reproduce returns the command that runs the trial again, with further flags. A property test draws
// the scenario itself and prints its own command, so it gets the scenario's file and the seed instead.
func (c *trial) reproduce(flags string) string {
	if _, ok := c.t.(testing.TB); !ok {
		file, err := scenarios.Marshal(c.scenario)
		if err != nil {
			return fmt.Sprintf("The scenario has no file: %v", err)
		}
		return fmt.Sprintf("Seed %d of this scenario:\n%s", c.seed, file)
	}
	name, _, _ := strings.Cut(c.t.Name(), "/seed=")
	if strings.HasPrefix(name, "Fuzz") {
		name, _, _ = strings.Cut(name, "/") // the input's name; the flags choose the input
	}
	pattern := "^" + strings.ReplaceAll(name, "/", "$/^") + "$"
	if len(c.draws) > 0 {
		flags = " -sim.draws=" + hex.EncodeToString(c.draws) + flags
	}
	return fmt.Sprintf("To reproduce: go test%s -run '%s' -sim.seed=%d%s", testedPackage(), pattern, c.seed,
		flags)
}

// testedPackage is the import path of the package under test after a space, if the binary knows it.
func testedPackage() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || !strings.HasSuffix(info.Path, ".test") {
		return ""
	}
	return " " + strings.TrimSuffix(info.Path, ".test")
}
