package simtest

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/testrun"
)

// command is the command that runs the trial again, with further flags; "" in a property test, whose library
// prints a command of its own.
func (c *trial) command(flags ...string) string {
	if _, ok := c.t.(testing.TB); !ok {
		return ""
	}
	all := []string{fmt.Sprintf("-sim.seed=%d", c.seed)}
	if len(c.draws) > 0 {
		all = append(all, "-sim.draws="+hex.EncodeToString(c.draws))
	}
	if *flagStepTimeout != "" {
		all = append(all, "-sim.steptimeout="+*flagStepTimeout)
	}
	name := c.t.Name()
	if c.fuzzed {
		name, _, _ = strings.Cut(name, "/") // the input's name; the flags choose the input
	}
	return testrun.Command("", name, append(all, flags...)...)
}

// reproduce returns the end of a failure: the command that shows it again. A property test draws the scenario
// itself, so it gets the scenario's file and the seed instead.
func (c *trial) reproduce(flags ...string) string {
	command := c.command(flags...)
	if command == "" {
		file, err := scenarios.Marshal(c.scenario)
		if err != nil {
			return fmt.Sprintf("The scenario has no file: %v", err)
		}
		return fmt.Sprintf("Seed %d of this scenario:\n%s", c.seed, file)
	}
	if name := c.t.Name(); strings.HasPrefix(name, "Fuzz") && !c.fuzzed && !strings.Contains(name, "/") {
		return "go test is fuzzing and will print the name of this input, which is another way to run it " +
			"again; the command below runs every kept input with this seed.\n" + toReproduce(command)
	}
	return toReproduce(command)
}

// toReproduce is the last line of a failure.
func toReproduce(command string) string { return "To reproduce: " + command }
