package fence_test

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/envtest"
	"github.com/holdfast-sim/holdfast/engine/fence"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
)

// caller is a process with a Fencer whose agents a test defines.
type caller struct {
	tasks  *env.Tasks
	fencer *fence.Fencer
	env    env.Env
	agents env.CommandRunner
	told   int // how often Changed was called
}

// callEnv adds agents to an Env.
type callEnv struct {
	env.Env
	calls env.CommandRunner
}

func (e callEnv) Commands() env.CommandRunner { return e.calls }

func (c *caller) Start(e env.Env) error {
	c.env, c.tasks = e, env.NewTasks(e, 1)
	c.fencer = fence.New(callEnv{e, c.agents}, c.tasks, fence.Options{Changed: func() { c.told++ }})
	return nil
}

func (c *caller) Step(ev env.Event) { c.tasks.Step(ev) }

func (c *caller) Commands() env.CommandRunner { return c.agents }

// story is one golden trace: what a Fencer does with agents that behave as the test writes.
type story struct {
	t      *testing.T
	world  *envtest.World
	caller *caller
	rules  []*rule
	calls  []scriptedCall // by id, from 1
	wanted string         // why it is no longer wanted; "" while it is
	ring   string         // this node's ring
	inRing bool           // whether the fenced node is in it
	trace  strings.Builder
}

// rule is the result of the calls of an agent for an operation.
type rule struct {
	agent, op string
	after     time.Duration
	code      int
	err       error
	times     int // how often it applies; 0 means always
	output    string
}

// metadataTime is how long scripted agents need to describe themselves.
const metadataTime = 100 * time.Millisecond

// kindOf returns the kind that an agent reports: power, unless a rule for its metadata has another output.
func (s *story) kindOf(agent string) string {
	for _, r := range s.rules {
		if r.agent == agent && r.op == "metadata" && r.code == 0 {
			return strings.TrimSpace(r.output)
		}
	}
	return "power"
}

type scriptedCall struct {
	due    time.Duration
	result env.CommandResult
	told   bool
}

func newStory(t *testing.T) *story {
	s := &story{t: t, world: envtest.New(), ring: "1.4"}
	s.caller = &caller{agents: s}
	s.world.OnRecord = func(_ *envtest.Proc, r env.Record) { s.say("record %s %+v", r.RecordKind(), r) }
	s.world.Logger = func(*envtest.Proc) *slog.Logger {
		return slog.New(slog.NewTextHandler(&s.trace, &slog.HandlerOptions{ReplaceAttr: func(_ []string,
			a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.String("at", s.world.Now().String())
			}
			return a
		}}))
	}
	_, err := s.world.Start(0, "crm", s.caller)
	require.NoError(t, err)
	return s
}

func (s *story) say(format string, args ...any) {
	fmt.Fprintf(&s.trace, "%v "+format+"\n", append([]any{s.world.Now()}, args...)...)
}

var errNoSuchProgram = errors.New("no such program")

// Start implements env.CommandRunner.
func (s *story) Start(c env.Command) (env.CommandID, error) {
	given := strings.Join(append(slices.Clone(c.Args), strings.Fields(string(c.Input))...), " ")
	s.say("call %s (limit %v)", given, c.Limit)
	_, op, _ := strings.Cut(given, "action=")
	if c.Args[len(c.Args)-1] == "metadata" {
		op = "metadata"
	}
	for _, r := range s.rules {
		if r.times < 0 || r.agent != c.Args[0] || r.op != op || op == "metadata" && r.output != "" {
			continue
		}
		if r.times--; r.times == 0 {
			r.times = -1
		} else if r.times < 0 {
			r.times = 0 // always
		}
		if errors.Is(r.err, errNoSuchProgram) {
			return 0, r.err
		}
		call := scriptedCall{due: s.world.Now() + r.after, result: env.CommandResult{Code: r.code,
			Err: r.err, Output: []byte(r.output)}}
		if r.after > c.Limit {
			call.due, call.result = s.world.Now()+c.Limit, env.CommandResult{Err: env.ErrCommandTimeout}
		}
		s.calls = append(s.calls, call)
		return env.CommandID(len(s.calls)), nil
	}
	require.Equal(s.t, "metadata", op, "no rule for %s", given)
	s.calls = append(s.calls, scriptedCall{due: s.world.Now() + metadataTime,
		result: env.CommandResult{Output: agentMetadata(c.Args[0], s.kindOf(c.Args[0]))}})
	return env.CommandID(len(s.calls)), nil
}

