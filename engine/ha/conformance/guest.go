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
	// live is true if it can be migrated while it runs.
	live bool
	// fake is true if its name encodes how it fails.
	fake bool
}

var _ lrm.Resource = (*guest)(nil)

// lookup returns the service types a node has.
func (e *daemonEnv) lookup(kind string) lrm.Resource {
	switch kind {
	case "vm":
		return &guest{env: e, live: true}
	case "ct":
		return &guest{env: e}
	case "fa":
		return &guest{env: e, live: true, fake: true}
	}
	return nil
}

// flaws are how a fake service fails: fa:<abcdef>, where missing digits are 0.
type flaws struct {
	// starts and moves are how many attempts fail at first.
	starts, moves int
	// noStop is true if it cannot be stopped.
	noStop bool
	// onlyNode is the number of the only node on which it fails, 0 for all.
	onlyNode int
}

func flawsOf(sid string) flaws {
	_, digits, _ := strings.Cut(sid, ":")
	digit := func(i int) int {
		if i < len(digits) && digits[i] >= '0' && digits[i] <= '9' {
			return int(digits[i] - '0')
		}
		return 0
	}
	return flaws{starts: digit(1), moves: digit(2), noStop: digit(3) != 0, onlyNode: digit(5)}
}

// flawedHere reports whether a fake service fails on this node.
func (g *guest) flawedHere(sid string) bool {
	f := flawsOf(sid)
	return f.onlyNode == 0 || g.env.node.name == fmt.Sprintf("node%d", f.onlyNode)
}

// failsStill counts an attempt and reports whether it is one of the first limit attempts. A success
// resets the count.
func (g *guest) failsStill(action, sid string, limit int) bool {
	key := action + " " + sid
	g.env.world.tries[key]++
	if g.env.world.tries[key] <= limit {
		return true
	}
	g.env.world.tries[key] = 0
	return false
}

func (g *guest) Running(sid string) bool { return g.env.node.running[sid] }

func (g *guest) Start(sid string) {
	if g.fake && g.flawedHere(sid) && g.failsStill("start", sid, flawsOf(sid).starts) {
		return
	}
	if lock := g.env.world.locked[sid]; lock != "" {
		g.env.Log(ha.LevelErr, fmt.Sprintf("service '%s' locked (%s), unable to start!", sid, lock))
		return
	}
	g.env.Sleep(guestSeconds)
	g.env.world.setRunning(sid, g.env.node, true)
}

func (g *guest) Stop(sid string, _ *ha.Int) {
	if g.fake && flawsOf(sid).noStop {
		return
	}
	g.env.Sleep(guestSeconds)
	g.env.world.setRunning(sid, g.env.node, false)
}

func (g *guest) Move(sid, target string, online bool) bool {
	if g.fake && g.flawedHere(sid) && g.failsStill("move", sid, flawsOf(sid).moves) {
		return false
	}
	name := "relocate"
	if online {
		name = "migrate"
	}
	g.env.Log(ha.LevelInfo, fmt.Sprintf("service %s - start %s to node '%s'", sid, name, target))
	if lock := g.env.world.locked[sid]; lock != "" {
		g.env.Log(ha.LevelErr, fmt.Sprintf("service '%s' locked (%s), unable to migrate!", sid, lock))
		return false
	}
	if g.Running(sid) && (!online || !g.live) {
		g.env.Log(ha.LevelInfo, fmt.Sprintf("stopping service %s (relocate)", sid))
		g.Stop(sid, nil)
		if g.Running(sid) {
			return false
		}
		g.env.Log(ha.LevelInfo, fmt.Sprintf("service status %s stopped", sid))
	} else {
		g.env.Sleep(guestSeconds)
	}
	if !g.env.Quorate() { // the store accepts no writes without quorum
		g.env.Log(ha.LevelErr, fmt.Sprintf("service %s - no quorum to move it", sid))
		return false
	}
	if err := g.env.world.relocate(sid, g.env.node.name, target); err != nil {
		g.env.Log(ha.LevelErr, err.Error())
		return false
	}
	g.env.Log(ha.LevelInfo, fmt.Sprintf("service %s - end %s to node '%s'", sid, name, target))
	g.env.world.setRunning(sid, g.env.node, false)
	return true
}

// inline runs commands to their end at once.
type inline struct {
	env     *daemonEnv
	results map[string]ha.ExitCode
}

var _ lrm.Executor = (*inline)(nil)

func (x *inline) MaxWorkers() int { return 0 }

func (x *inline) Start(cmd lrm.Command) bool {
	x.results[cmd.SID] = lrm.Run(x.env, x.env.lookup, cmd)
	return true
}

func (x *inline) Finished(sid string) (ha.ExitCode, bool) {
	code, ok := x.results[sid]
	delete(x.results, sid)
	return code, ok
}

func (x *inline) Wait(int) {}
