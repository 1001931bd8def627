package env_test

import (
	"fmt"
	"strconv"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/envtest"
)

// counter counts the operations of its clients, over restarts too, and greets the other machines.
type counter struct {
	env   env.Env
	count int
}

const timerGreet env.TimerID = 1

func (c *counter) Start(e env.Env) error {
	c.env = e
	if data, err := env.ReadFile(e.Disk(), "count", 20); err == nil {
		if c.count, err = strconv.Atoi(string(data)); err != nil {
			return fmt.Errorf("reading count: %w; delete the file to count from 0", err)
		}
	}
	e.SetTimer(timerGreet, time.Second)
	return nil
}

func (c *counter) Step(ev env.Event) {
	switch ev := ev.(type) {
	case env.Invoked:
		c.count++
		text := strconv.Itoa(c.count)
		if err := env.ReplaceFile(c.env.Disk(), "count", []byte(text)); err != nil {
			c.env.Exit(err) // an answer would promise what is not on the disk
			return
		}
		c.env.Complete(ev.Op, []byte(text))
	case env.TimerFired:
		c.env.Send(1-c.env.Self().Machine, 0, []byte("hello"))
	case env.Received:
		fmt.Printf("%v %s: %s from machine %d\n", c.env.Mono(), c.env.Self().Name, ev.Payload, ev.From)
	}
}

// A process recovers in Start and handles one event in each Step. Here two of them run in the small backend
// for unit tests; the same code runs in the simulator and on real machines.
func ExampleProcess() {
	w := envtest.New()
	w.OnComplete = func(p *envtest.Proc, op env.OpID, output []byte) {
		fmt.Printf("%v operation %d: %s\n", w.Now(), op, output)
	}
	first, _ := w.Start(0, "counter", &counter{})
	_, _ = w.Start(1, "counter", &counter{})
	w.Invoke(first, 1, nil)
	w.Invoke(first, 2, nil)
	w.RunFor(1500 * time.Millisecond)

	w.Kill(first)
	first, _ = w.Start(0, "counter", &counter{}) // recovers the count from the disk
	w.Invoke(first, 1, nil)
	w.RunFor(time.Millisecond)
	// Output:
	// 0s operation 1: 1
	// 0s operation 2: 2
	// 1.0005s n2: hello from machine 0
	// 1.0005s n1: hello from machine 1
	// 1.5s operation 1: 3
}

// patient waits in blocking style.
type patient struct {
	tasks *env.Tasks
	ready env.Signal
}

func (p *patient) Start(e env.Env) error {
	p.tasks = env.NewTasks(e, 1000)
	p.tasks.Go(func(t *env.Task) {
		fmt.Println("ready within a second:", t.Wait(&p.ready, time.Second))
		fmt.Println("ready within a minute:", t.Wait(&p.ready, time.Minute))
		t.Sleep(time.Hour)
		fmt.Println("done at", e.Mono())
	})
	return nil
}

func (p *patient) Step(ev env.Event) {
	if p.tasks.Step(ev) {
		return
	}
	if _, ok := ev.(env.Invoked); ok {
		p.ready.Raise()
	}
}

// Tasks are coroutines of one process: the code blocks, the event loop does not.
func ExampleTasks() {
	w := envtest.New()
	p, _ := w.Start(0, "patient", &patient{})
	w.RunFor(2 * time.Second)
	w.Invoke(p, 1, nil)
	w.RunFor(2 * time.Hour)
	// Output:
	// ready within a second: false
	// ready within a minute: true
	// done at 1h0m2s
}

// ReplaceFile never leaves a mixture of old and new content.
func ExampleReplaceFile() {
	d := envtest.NewDisk()
	_ = env.ReplaceFile(d, "conf/a", []byte("first"))
	d.Fail = func(op, name string) error {
		if op == "rename" {
			return env.ErrNoSpace
		}
		return nil
	}
	fmt.Println(env.ReplaceFile(d, "conf/a", []byte("second")))
	data, err := env.ReadFile(d, "conf/a", 100)
	fmt.Println(string(data), err)
	// Output:
	// replacing conf/a: no space left on device
	// first <nil>
}
