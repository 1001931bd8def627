package conformance

import (
	"fmt"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

// Step is a command of a scenario at its time.
type Step struct {
	Seconds int64
	// Group counts the command groups from 0.
	Group   int
	Command string
}

// Plan returns when the commands of a scenario are executed and when the run ends, without running it.
// Groups of commands come every five rounds, or later after a delay. Delays themselves are not steps.
func (s *Scenario) Plan() (steps []Step, end int64, err error) {
	round := int64(max(minRoundSeconds, secondsPerNode*len(s.Nodes)))
	if round >= watchdogSeconds {
		return nil, 0, fmt.Errorf("%d nodes: %w", len(s.Nodes), ErrOverrun)
	}
	var now, last, next int64
	for counter, group := 0, 0; ; {
		if now += round; now > maxRunSeconds {
			return nil, 0, fmt.Errorf("planning scenario %s: %w", s.Name, ErrEndless)
		}
		if now < next {
			continue
		}
		counter++
		if (counter-1)%roundsPerGroup != 0 {
			continue
		}
		if group == len(s.Commands) {
			if now-last > quietSeconds {
				return steps, now, nil
			}
			continue
		}
		for _, text := range s.Commands[group] {
			last = now
			delay, isDelay, err := parseDelay(text)
			switch {
			case err != nil:
				return nil, 0, err
			case isDelay:
				next = now + delay
			default:
				steps = append(steps, Step{Seconds: now, Group: group, Command: text})
			}
		}
		group++
	}
}

// RoundOf is how long a round of a cluster takes.
func RoundOf(nodes int) time.Duration {
	return time.Duration(max(minRoundSeconds, secondsPerNode*nodes)) * time.Second
}

// Hardware is a node as a scenario describes it.
type Hardware struct {
	Name           string
	Power, Network bool
	Version        string
	CPUs, MemBytes float64
	// UsedCPUs and UsedMemBytes are what the node uses without guests.
	UsedCPUs, UsedMemBytes float64
}

// Hardware lists the nodes in the order of their names.
func (s *Scenario) Hardware() []Hardware {
	var out []Hardware
	for _, name := range sortedKeys(s.Nodes) {
		n := s.Nodes[name]
		out = append(out, Hardware{Name: name, Power: n.hasPower, Network: n.hasNetwork, Version: n.version,
			CPUs: n.maxCPU, MemBytes: n.maxMem, UsedCPUs: n.baseCPU, UsedMemBytes: n.baseMem})
	}
	return out
}

// GuestSize is what a guest may use, and what it uses.
type GuestSize struct {
	CPUs, MemBytes, UsedCPUs, UsedMemBytes float64
}

// GuestSize returns the size of a service's guest, or the default if the scenario does not give one.
func (s *Scenario) GuestSize(sid string) GuestSize {
	g := s.Stats[sid]
	if g == nil {
		g = defaultGuestStats()
	}
	return GuestSize{CPUs: g.maxCPU, MemBytes: g.maxMem, UsedCPUs: g.cpu, UsedMemBytes: g.mem}
}

// CompareTransitions lists the entities whose transitions differ.
func CompareTransitions(want, got Transitions) []string { return compareTransitions(want, got) }

// CompareOutcomes lists what differs in the end, and every double run of the run itself.
func CompareOutcomes(want, got Outcome) []string { return compareOutcomes(want, got) }

// FormatLog writes lines as expected logs do.
func FormatLog(lines []Line) string {
	var out strings.Builder
	for _, line := range lines {
		out.WriteString(line.String())
		out.WriteByte('\n')
	}
	return out.String()
}

// Flaws are how a fake service fails, as its name encodes it.
type Flaws struct {
	// Starts and Moves are how many attempts fail at first.
	Starts, Moves int
	// NoStop is true if it cannot be stopped.
	NoStop bool
	// OnlyNode is the only node on which starts and moves fail, "" for all.
	OnlyNode string
}

// FlawsOf reads a service's name; services of other types have no flaws.
func FlawsOf(sid string) Flaws {
	if ha.SIDType(sid) != "fa" {
		return Flaws{}
	}
	f := flawsOf(sid)
	out := Flaws{Starts: f.failedStarts, Moves: f.failedMoves, NoStop: f.cannotStop}
	if f.onlyNode > 0 {
		out.OnlyNode = fmt.Sprintf("node%d", f.onlyNode)
	}
	return out
}
