package env_test

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/envtest"
)

// counter counts the operations of its clients, and remembers the count across restarts.
type counter struct {
	env   env.Env
	count int
}

const counterFile = "counter/count"

// Start reads what an earlier incarnation has left on the disk.
func (c *counter) Start(e env.Env) error {
	c.env = e
	data, err := env.ReadFile(e.Disk(), counterFile, 32)
	if errors.Is(err, env.ErrNotExist) {
		return nil
	}
	if err == nil {
		c.count, err = strconv.Atoi(string(data))
	}
	return err
}

// Step answers an operation when the new count is durable.
func (c *counter) Step(ev env.Event) {
	call, ok := ev.(env.Invoked)
	if !ok {
		return
	}
	c.count++
	text := []byte(strconv.Itoa(c.count))
	if err := env.ReplaceFile(c.env.Disk(), counterFile, text); err != nil {
		c.env.Exit(err) // the service manager starts it again
		return
	}
	c.env.Complete(call.Op, text)
}

// A process is a type with two methods. It runs here in the world for unit tests; the same code runs
// in the simulator and, through engine/host, on a real machine.
func ExampleProcess() {
	w := envtest.New()
	w.OnComplete = func(_ *envtest.Proc, op env.OpID, output []byte) {
		fmt.Printf("operation %d: %s\n", op, output)
	}
	run := func(op env.OpID) {
		p, err := w.Start(0, "counter", &counter{})
		if err != nil {
			panic(err)
		}
		w.Invoke(p, op, nil)
		w.RunFor(time.Second)
		w.Kill(p)
	}
	run(1)
	run(2)
	// Output:
	// operation 1: 1
	// operation 2: 2
}

// sleeper greets twice, with a pause in between.
type sleeper struct{ tasks *env.Tasks }

func (s *sleeper) Start(e env.Env) error {
	s.tasks = env.NewTasks(e, 1000) // timers 1000 and above belong to the tasks
	s.tasks.Go(func(t *env.Task) {
		fmt.Println("hello at", e.Mono())
		t.Sleep(2 * time.Second)
		fmt.Println("hello again at", e.Mono())
	})
	return nil
}

func (s *sleeper) Step(ev env.Event) { s.tasks.Step(ev) }

// Tasks let a process be written in blocking style where that reads better.
func ExampleTasks() {
	w := envtest.New()
	if _, err := w.Start(0, "sleeper", &sleeper{}); err != nil {
		panic(err)
	}
	w.RunFor(time.Minute)
	// Output:
	// hello at 0s
	// hello again at 2s
}
