package haspec

import (
	"maps"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
)

// Spec makes the cluster highly available: its nodes run the HA manager, and an operator puts the
// files into the store as soon as the cluster is quorate.
type Spec struct {
	// Services maps the resources to the nodes where their guests are configured at first.
	Services map[string]string `yaml:"services,omitempty" json:"services,omitempty"`
	// Resources is ha/resources.cfg; the default starts every service, with default settings.
	Resources string `yaml:"resources,omitempty" json:"resources,omitempty"`
	// Rules, Groups and Datacenter are ha/rules.cfg, ha/groups.cfg and datacenter.cfg.
	Rules      string `yaml:"rules,omitempty" json:"rules,omitempty"`
	Groups     string `yaml:"groups,omitempty" json:"groups,omitempty"`
	Datacenter string `yaml:"datacenter,omitempty" json:"datacenter,omitempty"`
	// Fence is ha/fence.cfg. The simulator has the devices in it, each agent works, and the devices
	// named in FenceBoards draw their power from the machine that they belong to.
	Fence       string        `yaml:"fence,omitempty" json:"fence,omitempty"`
	FenceBoards []string      `yaml:"fence_boards,omitempty,flow" json:"fence_boards,omitempty"`
	FenceFaults []DeviceFault `yaml:"fence_faults,omitempty" json:"fence_faults,omitempty"`
	// Commands are what the operator does in the course of the run.
	Commands []Command `yaml:"commands,omitempty" json:"commands,omitempty"`
	// RecoverWithin bounds how long a service that must run may stay down without a fault that
	// explains it; the default is DefaultRecoverWithin.
	RecoverWithin time.Duration `yaml:"recover_within,omitempty" json:"recover_within,omitempty"`
	// EndsOn maps services to the machines on which they must run at the end.
	EndsOn map[string]string `yaml:"ends_on,omitempty,flow" json:"ends_on,omitempty"`
	// Operations are clients that make requests for services.
	Operations *Operations `yaml:"operations,omitempty" json:"operations,omitempty"`
	// UpAt holds when, after the warm-up, services must be running somewhere, whatever faults there
	// are by then.
	UpAt map[string]time.Duration `yaml:"up_at,omitempty,flow" json:"up_at,omitempty"`
	// GuestTimes are how long simulated guests take; the default is small virtual machines.
	GuestTimes GuestTimes `yaml:"guest_times,omitempty,flow" json:"guest_times"`
	// Migration is how fast guests migrate, and how long it may take.
	Migration Migration `yaml:"migration,omitempty,flow" json:"migration,omitzero"`
	// DownAtMost bounds how long services are down in the whole run, from their first start on.
	DownAtMost map[string]time.Duration `yaml:"down_at_most,omitempty,flow" json:"down_at_most,omitempty"`
	// Moves bounds how often services continue on another machine than before.
	Moves *Moves `yaml:"moves,omitempty,flow" json:"moves,omitempty"`
	// Random draws all of that, except for the bounds, from the seed.
	Random *Random `yaml:"random,omitempty" json:"random,omitempty"`
	// Guests describe the services' guests, Nodes what the machines report about themselves.
	Guests map[string]Guest `yaml:"guests,omitempty" json:"guests,omitempty"`
	Nodes  map[string]Node  `yaml:"nodes,omitempty" json:"nodes,omitempty"`
	// Flaws are how guests fail, by service. Simulator only.
	Flaws map[string]Flaw `yaml:"flaws,omitempty" json:"flaws,omitempty"`
	// ManagerStatus is ha/manager_status as an earlier master has left it.
	ManagerStatus string `yaml:"manager_status,omitempty" json:"manager_status,omitempty"`
	// Prepared reserves the first boot of the machines, which a power cut ends, for putting the files
	// into place. The HA manager runs from the second boot on. Simulator only.
	Prepared bool `yaml:"prepared,omitempty" json:"prepared,omitempty"`
	// Disabled are machines on which the HA manager's processes do not start at boot, but when an
	// operator starts them. Simulator only.
	Disabled []string `yaml:"disabled,omitempty,flow" json:"disabled,omitempty"`
	// IdleFactor multiplies the number of rounds without work after which the HA manager's processes go
	// idle; the default is 1. Simulator only.
	IdleFactor int `yaml:"idle_factor,omitempty" json:"idle_factor,omitempty"`
}

