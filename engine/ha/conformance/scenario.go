package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"sort"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
)

// Limits of a scenario.
const (
	maxScenarioFileBytes = 4 << 20
	maxScenarioNodes     = 29 // rounds of 60 s and more would outlast the watchdog
	maxScenarioServices  = 2000
)

// Defaults of virtual machines and guests where a scenario is silent.
const (
	mebibyte           = 1 << 20
	gibibyte           = 1 << 30
	defaultNodeCPUs    = 24
	defaultNodeMem     = 128 * gibibyte
	defaultNodeVersion = "9.0.0~2"
	defaultGuestMaxCPU = 4
	defaultGuestMaxMem = 4096 * mebibyte
	defaultGuestCPU    = 2
	defaultGuestMem    = 2048 * mebibyte
)

// ErrScenario means that a scenario folder is not usable.
var ErrScenario = errors.New("scenario is not usable")

// Scenario is one folder.
type Scenario struct {
	Name       string
	Commands   [][]string
	Nodes      map[string]*machine
	Services   map[string]*ha.ServiceConfig
	GuestLocks map[string]string
	Manager    *ha.ManagerStatus
	Running    map[string]map[string]bool
	Rules      string
	Groups     string
	Datacenter ha.Datacenter
	Stats      map[string]*guestStats
	// Expected is the text of log.expect, "" when there is none.
	Expected string
}

// guestStats are the sizes and loads of one guest.
type guestStats struct {
	maxCPU, maxMem, cpu, mem float64
}

func defaultGuestStats() *guestStats {
	return &guestStats{
		maxCPU: defaultGuestMaxCPU, maxMem: defaultGuestMaxMem, cpu: defaultGuestCPU, mem: defaultGuestMem,
	}
}

// Load reads a scenario from the folder dir of fsys.
func Load(fsys fs.FS, dir, name string) (*Scenario, error) {
	folder, err := fs.Sub(fsys, dir)
	if err != nil {
		return nil, fmt.Errorf("open scenario %s: %w", name, err)
	}
	s := &Scenario{Name: name}
	for _, part := range []struct {
		file     string
		required bool
		parse    func([]byte) error
	}{
		{"cmdlist", true, s.parseCommands},
		{"hardware_status", false, withDefault(s.parseHardware, defaultHardware)},
		{"service_config", false, withDefault(s.parseServices, defaultServices)},
		{"manager_status", false, s.parseManager},
		{"datacenter.cfg", false, s.parseDatacenter},
		{"rules_config", false, func(data []byte) error { s.Rules = string(data); return nil }},
		{"groups", false, func(data []byte) error { s.Groups = string(data); return nil }},
		{"static_service_stats", false, s.parseStats},
		{"dynamic_service_stats", false, s.parseStats},
		{"log.expect", false, func(data []byte) error { s.Expected = string(data); return nil }},
	} {
		data, err := readBounded(folder, part.file)
		if errors.Is(err, fs.ErrNotExist) && !part.required {
			data = nil
		} else if err != nil {
			return nil, fmt.Errorf("read %s of scenario %s: %w", part.file, name, err)
		}
		if err := part.parse(data); err != nil {
			return nil, fmt.Errorf("read %s of scenario %s: %w", part.file, name, err)
		}
	}
	if err := s.loadRunning(folder); err != nil {
		return nil, fmt.Errorf("read guests of scenario %s: %w", name, err)
	}
	return s, nil
}

// What a folder without a file describes, as in Proxmox VE's virtual cluster.
const (
	defaultHardware = `{"node1": {"power": "off", "network": "off"},
		"node2": {"power": "off", "network": "off"}, "node3": {"power": "off", "network": "off"}}`
	defaultServices = `{"vm:101": {"node": "node1"}, "vm:102": {"node": "node2"}, "vm:103": {"node": "node3"},
		"vm:104": {"node": "node1"}, "vm:105": {"node": "node2"}, "vm:106": {"node": "node3"}}`
)

// withDefault parses other content where a file is missing.
func withDefault(parse func([]byte) error, content string) func([]byte) error {
	return func(data []byte) error {
		if data == nil {
			data = []byte(content)
		}
		return parse(data)
	}
}

func readBounded(fsys fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxScenarioFileBytes {
		return nil, fmt.Errorf("%d bytes, more than %d: %w", info.Size(), maxScenarioFileBytes, ErrScenario)
	}
	return fs.ReadFile(fsys, name)
}

func isBlank(data []byte) bool { return strings.TrimSpace(string(data)) == "" }

func (s *Scenario) parseCommands(data []byte) error {
	if err := json.Unmarshal(data, &s.Commands); err != nil {
		return fmt.Errorf("command list: %w", err)
	}
	return nil
}

