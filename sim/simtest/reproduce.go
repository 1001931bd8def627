package simtest

import (
	"encoding/hex"
	"flag"
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
	if c.saved != nil {
		return testrun.Command("", c.t.Name(), flags...) // the name of the subtest is that of the file
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

// reproduceText returns the end of a failure: the command that shows it again. A property test draws the
// scenario itself, so it gets the scenario's file and the seed instead.
func (c *trial) reproduceText(flags ...string) string {
	command := c.command(flags...)
	if command == "" {
		file, err := scenarios.Marshal(c.scenario)
		if err != nil {
			return fmt.Sprintf("The scenario has no file: %v", err)
		}
		return fmt.Sprintf("Seed %d of this scenario:\n%s", c.seed, file)
	}
	name := c.t.Name()
	if strings.HasPrefix(name, "Fuzz") && !c.fuzzed && c.saved == nil && !strings.Contains(name, "/") {
		return "go test is fuzzing and will print the name of this input, which is another way to run it " +
			"again; the command below runs every kept input with this seed.\n" + toReproduce(command)
	}
	return toReproduce(command)
}

// saveHint is the line about how to save the failure for later runs; "" where that is not possible.
func (c *trial) saveHint() string {
	command := c.command("-sim.shrink=30s", "-sim.save")
	if command == "" || c.byOne || c.saved != nil || *flagSave && !fuzzing() {
		return ""
	}
	return "To save it as a file that go test runs first: " + command + "\n"
}

// fuzzing reports whether go test is fuzzing in this process: it runs many inputs, each for a few seconds at
// most.
func fuzzing() bool {
	f := flag.Lookup("test.fuzzworker")
	return f != nil && f.Value.String() == "true"
}

// testOf is the name of the test that a trial's test belongs to, without the seed or the input of a fuzzer.
func (c *trial) testOf() string {
	name := c.t.Name()
	if c.fuzzed {
		name, _, _ = strings.Cut(name, "/")
	}
	if at := strings.LastIndex(name, "/"); at >= 0 && name[at+1:] == seedName(c.seed) {
		name = name[:at]
	}
	return name
}

// toReproduce is the last line of a failure.
func toReproduce(command string) string { return "To reproduce: " + command }
