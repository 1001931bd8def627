package hacheck

import (
	"context"
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/check"
)

// repeatedCommands checks that no agent carries out a command that it has carried out. Results do not
// survive an incarnation of the agent.
type repeatedCommands struct {
	machines     []string
	incarnations []int // of each machine's agent
	carriedOut   map[commandKey]bool
	violations   []linearizability.Violation
}

// commandKey is a command in one incarnation of an agent.
type commandKey struct {
	machine     env.MachineID
	incarnation int
	uid         string
}

func newRepeatedCommandsCheck(c Cluster) *repeatedCommands {
	return &repeatedCommands{machines: c.Machines, incarnations: make([]int, len(c.Machines)),
		carriedOut: map[commandKey]bool{}}
}

// Name implements check.Check.
func (*repeatedCommands) Name() string { return "ha-commands" }

// Observe implements check.Observer.
func (c *repeatedCommands) Observe(r scenarios.Stamped) {
	switch rec := r.Record.(type) {
	case haproc.LRMStateChange:
		if rec.Started {
			c.incarnations[r.Machine]++
		}
	case haproc.CommandDone:
		if rec.UID == "" || rec.State == ha.Stopped {
			return // a stop is enforced again and again
		}
		retried := rec.State == ha.Started && rec.ExitCode == ha.ExitError
		c.carriedOut[c.keyOf(r, rec.UID)] = !retried && rec.ExitCode != ha.ExitTryAgain
	case haproc.CommandBegun:
		if rec.UID != "" && c.carriedOut[c.keyOf(r, rec.UID)] {
			c.violations = append(c.violations, violationOfKind(RepeatedCommand,
				"at %v %s carries out %s of %s again, which has been done already (uid %s)",
				r.At, c.machines[r.Machine], rec.State, rec.SID, rec.UID))
		}
	}
}

func (c *repeatedCommands) keyOf(r scenarios.Stamped, uid string) commandKey {
	return commandKey{r.Machine, c.incarnations[r.Machine], uid}
}

// Judge implements check.Check.
func (c *repeatedCommands) Judge(context.Context, *Evidence) linearizability.Verdict {
	return check.Verdict(c.Name(), c.violations, fmt.Sprintf("none of %d commands was carried out twice",
		len(c.carriedOut)))
}
