package fence_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/envtest"
	"github.com/holdfast-sim/holdfast/engine/fence"
)

// plug is an outlet with its history: when it was off.
type plug struct {
	on      bool
	changes []change // in order; planned changes are inserted in order
}

type change struct {
	at time.Duration
	on bool
}

func (p *plug) plan(at time.Duration, on bool) {
	p.changes = append(p.changes, change{at, on})
	slices.SortStableFunc(p.changes, func(a, b change) int { return int(a.at - b.at) })
}

// at reports whether the plug is on at a time.
func (p *plug) at(t time.Duration) bool {
	on := true
	for _, c := range p.changes {
		if c.at <= t {
			on = c.on
		}
	}
	return on
}

// whims is a world of plugs that obey at once, late, without an answer, or not at all. They never report
// off when they are on.
type whims struct {
	t     *rapid.T
	world *envtest.World
	plugs map[string]*plug
	ends  []scriptedCall
}

// Start implements env.CommandRunner.
func (w *whims) Start(c env.Command) (env.CommandID, error) {
	agent, now := c.Args[0], w.world.Now()
	_, op, _ := strings.Cut(string(c.Input), "action=")
	p := w.plugs[agent]
	if c.Args[len(c.Args)-1] == "metadata" {
		w.ends = append(w.ends, scriptedCall{due: now,
			result: env.CommandResult{Output: agentMetadata(agent, "power")}})
		return env.CommandID(len(w.ends)), nil
	}
	takes := time.Duration(rapid.IntRange(1, 12_000).Draw(w.t, "takes")) * time.Millisecond
	end := scriptedCall{due: now + takes}
	late := time.Duration(rapid.SampledFrom([]int{0, 0, 500, 3000, 20_000}).Draw(w.t,
		"late")) * time.Millisecond
	obeys := rapid.IntRange(0, 3).Draw(w.t, "obeys") > 0
	switch op = strings.TrimSpace(op); {
	case takes > c.Limit:
		end.due, end.result.Err = now+c.Limit, env.ErrCommandTimeout
	case op == "status":
		if !p.at(end.due) {
			end.result.Code = 2
		}
	case rapid.IntRange(0, 4).Draw(w.t, "fails") == 0:
		end.result.Code = 1
	}
	// Real agents send nothing to what is as it should be.
	if obeys && op != "status" && p.at(now) != (op == "on") {
		p.plan(now+takes+late, op == "on")
	}
	w.ends = append(w.ends, end)
	return env.CommandID(len(w.ends)), nil
}

// Result implements env.CommandRunner.
func (w *whims) Result(id env.CommandID) (env.CommandResult, bool) {
	c := &w.ends[id-1]
	if c.told || w.world.Now() < c.due {
		return env.CommandResult{}, false
	}
	c.told = true
	return c.result, true
}

// TestConfirmedMeansThatTheNodeWasOff: whatever devices do short of lying about their state, and
// although another user switches each plug on once meanwhile, a proof is given only when all plugs
// of the device were off at one instant between the start and the proof.
func TestConfirmedMeansThatTheNodeWasOff(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &whims{t: t, world: envtest.New(), plugs: map[string]*plug{}}
		c := &caller{agents: w}
		_, err := w.world.Start(0, "crm", c)
		require.NoError(t, err)
		var devices []fence.Device
		for i := range rapid.IntRange(1, 3).Draw(t, "devices") {
			d := fence.Device{Name: fmt.Sprint("d", i), Timeout: 10 * time.Second,
				Action: rapid.SampledFrom([]fence.Action{fence.Reset, fence.Off}).Draw(t, "action")}
			for j := range rapid.IntRange(1, 3).Draw(t, "parts") {
				agent := fmt.Sprintf("plug-%d-%d", i, j)
				w.plugs[agent] = &plug{}
				if rapid.Bool().Draw(t, "rival") {
					w.plugs[agent].plan(time.Duration(rapid.IntRange(0, 60_000).Draw(t,
						"switched on"))*time.Millisecond, true)
				}
				d.Parts = append(d.Parts, fence.Part{Agent: agent})
			}
			devices = append(devices, d)
		}
		w.world.RunFor(time.Second)
		verified := fence.AgentFingerprints{}
		for agent := range w.plugs {
			verified[agent] = metadataOf(t, agent, "power").Fingerprint()
		}
		c.fencer.Request(fence.Request{Node: "n1", Version: 1, Devices: devices, Verified: verified,
			Wanted: func() (bool, string) { return true, "" }, Absent: func(*env.Task) (string,
				bool) {
				return "1.1", true
			}})
		w.world.RunFor(20 * time.Minute)
		p, ok := c.fencer.Proof("n1")
		if !ok {
			return
		}
		d := devices[slices.IndexFunc(devices, func(d fence.Device) bool { return d.Name == p.Device })]
		require.True(t, w.allOff(d, p.Started, p.Confirmed), "the parts of %s were never all off from %v "+
			"to %v", d.Name, p.Started, p.Confirmed)
	})
}

// allOff checks every instant at which anything changes.
func (w *whims) allOff(d fence.Device, from, to time.Duration) bool {
	instants := []time.Duration{from, to}
	for _, part := range d.Parts {
		for _, c := range w.plugs[part.Agent].changes {
			if c.at >= from && c.at <= to {
				instants = append(instants, c.at)
			}
		}
	}
	return slices.ContainsFunc(instants, func(at time.Duration) bool {
		return !slices.ContainsFunc(d.Parts, func(p fence.Part) bool { return w.plugs[p.Agent].at(at) })
	})
}
