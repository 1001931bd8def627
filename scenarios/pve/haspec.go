package pve

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/store/client"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// HASpec makes the cluster highly available: its nodes run the HA manager, and an operator puts
// the files into the store when the cluster has begun.
type HASpec struct {
	// Services are the resources and the nodes where they live at first.
	Services map[string]string `yaml:"services,omitempty" json:"services,omitempty"`
	// Resources is ha/resources.cfg; unless given every service is to run, with the defaults.
	Resources string `yaml:"resources,omitempty" json:"resources,omitempty"`
	// Rules, Groups and Datacenter are ha/rules.cfg, ha/groups.cfg and datacenter.cfg.
	Rules      string `yaml:"rules,omitempty" json:"rules,omitempty"`
	Groups     string `yaml:"groups,omitempty" json:"groups,omitempty"`
	Datacenter string `yaml:"datacenter,omitempty" json:"datacenter,omitempty"`
	// Fence is ha/fence.cfg. In the simulator the devices in it are there, each agent works, and
	// the devices named in FenceBoards draw their power from the machine that they belong to.
	Fence       string          `yaml:"fence,omitempty" json:"fence,omitempty"`
	FenceBoards []string        `yaml:"fence_boards,omitempty,flow" json:"fence_boards,omitempty"`
	FenceFaults []HADeviceFault `yaml:"fence_faults,omitempty" json:"fence_faults,omitempty"`
	// Commands are what the operator does in the course of the run.
	Commands []HACommand `yaml:"commands,omitempty" json:"commands,omitempty"`
	// RecoverWithin bounds how long a service that is to run may stay down without a fault that
	// explains it; DefaultRecoverWithin unless given.
	RecoverWithin time.Duration `yaml:"recover_within,omitempty" json:"recover_within,omitempty"`
	// EndsOn says where services must run in the end.
	EndsOn map[string]string `yaml:"ends_on,omitempty,flow" json:"ends_on,omitempty"`
	// Operations are clients that make requests for services.
	Operations *HAOperations `yaml:"operations,omitempty" json:"operations,omitempty"`
	// UpAt says when, after the warm-up, services must be running somewhere, whatever excuses faults
	// may be for it.
	UpAt map[string]time.Duration `yaml:"up_at,omitempty,flow" json:"up_at,omitempty"`
	// GuestTimes are how long simulated guests take; small virtual machines unless given.
	GuestTimes HAGuestTimes `yaml:"guest_times,omitempty,flow" json:"guest_times"`
	// Migration says how fast guests migrate, and how long it may take.
	Migration HAMigration `yaml:"migration,omitempty,flow" json:"migration,omitzero"`
	// DownAtMost bounds how long services are down in the whole run, from their first start on.
	DownAtMost map[string]time.Duration `yaml:"down_at_most,omitempty,flow" json:"down_at_most,omitempty"`
	// Moves bounds how often services go on on another machine than before.
	Moves *HAMoves `yaml:"moves,omitempty,flow" json:"moves,omitempty"`
	// Random draws all of that, but for the bound, from the seed.
	Random *HARandom `yaml:"random,omitempty" json:"random,omitempty"`
	// Guests say what the services' guests are like, Nodes what the machines tell of themselves.
	Guests map[string]HAGuest `yaml:"guests,omitempty" json:"guests,omitempty"`
	Nodes  map[string]HANode  `yaml:"nodes,omitempty" json:"nodes,omitempty"`
	// Flaws are how guests fail, by service. Simulator only.
	Flaws map[string]HAFlaw `yaml:"flaws,omitempty" json:"flaws,omitempty"`
	// ManagerStatus is ha/manager_status as an earlier master has left it.
	ManagerStatus string `yaml:"manager_status,omitempty" json:"manager_status,omitempty"`
	// Prepared: the first boot of the machines, which a power cut ends, is for putting the files
	// into place. The HA manager runs from the second boot on. Simulator only.
	Prepared bool `yaml:"prepared,omitempty" json:"prepared,omitempty"`
	// Disabled are machines on which the HA manager's processes do not start at boot, but when an
	// operator starts them. Simulator only.
	Disabled []string `yaml:"disabled,omitempty,flow" json:"disabled,omitempty"`
}

// HACommand is something that the operator does on a node at a time after the warm-up.
type HACommand struct {
	At time.Duration `yaml:"at" json:"at"`
	On string        `yaml:"on" json:"on"`
	// Run is a line for the master (migrate vm:100 n2, enable-node-maintenance n1, ...),
	// `set SID KEY VALUE`, `remove SID`, `add SID`, `datacenter LINE` (the file's new content), or an order to the machine or about a guest:
	// shutdown, reboot, restart-lrm, stop-crm, start-crm, stop-lrm, start-lrm, create SID NODE STATE, lock SID NAME,
	// unlock SID, resize SID CORES MIB, start SID, move SID NODE, version V.
	Run string `yaml:"run" json:"run"`
}

// DefaultRecoverWithin is what the HA manager may need: the lock of a dead node's master and its
// own run out (120 s, looked at every 10), the node is away for 60 s, and rounds and starts take
// their time.
const DefaultRecoverWithin = 240 * time.Second

