package conformance

import (
	"fmt"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/lrm"
)

// guestSeconds is how long an action of a guest takes. The seconds are only added up, see
// daemonEnv.Sleep.
const guestSeconds = 2

// guest is a virtual service type on one node.
type guest struct {
	env *daemonEnv
	// canMigrateLive is true if it can be migrated while it runs.
	canMigrateLive bool
	// isFake is true if its name encodes how it fails.
	isFake bool
}

var _ lrm.Resource = (*guest)(nil)

// findGuest returns the service types a node has.
func (e *daemonEnv) findGuest(kind string) lrm.Resource {
	switch kind {
	case "vm":
		return &guest{env: e, canMigrateLive: true}
	case "ct":
		return &guest{env: e}
	case "fa":
		return &guest{env: e, canMigrateLive: true, isFake: true}
	}
	return nil
}

// guestFlaws are how a fake service fails: fa:<abcdef>, where missing digits are 0. One of fewer than three
// digits does not fail.
type guestFlaws struct {
	// failedStarts and moves are how many attempts fail at first.
	failedStarts, failedMoves int
	// cannotStop is true if it cannot be stopped.
	cannotStop bool
	// onlyNode is the number of the only node on which it fails, 0 for all.
	onlyNode int
}

func flawsOf(sid string) guestFlaws {
	_, digits, _ := strings.Cut(sid, ":")
	if len(digits) < 3 {
		return guestFlaws{}
	}
	digit := func(i int) int {
		if i < len(digits) && digits[i] >= '0' && digits[i] <= '9' {
			return int(digits[i] - '0')
		}
		return 0
	}
	return guestFlaws{failedStarts: digit(1), failedMoves: digit(2), cannotStop: digit(3) != 0,
		onlyNode: digit(5)}
}

// isFlawedHere reports whether a fake service fails on this node.
func (g *guest) isFlawedHere(sid string) bool {
	f := flawsOf(sid)
	return f.onlyNode == 0 || g.env.node.name == fmt.Sprintf("node%d", f.onlyNode)
}

// countAndFail counts an attempt of a fake service and reports whether it is one of the first limit
// attempts. A success resets the count, and so does an attempt on a node where the service does not fail.
func (g *guest) countAndFail(action, sid string, limit int) bool {
	key := action + " " + sid
	if g.isFake && g.isFlawedHere(sid) {
		g.env.world.failedTries[key]++
		if g.env.world.failedTries[key] <= limit {
			return true
		}
	}
	g.env.world.failedTries[key] = 0
	return false
}

func (g *guest) Running(sid string) bool {
	return g.env.node.runningGuests[sid] || g.env.node.staleGuests[sid]
}

// refusedByLock reports whether a guest is locked, and logs what that prevents.
func (g *guest) refusedByLock(sid, doing string) bool {
	lock := g.env.world.guestLocks[sid]
	if lock != "" {
		g.env.Log(ha.LevelErr, fmt.Sprintf("service '%s' locked (%s), unable to %s!", sid, lock, doing))
	}
	return lock != ""
}

func (g *guest) Start(sid string) {
	if g.countAndFail("start", sid, flawsOf(sid).failedStarts) || g.refusedByLock(sid, "start") {
		return
	}
	g.env.Sleep(guestSeconds)
	g.env.world.setRunning(sid, g.env.node, true)
}

func (g *guest) Stop(sid string, _ *ha.Int) {
	if g.isFake && flawsOf(sid).cannotStop || g.refusedByLock(sid, "shutdown") {
		return
	}
	g.env.Sleep(guestSeconds)
	g.env.world.setRunning(sid, g.env.node, false)
}

func (g *guest) Move(sid, target string, online bool) bool {
	if g.countAndFail("move", sid, flawsOf(sid).failedMoves) {
		return false
	}
	if online && !g.canMigrateLive && g.Running(sid) {
		g.env.Log(ha.LevelWarning, "unable to live migrate running container, fallback to relocate")
		online = false
	}
	name := "relocate"
	if online {
		name = "migrate"
	}
	g.env.Log(ha.LevelInfo, fmt.Sprintf("service %s - start %s to node '%s'", sid, name, target))
	if g.refusedByLock(sid, name) {
		return false
	}
	if g.Running(sid) && !online {
		g.env.Log(ha.LevelInfo, fmt.Sprintf("stopping service %s (relocate)", sid))
		g.Stop(sid, nil) // the recorded world moves also a guest that cannot be stopped
		g.env.Log(ha.LevelInfo, fmt.Sprintf("service status %s stopped", sid))
	} else {
		g.env.Sleep(guestSeconds)
	}
	if !g.env.Quorate() { // the store accepts no writes without quorum
		g.env.Log(ha.LevelErr, fmt.Sprintf("service %s - no quorum to move it", sid))
		return false
	}
	if err := g.env.world.moveService(sid, g.env.node.name, target); err != nil {
		g.env.Log(ha.LevelErr, err.Error())
		return false
	}
	g.env.Log(ha.LevelInfo, fmt.Sprintf("service %s - end %s to node '%s'", sid, name, target))
	g.env.world.setRunning(sid, g.env.node, false)
	return true
}

// inlineExecutor runs commands to their end at once.
type inlineExecutor struct {
	env     *daemonEnv
	results map[string]ha.ExitCode
}

var _ lrm.Executor = (*inlineExecutor)(nil)

func (x *inlineExecutor) MaxWorkers() int { return 0 }

func (x *inlineExecutor) Start(cmd lrm.Command) bool {
	x.results[cmd.SID] = lrm.RunCommand(x.env, x.env.findGuest, cmd)
	return true
}

func (x *inlineExecutor) Finished(sid string) (ha.ExitCode, bool) {
	code, ok := x.results[sid]
	delete(x.results, sid)
	return code, ok
}

func (x *inlineExecutor) Wait(int) {}
