package workload

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
)

// ClientEnv is what a client needs of the backend that it runs in. Its calls block: on a coroutine in
// the simulator, on a goroutine on real nodes.
type ClientEnv interface {
	// Now is the time since the run began.
	Now() time.Duration
	// Sleep waits; ErrStopped when the run is over.
	Sleep(d time.Duration) error
	// Do sends a request to a process of a machine and waits for the answer at most timeout:
	// ErrRefused, ErrTimeout, ErrReset or ErrStopped.
	Do(machine int, process string, input []byte, timeout time.Duration) ([]byte, error)
	// Choices is the client's stream of draws for a purpose.
	Choices(label string) draw.Chooser
	// Append adds to the history, stamped with the present time.
	Append(e history.Event)
}

// Client makes calls one after the other.
type Client struct {
	Number   int // from 0
	Machines []string
	Spec     Spec
	Codec    Codec
	Env      ClientEnv

	generator     *generator
	homeMachine   int // the machine it talks to
	processNumber int // its number in the history; a new one after each unknown outcome
	callCount     int
	lockCalls     int // requests for the lock of the present call
}

// Calls is how many of the workload's operations fall to a client.
func (s *Spec) Calls(client int) int {
	n := s.Operations / s.Clients
	if client < s.Operations%s.Clients {
		n++
	}
	return n
}

// Run makes the client's calls until they are done or the run stops. An error is a violation: an
// answer that the codec cannot read.
func (c *Client) Run() error {
	c.generator = newGenerator(c.Number, c.Spec, c.Codec, c.Env)
	c.homeMachine, c.processNumber = c.Number%len(c.Machines), c.Number
	pause := c.Env.Choices("pause")
	roam := c.Env.Choices("roam")
	due := c.Env.Now()
	for c.callCount = 0; c.callCount < c.Spec.Calls(c.Number); c.callCount++ {
		// Calls have their times: a client that was kept waiting makes up for it.
		due += drawPause(c.Spec.Pause, pause)
		if c.Env.Sleep(due-c.Env.Now()) != nil {
			return nil
		}
		if roam.Choose(roamOneIn) == roamOneIn-1 {
			c.homeMachine = (c.homeMachine + 1) % len(c.Machines)
		}
		stopped, err := c.carryOut(c.generator.nextOp())
		if stopped || err != nil {
			return err
		}
	}
	return nil
}

// roamOneIn is how rarely a client goes to another machine without need.
const roamOneIn = 20

// pauseSteps is the resolution of pauses: from 0 to twice the mean.
const pauseSteps = 1 << 12

func drawPause(mean time.Duration, choices draw.Chooser) time.Duration {
	return 2 * mean * time.Duration(choices.Choose(pauseSteps)) / pauseSteps
}

// carryOut makes a drawn operation.
func (c *Client) carryOut(op Op) (stopped bool, err error) {
	if op.F == Acquire {
		return c.useLock(op.Key)
	}
	op.ID = fmt.Sprintf("%s%d", c.ownPrefix(), c.callCount)
	_, stopped, err = c.call(op)
	return stopped, err
}

// call makes one call, whatever becomes of it.
func (c *Client) call(op Op) (r Result, stopped bool, err error) {
	ex := exchange{machines: c.Machines, codec: c.Codec, env: c.Env, process: c.processNumber}
	result, _, doErr, err := ex.record(op, c.homeMachine, c.Spec.Timeout)
	if err != nil {
		return result, false, err
	}
	c.generator.learnFromAnswer(op, result)
	if result.Type == history.Info {
		c.processNumber += c.Spec.Clients
	}
	if result.Type == history.Info && !GaveUpWatch(op.F, result.Type, result.Error) || result.Elsewhere {
		c.homeMachine = (c.homeMachine + 1) % len(c.Machines)
	}
	return result, errors.Is(doErr, ErrStopped), nil
}

// exchange sends requests to machines and records calls and results in the history.
type exchange struct {
	machines []string
	codec    Codec
	env      ClientEnv
	process  int // in the history
}

// record makes one call. output is the answer, doErr is why there is none. err means that the codec cannot
// read the answer.
func (x *exchange) record(op Op, machine int, timeout time.Duration) (
	r Result, output []byte, doErr, err error) {
	process, input := x.codec.Encode(op)
	e := event(x.process, op)
	if !IsLockOperation(op.F) {
		e.Node = x.machines[machine]
	}
	x.env.Append(e)
	output, doErr = x.env.Do(machine, process, input, timeout)
	r, err = resultOf(x.codec, op, output, doErr)
	e.Type, e.Value, e.Rev, e.Mod, e.Error = r.Type, r.Value, r.Rev, r.Mod, r.Error
	x.env.Append(e)
	if err != nil {
		err = fmt.Errorf("reading the answer of %s to %s %s: %w", x.machines[machine], op.F, op.ID, err)
	}
	return r, output, doErr, err
}

// event begins an operation in the history. It names no machine: the holder of a lock is the client.
func event(process int, op Op) history.Event {
	return history.Event{Process: process, Type: history.Invoke, F: op.F, Key: op.Key, Mod: op.Expect,
		ID: op.ID, Value: opValue(op)}
}

// resultOf is the result of a call that was answered with output, or not at all.
func resultOf(codec Codec, op Op, output []byte, doErr error) (Result, error) {
	switch {
	case doErr == nil:
		r, err := codec.Decode(op, output)
		if err != nil {
			return Result{Type: history.Info, Error: "unreadable"}, err
		}
		return r, nil
	case errors.Is(doErr, ErrRefused):
		return Result{Type: history.Fail, Error: Refused, Elsewhere: true}, nil
	case errors.Is(doErr, ErrTimeout):
		return Result{Type: history.Info, Error: "timeout"}, nil
	case errors.Is(doErr, ErrStopped):
		return Result{Type: history.Info, Error: Stopped}, nil
	default:
		return Result{Type: history.Info, Error: "reset"}, nil
	}
}

// Errors of calls in the history that got no answer.
const (
	// Stopped is that of a call that the end of the run cut off.
	Stopped = "stopped"
	// Refused is that of a call that no process took.
	Refused = "refused"
)

// opValue is the argument as the history shows it: the lease of a lock, the new name of a rename, the
// revision of a watch, or the value.
func opValue(op Op) json.RawMessage {
	switch {
	case op.F == Watch:
		return WatchValue{Since: op.Since}.encode()
	case op.TTL != 0:
		return json.RawMessage(fmt.Sprintf(`{"ttl_ns":%d}`, op.TTL.Nanoseconds()))
	case op.To != "":
		return JSON(op.To)
	case op.Value != "":
		return JSON(op.Value)
	}
	return nil
}

// JSON encodes a string for a history.
func JSON(s string) json.RawMessage {
	b, err := json.Marshal(s)
	if err != nil {
		panic("workload: a string does not encode: " + err.Error())
	}
	return b
}
