package conformance

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

// Line is one line of a run's log.
type Line struct {
	Level   string
	Seconds int64
	ID      string
	Message string
}

// String formats the line the way expected logs are written.
func (l Line) String() string {
	return fmt.Sprintf("%-5s %5d %12s: %s", l.Level, l.Seconds, l.ID, l.Message)
}

// DoubleRun is a service that was active on two machines at once.
type DoubleRun struct {
	SID     string    `json:"sid"`
	Nodes   [2]string `json:"nodes"`
	Seconds int64     `json:"seconds"`
}

// Run is the result of a replay.
type Run struct {
	Log []Line
	// Double is what the virtual hardware recorded; it must be empty.
	Double []DoubleRun
	// Differences are the deliberate differences from Proxmox VE's manager that were about to change a
	// decision, sorted.
	Differences []ha.Difference
}

// Text is the log as one text.
func (r *Run) Text() string {
	var out strings.Builder
	for _, line := range r.Log {
		out.WriteString(line.String())
		out.WriteByte('\n')
	}
	return out.String()
}

// Replay runs a scenario to its end. The scenario is not changed.
//
// Time advances in rounds. In a round every node has its turn, in order of names: CRM, then LRM. The
// clock stands still during each of them and advances by one second after it. After five rounds in which
// no delay is pending, the next group of commands is executed. The run ends 500 seconds after the last
// group.
func Replay(ctx context.Context, s *Scenario) (*Run, error) { return replayWithout(ctx, s, "") }

// replayWithout is Replay without one of the deliberate differences.
func replayWithout(ctx context.Context, s *Scenario, suppressed ha.Difference) (*Run, error) {
	w := newWorld(s)
	w.suppressed = suppressed
	w.logLine("info", 0, "hardware", "starting simulation")
	err := w.runUntilQuiet(ctx, s.Commands)
	run := &Run{Log: w.log, Double: w.doubleRuns, Differences: slices.Sorted(maps.Keys(w.deviations))}
	if err != nil {
		return run, fmt.Errorf("replay scenario %s at %d s: %w", s.Name, w.nowSeconds, err)
	}
	return run, nil
}

func (w *world) runUntilQuiet(ctx context.Context, groups [][]string) error {
	round := int64(max(minRoundSeconds, secondsPerNode*len(w.nodeNames)))
	if round >= watchdogSeconds {
		return fmt.Errorf("%d nodes: %w", len(w.nodeNames), ErrOverrun)
	}
	var lastCommand, nextCommand int64
	for counter := 0; ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.advance(round); err != nil {
			return err
		}
		if w.nowSeconds < nextCommand {
			continue
		}
		if counter%roundsPerGroup == 0 {
			if len(groups) == 0 {
				if w.nowSeconds-lastCommand > quietSeconds {
					w.logLine("info", w.nowSeconds, "hardware", "exit simulation - done")
					return nil
				}
			} else {
				for _, text := range groups[0] {
					lastCommand = w.nowSeconds
					delay, isDelay, err := parseDelay(text)
					if err != nil {
						return err
					}
					if isDelay {
						w.logLine("info", w.nowSeconds, "cmdlist", "execute "+text)
						nextCommand = w.nowSeconds + delay
					} else if err := w.executeCommand(text, "cmdlist"); err != nil {
						return err
					}
				}
				groups = groups[1:]
			}
		}
		counter++
	}
}

// advance runs one round of every daemon, which takes at least this many seconds.
func (w *world) advance(roundSeconds int64) error {
	start := w.nowSeconds
	if err := w.runRound(); err != nil {
		return err
	}
	w.nowSeconds = max(w.nowSeconds, start+roundSeconds)
	for _, name := range w.nodeNames {
		w.nodes[name].crmEnv.nowSeconds, w.nodes[name].lrmEnv.nowSeconds = w.nowSeconds, w.nowSeconds
	}
	if w.nowSeconds > maxRunSeconds {
		return ErrEndless
	}
	if len(w.log) > maxLogLines {
		return ErrOverrun
	}
	return nil
}

func parseDelay(text string) (seconds int64, isDelay bool, err error) {
	words := strings.Fields(text)
	if len(words) == 0 || words[0] != "delay" {
		return 0, false, nil
	}
	if len(words) == 2 {
		if seconds, err = strconv.ParseInt(words[1], 10, 32); err == nil && seconds >= 0 {
			return seconds, true, nil
		}
	}
	return 0, true, fmt.Errorf("execute %q: %w", text, ErrCommand)
}

func (w *world) runRound() error {
	for i, name := range w.nodeNames {
		node := w.nodes[name]
		if w.beforeTurn != nil {
			w.beforeTurn(node)
		}
		if i == 0 && node.crm != nil && w.skipCRM > 0 {
			w.logLine("info", w.nowSeconds, "run-loop", "skipping CRM round")
		}
		if node.crm != nil && w.skipCRM == 0 {
			if err := w.runCRM(node); err != nil {
				return err
			}
		}
		if i == 0 && node.lrm != nil && w.skipLRM > 0 {
			w.logLine("info", w.nowSeconds, "run-loop", "skipping LRM round")
		}
		if node.lrm != nil && w.skipLRM == 0 {
			if err := w.runLRM(node); err != nil {
				return err
			}
		}
		if err := w.checkWatchdogs(); err != nil {
			return err
		}
	}
	w.skipCRM = max(0, w.skipCRM-1)
	w.skipLRM = max(0, w.skipLRM-1)
	return nil
}

func (w *world) addInitialState(env *daemonEnv) {
	env.nowSeconds, env.sleptSeconds = w.nowSeconds, 0
}

func (w *world) finishRun(env *daemonEnv) error {
	if env.sleptSeconds > maxDaemonSleepTotal {
		return fmt.Errorf("%s of %s slept %d s in one round: %w", env.daemon, env.node.name, env.sleptSeconds,
			ErrEndless)
	}
	env.nowSeconds += iterationSeconds
	w.nowSeconds = max(w.nowSeconds, env.nowSeconds)
	return nil
}

func (w *world) runCRM(node *machine) error {
	w.addInitialState(node.crmEnv)
	result := node.crm.Round()
	if err := w.finishRun(node.crmEnv); err != nil {
		return err
	}
	if !result.Exit {
		return nil
	}
	node.crmEnv.Log("info", "exit (loop end)")
	node.crm = nil
	switch reason := node.shutdownKind; reason {
	case "reboot", "shutdown":
		if err := w.executeCommand("power "+node.name+" off", reason); err != nil {
			return err
		}
		if reason == "reboot" {
			return w.executeCommand("power "+node.name+" on", reason)
		}
	}
	return nil
}

func (w *world) runLRM(node *machine) error {
	w.addInitialState(node.lrmEnv)
	result := node.lrm.Round()
	if err := w.finishRun(node.lrmEnv); err != nil {
		return err
	}
	if !result.Exit {
		return nil
	}
	node.lrmEnv.Log("info", "exit (loop end)")
	node.lrm = nil
	switch {
	case node.restartLRM:
		node.restartLRM = false
		w.startLRM(node)
	case node.shutdownKind != "":
		return w.executeCommand("crm "+node.name+" stop", node.shutdownKind)
	}
	return nil
}

func (w *world) checkWatchdogs() error {
	for _, name := range w.nodeNames {
		node := w.nodes[name]
		if !w.isOverdue(node) {
			continue
		}
		if err := w.executeCommand("power "+name+" off", "watchdog"); err != nil {
			return err
		}
		w.logLine("info", w.nowSeconds, "hardware", fmt.Sprintf("server '%s' stopped by poweroff (watchdog)",
			name))
	}
	return nil
}
