package conformance

import (
	"context"
	"fmt"
	"strconv"
	"strings"
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
func Replay(ctx context.Context, s *Scenario) (*Run, error) {
	w := newWorld(s)
	w.emit("info", 0, "hardware", "starting simulation")
	err := w.loop(ctx, s.Commands)
	run := &Run{Log: w.log, Double: w.double}
	if err != nil {
		return run, fmt.Errorf("replay scenario %s at %d s: %w", s.Name, w.now, err)
	}
	return run, nil
}

func (w *world) loop(ctx context.Context, groups [][]string) error {
	round := int64(max(minRoundSeconds, secondsPerNode*len(w.names)))
	if round >= watchdogSeconds {
		return fmt.Errorf("%d nodes: %w", len(w.names), ErrOverrun)
	}
	var lastCommand, nextCommand int64
	for counter := 0; ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		start := w.now
		if err := w.round(); err != nil {
			return err
		}
		w.now = max(w.now, start+round)
		for _, name := range w.names {
			w.nodes[name].crmEnv.now, w.nodes[name].lrmEnv.now = w.now, w.now
		}
		if w.now > maxRunSeconds {
			return ErrEndless
		}
		if len(w.log) > maxLogLines {
			return ErrOverrun
		}
		if w.now < nextCommand {
			continue
		}
		if counter%roundsPerGroup == 0 {
			if len(groups) == 0 {
				if w.now-lastCommand > quietSeconds {
					w.emit("info", w.now, "hardware", "exit simulation - done")
					return nil
				}
			} else {
				for _, text := range groups[0] {
					lastCommand = w.now
					delay, isDelay, err := parseDelay(text)
					if err != nil {
						return err
					}
					if isDelay {
						w.emit("info", w.now, "cmdlist", "execute "+text)
						nextCommand = w.now + delay
					} else if err := w.execute(text, "cmdlist"); err != nil {
						return err
					}
				}
				groups = groups[1:]
			}
		}
		counter++
	}
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

func (w *world) round() error {
	if w.skipCRM > 0 {
		w.emit("info", w.now, "run-loop", "skipping CRM round")
	}
	if w.skipLRM > 0 {
		w.emit("info", w.now, "run-loop", "skipping LRM round")
	}
	for _, name := range w.names {
		node := w.nodes[name]
		if w.tick != nil {
			w.tick(node)
		}
		if node.crm != nil && w.skipCRM == 0 {
			if err := w.runCRM(node); err != nil {
				return err
			}
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

func (w *world) begin(env *daemonEnv) {
	env.now, env.slept = w.now, 0
}

func (w *world) end(env *daemonEnv) error {
	if env.slept > maxDaemonSleepTotal {
		return fmt.Errorf("%s of %s slept %d s in one round: %w", env.daemon, env.node.name, env.slept,
			ErrEndless)
	}
	env.now += iterationSeconds
	w.now = max(w.now, env.now)
	return nil
}

func (w *world) runCRM(node *machine) error {
	w.begin(node.crmEnv)
	result := node.crm.Round()
	if err := w.end(node.crmEnv); err != nil {
		return err
	}
	if !result.Exit {
		return nil
	}
	node.crmEnv.Log("info", "exit (loop end)")
	node.crm = nil
	switch reason := node.shutdown; reason {
	case "reboot", "shutdown":
		if err := w.execute("power "+node.name+" off", reason); err != nil {
			return err
		}
		if reason == "reboot" {
			return w.execute("power "+node.name+" on", reason)
		}
	}
	return nil
}

func (w *world) runLRM(node *machine) error {
	w.begin(node.lrmEnv)
	result := node.lrm.Round()
	if err := w.end(node.lrmEnv); err != nil {
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
	case node.shutdown != "":
		return w.execute("crm "+node.name+" stop", node.shutdown)
	}
	return nil
}

func (w *world) checkWatchdogs() error {
	for _, name := range w.names {
		node := w.nodes[name]
		if !w.overdue(node) {
			continue
		}
		if err := w.execute("power "+name+" off", "watchdog"); err != nil {
			return err
		}
		w.emit("info", w.now, "hardware", fmt.Sprintf("server '%s' stopped by poweroff (watchdog)", name))
	}
	return nil
}