func (s *Scenario) parseHardware(data []byte) error {
	var raw map[string]struct {
		Power   string   `json:"power"`
		Network string   `json:"network"`
		MaxCPU  *float64 `json:"maxcpu"`
		MaxMem  *float64 `json:"maxmem"`
		CPU     *float64 `json:"cpu"`
		Mem     *float64 `json:"mem"`
		Version string   `json:"pve-manager-version"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return fmt.Errorf("hardware: %w", err)
	}
	if len(raw) == 0 || len(raw) > maxScenarioNodes {
		return fmt.Errorf("%d nodes, from 1 to %d are possible: %w", len(raw), maxScenarioNodes, ErrScenario)
	}
	s.Nodes = map[string]*machine{}
	for name, r := range raw {
		node := &machine{
			name: name, hasPower: r.Power == "on", hasNetwork: r.Network == "on",
			maxCPU: defaultNodeCPUs, maxMem: defaultNodeMem, version: defaultNodeVersion,
		}
		for _, set := range []struct {
			from *float64
			to   *float64
		}{{r.MaxCPU, &node.maxCPU}, {r.MaxMem, &node.maxMem}, {r.CPU, &node.baseCPU},
			{r.Mem, &node.baseMem}} {
			if set.from != nil {
				*set.to = *set.from
			}
		}
		if r.Version != "" {
			node.version = r.Version
		}
		s.Nodes[name] = node
	}
	return nil
}

func (s *Scenario) parseServices(data []byte) (err error) {
	if s.Services, err = config.ParseServiceJSON(data); err != nil {
		return err
	}
	if len(s.Services) > maxScenarioServices {
		return fmt.Errorf("%d services, at most %d: %w", len(s.Services), maxScenarioServices, ErrScenario)
	}
	s.Stats = map[string]*guestStats{}
	s.GuestLocks = map[string]string{}
	for sid, cd := range s.Services {
		if s.Nodes[cd.Node] == nil {
			return fmt.Errorf("service %s is on unknown node %q: %w", sid, cd.Node, ErrScenario)
		}
		s.Stats[sid] = defaultGuestStats()
	}
	var locks map[string]struct {
		Lock string `json:"lock"`
	}
	if !isBlank(data) {
		if err := json.Unmarshal(data, &locks); err != nil {
			return fmt.Errorf("locks: %w", err)
		}
	}
	for sid, l := range locks {
		if l.Lock != "" {
			s.GuestLocks[sid] = l.Lock
		}
	}
	return nil
}

func (s *Scenario) parseManager(data []byte) (err error) {
	s.Manager, err = ha.DecodeManagerStatus(data)
	return err
}

// parseDatacenter reads the settings. Decisions are those of Proxmox VE's manager unless the folder
// requests others, because its log usually comes from there.
func (s *Scenario) parseDatacenter(data []byte) (err error) {
	if s.Datacenter, err = config.ParseDatacenterJSON(data); err != nil {
		return err
	}
	if !decisionsPattern.Match(data) {
		s.Datacenter.Decisions = ha.DecisionsUpstream
	}
	return nil
}

// decisionsPattern finds the setting in an object ("decisions": …) and in a list (decisions=…).
var decisionsPattern = regexp.MustCompile(`\bdecisions\b"?\s*[:=]`)

func (s *Scenario) parseStats(data []byte) error {
	if isBlank(data) {
		return nil
	}
	var raw map[string]struct {
		MaxCPU *float64 `json:"maxcpu"`
		MaxMem *float64 `json:"maxmem"`
		CPU    *float64 `json:"cpu"`
		Mem    *float64 `json:"mem"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return fmt.Errorf("statistics: %w", err)
	}
	for sid, r := range raw {
		stats := s.Stats[sid]
		if stats == nil {
			stats = defaultGuestStats()
			s.Stats[sid] = stats
		}
		for _, set := range []struct {
			from *float64
			to   *float64
		}{{r.MaxCPU, &stats.maxCPU}, {r.MaxMem, &stats.maxMem}, {r.CPU, &stats.cpu}, {r.Mem, &stats.mem}} {
			if set.from != nil {
				*set.to = *set.from
			}
		}
	}
	return nil
}

// loadRunning reads which guests run at the beginning: service_status_<node> as {sid: 0 or 1}.
func (s *Scenario) loadRunning(folder fs.FS) error {
	s.Running = map[string]map[string]bool{}
	for _, node := range sortedKeys(s.Nodes) {
		s.Running[node] = map[string]bool{}
		data, err := readBounded(folder, "service_status_"+node)
		if errors.Is(err, fs.ErrNotExist) || err == nil && isBlank(data) {
			continue
		}
		if err != nil {
			return err
		}
		var raw map[string]ha.Int
		if err := json.Unmarshal(data, &raw); err != nil {
			return fmt.Errorf("guests of node %s: %w", node, err)
		}
		for sid, on := range raw {
			if on != 0 {
				s.Running[node][sid] = true
			}
		}
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
