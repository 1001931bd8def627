package pve

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/store/client"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// operator does on its machine what the scenario wants of an operator there.
type operator struct {
	spec     *haspec.Spec
	machine  string
	machines []string
	first    bool // this one puts the files into place
	warmup   time.Duration

	env   env.Env
	tasks *env.Tasks
	store *client.Client
}

const operatorTimeout = 10 * time.Second

// Start implements env.Process.
func (o *operator) Start(e env.Env) error {
	o.env, o.tasks, o.store = e, env.NewTasks(e, 1), client.New(e, operatorTimeout)
	if o.first {
		o.tasks.Go(o.setUp)
	}
	for i := range o.spec.Commands {
		c := &o.spec.Commands[i]
		if due := o.warmup + c.At; c.On == o.machine && e.Mono() < due {
			o.tasks.Go(func(t *env.Task) {
				t.Sleep(due - e.Mono())
				o.command(t, c.Run)
			})
		}
	}
	return nil
}

// Step implements env.Process.
func (o *operator) Step(ev env.Event) {
	if !o.tasks.Step(ev) {
		o.store.Step(ev)
	}
}

// retryPause separates the operator's attempts.
const retryPause = time.Second

// setUp puts the files into the store, each unless it is there, the services last.
func (o *operator) setUp(t *env.Task) {
	files := o.spec.Files()
	if o.inPlace(t, files[len(files)-1].Path) {
		return // an earlier life has done it
	}
	for _, f := range files {
		if f.Text == "" {
			continue
		}
		for {
			err := o.create(t, f.Path, f.Text)
			if err == nil || errors.Is(err, client.ErrChanged) {
				break
			}
			t.Sleep(retryPause)
		}
	}
	o.env.Emit(haspec.OperatorDid{What: haspec.FilesInPlace})
}

// inPlace finds out whether a file is there, as soon as the cluster can tell.
func (o *operator) inPlace(t *env.Task, path string) bool {
	for {
		status, err := o.store.Status(t)
		if err == nil && status.Quorate {
			_, err = o.store.Do(t, store.Request{Op: store.OpRead, Path: path})
			switch {
			case err == nil:
				return true
			case errors.Is(err, client.ErrNotFound):
				return false
			}
		}
		t.Sleep(retryPause)
	}
}

func (o *operator) create(t *env.Task, path, text string) error {
	if err := o.store.Mkdir(t, env.Dir(path)); err != nil {
		return err
	}
	_, err := o.store.CAS(t, path, []byte(text), 0)
	return err
}

// command does one thing; it is tried until the store takes it.
func (o *operator) command(t *env.Task, line string) {
	words := strings.Fields(line)
	path, change := editOf(line)
	do := func() error { return o.edit(t, path, change) }
	if isOrder(words) {
		do = func() error { return o.order(t, words) }
	}
	for {
		err := do()
		if err == nil {
			break
		}
		o.env.Log().Info("the command is tried again", "command", line, "err", err.Error())
		t.Sleep(retryPause)
	}
	o.env.Emit(haspec.OperatorDid{What: line})
}

func (o *operator) edit(t *env.Task, path string, change func(string) (string, error)) error {
	old, revision, err := o.store.Read(t, path)
	if err != nil && !errors.Is(err, client.ErrNotFound) {
		return err
	}
	if revision == 0 {
		if err := o.store.Mkdir(t, env.Dir(path)); err != nil {
			return err
		}
	}
	text, err := change(string(old))
	if err != nil {
		return err
	}
	_, err = o.store.CAS(t, path, []byte(text), revision)
	return err
}

// changesServices says whether a command is one on the list of services and none for the master.
func changesServices(words []string) bool {
	return words[0] == "set" || words[0] == "remove" || words[0] == "add"
}

// changeService carries out such a command. A service that is added anew is to run, with the
// defaults.
func changeService(old string, words []string) (string, error) {
	services, _, err := config.ParseResources(old)
	if err != nil {
		return "", err
	}
	if words[0] == "remove" {
		delete(services, words[1])
	} else if words[0] == "add" {
		if services[words[1]] == nil {
			cd := config.DefaultService(ha.SIDType(words[1]))
			cd.State = ha.WantStarted
			services[words[1]] = cd
		}
	} else if cd := services[words[1]]; cd == nil {
		return "", fmt.Errorf("there is no service %s", words[1])
	} else if err := config.SetServiceProperty(cd, words[2], words[3]); err != nil {
		return "", err
	}
	return config.FormatResources(services), nil
}

// operatorSpec is the operator's process on a machine.
func (s *Subject) operatorSpec(m env.MachineID) scenarios.ProcessSpec {
	return scenarios.ProcessSpec{Name: haspec.OperatorProcess, Restart: retryPause, New: func() env.Process {
		return &operator{spec: s.spec.HA, machine: s.machines[m], machines: s.machines, first: m == 0, warmup: s.warmup}
	}}
}