// Result implements env.CommandRunner.
func (s *story) Result(id env.CommandID) (env.CommandResult, bool) {
	if id == 0 {
		return env.CommandResult{}, false
	}
	c := &s.calls[id-1]
	if c.told || s.world.Now() < c.due {
		return env.CommandResult{}, false
	}
	c.told = true
	return c.result, true
}

func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		s := newStory(t)
		datadriven.RunTest(t, path, s.command)
	})
}

func (s *story) command(t *testing.T, d *datadriven.TestData) string {
	s.trace.Reset()
	switch d.Cmd {
	case "agents":
		s.setAgents(t, d.Input)
		return ""
	case "fence": // fence node=… version=… [verified=…], with the fence file as its input
		s.fence(t, d)
	case "ring": // ring id=… [in]
		d.ScanArgs(t, "id", &s.ring)
		s.inRing = d.HasArg("in")
	case "unwanted":
		s.wanted = strings.TrimSpace(d.Input)
	case "run": // run for=…
		var text string
		d.ScanArgs(t, "for", &text)
		length, err := time.ParseDuration(text)
		require.NoError(t, err)
		s.world.RunFor(length)
	case "proof": // proof node=…
		var node string
		d.ScanArgs(t, "node", &node)
		p, ok := s.caller.fencer.Proof(node)
		s.say("proof %v %+v, report %q, told %d times", ok, p, s.caller.fencer.Report(node), s.caller.told)
	default:
		d.Fatalf(t, "unknown command %q", d.Cmd)
	}
	return s.trace.String()
}

func (s *story) fence(t *testing.T, d *datadriven.TestData) {
	r := fence.Request{Wanted: func() (bool, string) { return s.wanted == "", s.wanted },
		Verified: fence.AgentFingerprints{},
		Absent:   func(*env.Task) (string, bool) { return s.ring, !s.inRing }}
	d.ScanArgs(t, "node", &r.Node)
	d.ScanArgs(t, "version", &r.Version)
	cfg, err := config.ParseFence(d.Input)
	require.NoError(t, err)
	var problems []error
	r.Devices, problems = fence.Plan(cfg, r.Node)
	for _, p := range problems {
		s.say("problem: %v", p)
	}
	for _, device := range r.Devices {
		for _, part := range device.Parts {
			kind := s.kindOf(part.Agent)
			d.MaybeScanArgs(t, "verified", &kind)
			if kind != "none" {
				r.Verified[part.Agent] = metadataOf(t, part.Agent, kind).Fingerprint()
			}
		}
	}
	s.caller.fencer.Request(r)
}

// setAgents reads lines such as `fence_apc off after=3s code=0 times=1`.
func (s *story) setAgents(t *testing.T, input string) {
	s.rules = nil
	for line := range strings.Lines(input) {
		words := strings.Fields(line)
		r := &rule{agent: words[0], op: words[1]}
		for _, w := range words[2:] {
			key, value, _ := strings.Cut(w, "=")
			var err error
			switch key {
			case "after":
				r.after, err = time.ParseDuration(value)
			case "code":
				_, err = fmt.Sscan(value, &r.code)
			case "times":
				_, err = fmt.Sscan(value, &r.times)
			case "output":
				r.output = value + "\n"
			case "missing":
				r.err = errNoSuchProgram
			default:
				require.Failf(t, "unknown word", "%s", w)
			}
			require.NoError(t, err)
		}
		s.rules = append(s.rules, r)
	}
}
