package operator

import (
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/store/client"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// process is the operator at the console of a simulated machine. Each piece of work is a task.
type process struct {
	operator  *Operator
	machine   string
	putsFiles bool // this one puts the files into the store

	env   env.Env
	tasks *env.Tasks
	store *client.Client
}

// firstTimer is the first of the timers that belong to the tasks.
const firstTimer = 1

// Start implements env.Process. A command whose time has passed is not carried out: an earlier
// incarnation has done it, or the machine was off.
func (p *process) Start(e env.Env) error {
	p.env, p.tasks, p.store = e, env.NewTasks(e, firstTimer), client.New(e, timeout)
	if p.putsFiles {
		p.tasks.Go(func(t *env.Task) {
			if p.scriptFor(t).putFiles() {
				e.Emit(haspec.OperatorDid{What: haspec.FilesInPlace})
			}
		})
	}
	for i := range p.operator.commands {
		c := &p.operator.commands[i]
		if due := p.operator.warmup + c.At; c.On == p.machine && e.Mono() < due {
			p.tasks.Go(func(t *env.Task) {
				t.Sleep(due - e.Mono())
				if did, done := p.scriptFor(t).runCommand(c); done {
					e.Emit(did)
				}
			})
		}
	}
	return nil
}

// Step implements env.Process.
func (p *process) Step(ev env.Event) {
	if !p.tasks.Step(ev) {
		p.store.Step(ev)
	}
}

// scriptFor returns the script of a task.
func (p *process) scriptFor(t *env.Task) *script {
	return &script{console: simConsole{p, t}, operator: p.operator, machine: p.machine}
}

// simConsole is a task's console in the simulator.
type simConsole struct {
	process *process
	task    *env.Task
}

func (c simConsole) callStore(r store.Request) (*store.Response, error) {
	return c.process.store.Do(c.task, r)
}

func (c simConsole) askProcess(process string, request []byte) error {
	return c.process.env.Local(process, request)
}

func (c simConsole) upgrade(self haproc.Info, version string) error {
	return haproc.Upgrade(c.task, c.process.env, c.process.store, c.process.machine, self, version)
}

// sleep always returns true: the task of a process that ends is never resumed.
func (c simConsole) sleep(d time.Duration) bool {
	c.task.Sleep(d)
	return true
}

func (c simConsole) noteRetry(what string, err error) {
	c.process.env.Log().Info("the operator tries again", "what", what, "err", err.Error())
}