func (h *HASpec) check(machines []string) error {
	for _, sid := range slices.Sorted(maps.Keys(h.Services)) {
		if _, _, err := ha.SplitSID(sid); err != nil {
			return fmt.Errorf("services: %w", err)
		}
		if !slices.Contains(machines, h.Services[sid]) {
			return fmt.Errorf("services: %s lives on %q; the machines are %v", sid, h.Services[sid], machines)
		}
	}
	services, problems, err := config.ParseResources(h.resources())
	if err != nil {
		return fmt.Errorf("resources: %w", err)
	}
	for _, p := range problems {
		return fmt.Errorf("resources: %s", p)
	}
	for _, sid := range slices.Sorted(maps.Keys(services)) {
		if h.Services[sid] == "" {
			return fmt.Errorf("resources: %s has no home; give it one under services", sid)
		}
	}
	if _, problems, err = config.ParseRules(h.Rules); err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	for _, p := range problems {
		return fmt.Errorf("rules: %s", p)
	}
	if _, problems, err = config.ParseGroups(h.Groups); err != nil {
		return fmt.Errorf("groups: %w", err)
	}
	for _, p := range problems {
		return fmt.Errorf("groups: %s", p)
	}
	if _, err = config.ParseDatacenter(h.Datacenter); err != nil {
		return fmt.Errorf("datacenter: %w", err)
	}
	for _, sid := range slices.Sorted(maps.Keys(h.EndsOn)) {
		if h.Services[sid] == "" || !slices.Contains(machines, h.EndsOn[sid]) {
			return fmt.Errorf("ends_on: %s on %s: no such service or machine", sid, h.EndsOn[sid])
		}
	}
	for _, sid := range slices.Sorted(maps.Keys(h.UpAt)) {
		if !h.has(sid) {
			return fmt.Errorf("up_at: there is no service %s", sid)
		}
	}
	if err := h.checkSetup(machines); err != nil {
		return err
	}
	return h.checkCommands(machines)
}

func (h *HASpec) checkCommands(machines []string) error {
	for _, c := range h.Commands {
		if !slices.Contains(machines, c.On) {
			return fmt.Errorf("commands: %q is run on %q; the machines are %v", c.Run, c.On, machines)
		}
		words := strings.Fields(c.Run)
		switch {
		case len(words) == 0:
			return fmt.Errorf("commands: one at %v says nothing to run", c.At)
		case words[0] == datacenterEdit:
		case isOrder(words):
			if err := h.checkOrder(words, machines); err != nil {
				return err
			}
		case len(words) == 4 && words[0] == "set", len(words) == 2 && (words[0] == "remove" || words[0] == "add"):
			if !h.has(words[1]) {
				return fmt.Errorf("commands: %q: there is no service %s", c.Run, words[1])
			}
		default:
			if _, err := config.ParseCommand(c.Run); err != nil {
				return fmt.Errorf("commands: %w", err)
			}
		}
	}
	return nil
}

func (h *HASpec) resources() string {
	if h.Resources != "" {
		return h.Resources
	}
	services := map[string]*ha.ServiceConfig{}
	for sid := range h.Services {
		cd := config.DefaultService(ha.SIDType(sid))
		cd.State = ha.WantStarted
		services[sid] = cd
	}
	return config.FormatResources(services)
}

// operatorProcess is the name of the process that stands for the operator at a node's console.
const operatorProcess = "operator"

// operator does on its machine what the scenario wants of an operator there.
type operator struct {
	spec     *HASpec
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

// haFile is a file that the operator puts into the store, unless it is empty.
type haFile struct{ path, text string }

// files are what the operator puts into place, in this order, the services last.
func (h *HASpec) files() (files []haFile) {
	for _, sid := range slices.Sorted(maps.Keys(h.Services)) {
		files = append(files, haFile{haproc.GuestPath(sid, h.Services[sid]), h.Guests[sid].config()})
	}
	files = append(files, haFile{haproc.ManagerStatusPath, h.ManagerStatus})
	return append(files, haFile{haproc.DatacenterPath, h.Datacenter}, haFile{haproc.RulesPath, h.Rules},
		haFile{haproc.GroupsPath, h.Groups}, haFile{haproc.FencePath, h.Fence}, haFile{haproc.ResourcesPath, h.resources()})
}

// setUp puts the files into the store, each unless it is there, the services last.
func (o *operator) setUp(t *env.Task) {
	files := o.spec.files()
	if o.inPlace(t, files[len(files)-1].path) {
		return // an earlier life has done it
	}
	for _, f := range files {
		if f.text == "" {
			continue
		}
		for {
			err := o.create(t, f.path, f.text)
			if err == nil || errors.Is(err, client.ErrChanged) {
				break
			}
			t.Sleep(retryPause)
		}
	}
	o.env.Emit(OperatorDid{What: filesInPlace})
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
	o.env.Emit(OperatorDid{What: line})
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

// filesInPlace is what the operator does first.
const filesInPlace = "files in place"

// OperatorDid says that the operator has done something.
type OperatorDid struct {
	What string `json:"what"`
}

// RecordKind implements env.Record.
func (OperatorDid) RecordKind() string { return "operator" }

// operatorSpec is the operator's process on a machine.
func (s *Subject) operatorSpec(m env.MachineID) scenarios.ProcessSpec {
	return scenarios.ProcessSpec{Name: operatorProcess, Restart: retryPause, New: func() env.Process {
		return &operator{spec: s.spec.HA, machine: s.machines[m], machines: s.machines, first: m == 0, warmup: s.warmup}
	}}
}