// DefaultRecoverWithin is the time that the HA manager may need to recover a service: the lock of a
// dead node's master and the node's own lock expire one after the other (120 s each, overlapping; the
// manager looks every 10 s), the node must be gone for 60 s, and rounds and starts take their time.
const DefaultRecoverWithin = 240 * time.Second

// Moves bounds how often services move from one machine to another in the whole run.
type Moves struct {
	AtLeast int `yaml:"at_least,omitempty" json:"at_least,omitempty"`
	AtMost  int `yaml:"at_most" json:"at_most"`
}

// Random leaves to the seed what the cluster is and what its operator does. Zero draws are the
// tamest: the fewest machines, one service, no rules, no commands.
type Random struct {
	// MachinesMin is the least number of the scenario's machines that exist; the default is all.
	MachinesMin int `yaml:"machines_min,omitempty" json:"machines_min,omitempty"`
	// ServicesMax is the largest number of services.
	ServicesMax int `yaml:"services_max" json:"services_max"`
	// RulesMax is the largest number of rules.
	RulesMax int `yaml:"rules_max,omitempty" json:"rules_max,omitempty"`
	// CommandEvery is the mean time between two commands of the operator; the default is no commands.
	// When the faults end, nodes leave maintenance and a disarmed manager is armed again.
	CommandEvery time.Duration `yaml:"command_every,omitempty" json:"command_every,omitempty"`
}

// ResourcesText is ha/resources.cfg as the operator writes it: the scenario's own, or every service
// started with default settings.
func (s *Spec) ResourcesText() string {
	if s.Resources != "" {
		return s.Resources
	}
	services := map[string]*ha.ServiceConfig{}
	for sid := range s.Services {
		cd := config.DefaultService(ha.SIDType(sid))
		cd.State = ha.WantStarted
		services[sid] = cd
	}
	return config.FormatResources(services)
}

// WithoutStory returns the section without the bounds that hold only for the faults of one scenario.
func (s *Spec) WithoutStory() *Spec {
	general := *s
	general.EndsOn, general.UpAt, general.DownAtMost, general.Moves = nil, nil, nil, nil
	if s.RecoverWithin > 0 {
		general.RecoverWithin = max(s.RecoverWithin, DefaultRecoverWithin)
	}
	return &general
}

// File is a file that the operator puts into the store, unless Text is empty.
type File struct{ Path, Text string }

// Files returns what the operator puts into the store, in this order: the guests first, and the list
// of services last, so that the manager finds everything else in place when it sees a service.
func (s *Spec) Files() []File {
	var files []File
	for _, sid := range slices.Sorted(maps.Keys(s.Services)) {
		files = append(files, File{haproc.GuestPath(sid, s.Services[sid]), s.Guests[sid].Config()})
	}
	return append(files, File{haproc.ManagerStatusPath, s.ManagerStatus},
		File{haproc.DatacenterPath, s.Datacenter}, File{haproc.RulesPath, s.Rules},
		File{haproc.GroupsPath, s.Groups}, File{haproc.FenceAgentsPath, s.fenceAgentsText()},
		File{haproc.FencePath, s.Fence},
		File{haproc.ResourcesPath, s.ResourcesText()})
}

// HasService reports whether a service exists at some time of the run: from the start, or because a
// command creates it.
func (s *Spec) HasService(sid string) bool {
	return s.Services[sid] != "" || slices.ContainsFunc(s.Commands, func(c Command) bool {
		p, err := ParseCommand(c.Run)
		return err == nil && p.Verb == VerbCreate && p.SID == sid
	})
}

// EndsEmpty reports whether there were services and the operator has removed every one by the end.
func (s *Spec) EndsEmpty() bool {
	if len(s.Services) == 0 {
		return false
	}
	left := maps.Clone(s.Services)
	for _, c := range s.Commands {
		switch p := c.Parsed(); p.Verb {
		case VerbRemove:
			delete(left, p.SID)
		case VerbAdd, VerbCreate:
			left[p.SID] = c.On
		}
	}
	return len(left) == 0
}
