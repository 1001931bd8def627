package pve

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// Limits of a copy of /etc/pve. A file of the real one has at most a mebibyte.
const (
	maxEtcFileBytes = 1 << 20
	maxEtcGuests    = 10_000
	maxEtcLines     = 200 // of the report
)

// What a cluster with services needs of a run, so that what happens to them can end.
const (
	etcWarmup     = 60 * time.Second
	etcQuiescence = 270 * time.Second
)

// EtcPVE makes a scenario run on an administrator's copy of /etc/pve: corosync.conf as Topology takes it,
// the resources of the HA manager with their guests where the copy has them, rules, groups, fence devices
// and datacenter.cfg. Services, commands and bounds of the scenario itself are left out. It returns one line
// for everything that it took and that it could not take. It reads the folder only.
func EtcPVE(s *scenarios.Scenario, dir string) ([]string, error) {
	c := &etcCopy{dir: dir}
	conf, err := c.read("corosync.conf")
	if err != nil {
		return nil, fmt.Errorf("%s is no copy of /etc/pve: %w", dir, err)
	}
	if conf == "" {
		return nil, fmt.Errorf("%s is no copy of /etc/pve: it has no corosync.conf", dir)
	}
	var spec Spec
	if err := s.Subject.Decode(&spec); err != nil {
		return nil, err
	}
	if spec.HA != nil {
		c.say("left out: services, commands, rules and bounds of the scenario %s", s.Name)
		spec.HA = nil
		s.Subject.Node, s.Subject.Value = nil, spec
	}
	if err := Topology(s, filepath.Join(dir, "corosync.conf"), []byte(conf)); err != nil {
		return nil, err
	}
	c.machines = s.Machines
	c.say("took corosync.conf: nodes %s", strings.Join(s.Machines, ", "))
	ha, err := c.readHA()
	if err != nil {
		return nil, err
	}
	if err := s.Subject.Decode(&spec); err != nil {
		return nil, err
	}
	if ha != nil {
		spec.HA = ha
		s.Subject.Node, s.Subject.Value = nil, spec
		s.Warmup, s.Quiescence = max(s.Warmup, etcWarmup), max(s.Quiescence, etcQuiescence)
	}
	c.reportUnneeded()
	s.Story = strings.TrimSpace(s.Story) + "\n\nFrom a copy of /etc/pve:\n" +
		strings.Join(c.lines, "\n") + "\n"
	return c.lines, nil
}

// etcCopy is a copy of /etc/pve and what was taken of it.
type etcCopy struct {
	dir      string
	machines []string
	lines    []string // the report
	omitted  int
}

// say adds a line to the report.
func (c *etcCopy) say(format string, args ...any) {
	if len(c.lines) < maxEtcLines {
		c.lines = append(c.lines, fmt.Sprintf(format, args...))
	} else {
		c.omitted++
	}
}

// read returns the text of a file; "" if there is none.
func (c *etcCopy) read(name string) (string, error) {
	path := filepath.Join(c.dir, filepath.FromSlash(name))
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("reading %s: %w", name, err)
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("reading %s: it is no regular file", name)
	case info.Size() > maxEtcFileBytes:
		return "", fmt.Errorf("reading %s: %d bytes, more than %d", name, info.Size(), maxEtcFileBytes)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", name, err)
	}
	text := string(data)
	if !utf8.ValidString(text) {
		c.say("could not take the bytes of %s that are not UTF-8; each is taken as %q", name, utf8.RuneError)
		text = strings.ToValidUTF8(text, string(utf8.RuneError))
	}
	return text, nil
}

// readHA reads what the HA manager needs; nil if the copy has no resources.
func (c *etcCopy) readHA() (*haspec.Spec, error) {
	text, err := c.read("ha/resources.cfg")
	if err != nil {
		return nil, err
	}
	wanted, problems, err := config.ParseResources(text)
	if err != nil {
		return nil, fmt.Errorf("ha/resources.cfg: %w", err)
	}
	for _, p := range problems {
		c.say("could not take of ha/resources.cfg: %v", p)
	}
	homes, guests, err := c.readGuests()
	if err != nil {
		return nil, err
	}
	spec := &haspec.Spec{Services: map[string]string{}, Guests: map[string]haspec.Guest{}}
	for _, sid := range slices.Sorted(maps.Keys(wanted)) {
		home, ok := homes[sid]
		switch {
		case !ok:
			c.say("could not take %s: no node has its configuration", sid)
			delete(wanted, sid)
			continue
		case !slices.Contains(c.machines, home):
			c.say("could not take %s: its configuration is on %s, which corosync.conf does not list", sid,
				home)
			delete(wanted, sid)
			continue
		}
		spec.Services[sid], spec.Guests[sid] = home, guests[sid]
	}
	if others := len(homes) - len(wanted); others > 0 {
		c.say("left out: %d guests that the HA manager does not manage", others)
	}
	if len(wanted) == 0 {
		c.say("no resources for the HA manager, so the nodes run without it")
		return nil, nil
	}
	c.say("took ha/resources.cfg: %s", placesText(spec.Services))
	spec.Resources = config.FormatResources(wanted)
	if err := spec.Check(c.machines, c.machines); err != nil {
		return nil, fmt.Errorf("ha/resources.cfg: %w", err)
	}
	return spec, c.readRules(spec)
}

// placesText lists services with their nodes.
func placesText(services map[string]string) string {
	var parts []string
	for _, sid := range slices.Sorted(maps.Keys(services)) {
		parts = append(parts, sid+" on "+services[sid])
	}
	const most = 20
	if more := len(parts) - most; more > 0 {
		parts = append(parts[:most], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(parts, ", ")
}

// readRules reads the files beside the list of resources, each only if the run could use it.
func (c *etcCopy) readRules(spec *haspec.Spec) error {
	for _, f := range []struct {
		name string
		to   *string
		keep func(text string) string
	}{
		{"ha/rules.cfg", &spec.Rules, c.dropUnreadableRules},
		{"ha/groups.cfg", &spec.Groups, c.dropUnreadableGroups},
		{"datacenter.cfg", &spec.Datacenter, c.reportDatacenter},
		{"ha/fence.cfg", &spec.Fence, nil},
	} {
		text, err := c.read(f.name)
		if err != nil {
			return err
		}
		if strings.TrimSpace(text) == "" {
			continue
		}
		if f.keep != nil {
			text = f.keep(text)
		}
		*f.to = text
		if err := spec.Check(c.machines, c.machines); err != nil {
			c.say("could not take %s: %v", f.name, err)
			*f.to = ""
			continue
		}
		c.say("took %s", f.name)
	}
	if text, err := c.read("ha/manager_status"); err == nil && text != "" {
		c.say("left out: ha/manager_status, because the run begins with a manager that knows nothing")
	}
	c.say("assumed: %d CPUs and %d GiB for each node; their sizes are not in /etc/pve",
		haspec.DefaultNodeCPUs, haspec.DefaultNodeMemoryMiB>>10)
	return nil
}

// dropUnreadableRules drops what cannot be read of ha/rules.cfg, as the HA manager does.
func (c *etcCopy) dropUnreadableRules(text string) string {
	rules, problems, err := config.ParseRules(text)
	if err != nil || len(problems) == 0 {
		return text
	}
	for _, p := range problems {
		c.say("could not take of ha/rules.cfg: %v", p)
	}
	return config.FormatRules(rules)
}

// reportDatacenter reports the settings of datacenter.cfg that the run has no use for, and keeps all.
func (c *etcCopy) reportDatacenter(text string) string {
	for _, p := range config.DatacenterProblems(text) {
		c.say("could not take of datacenter.cfg: %v", p)
	}
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, "migration:"); ok && strings.Contains(value, "network=") {
			c.say("could not take of datacenter.cfg: a network of its own for migrations")
		}
	}
	return text
}

// dropUnreadableGroups drops what cannot be read of ha/groups.cfg.
func (c *etcCopy) dropUnreadableGroups(text string) string {
	groups, problems, err := config.ParseGroups(text)
	if err != nil || len(problems) == 0 {
		return text
	}
	for _, p := range problems {
		c.say("could not take of ha/groups.cfg: %v", p)
	}
	return config.FormatGroups(groups)
}

// guestKinds are the folders of a node with configurations of guests, and what their services begin with.
var guestKinds = []struct{ folder, kind string }{{"qemu-server", "vm"}, {"lxc", "ct"}}

// guestFiles are the configurations of guests in a copy.
type guestFiles struct {
	byNumber map[string]string       // the file of each number
	homes    map[string]string       // the node of each service id
	guests   map[string]haspec.Guest // the size of each
}

// readGuests returns where each guest is configured, and its size.
func (c *etcCopy) readGuests() (homes map[string]string, guests map[string]haspec.Guest, err error) {
	g := guestFiles{map[string]string{}, map[string]string{}, map[string]haspec.Guest{}}
	nodes, err := c.namesIn("nodes")
	if err != nil {
		return nil, nil, err
	}
	for _, node := range nodes {
		for _, k := range guestKinds {
			if err := c.readGuestsIn(&g, node, "nodes/"+node+"/"+k.folder, k.kind); err != nil {
				return nil, nil, err
			}
		}
	}
	return g.homes, g.guests, nil
}

// readGuestsIn reads the guests of one kind on one node.
func (c *etcCopy) readGuestsIn(g *guestFiles, node, folder, kind string) error {
	files, err := c.namesIn(folder)
	if err != nil {
		return err
	}
	for _, file := range files {
		path := folder + "/" + file
		number, isConf := strings.CutSuffix(file, ".conf")
		if _, err := strconv.ParseUint(number, 10, 32); err != nil || !isConf {
			c.say("could not take %s: it is no configuration of a guest", path)
			continue
		}
		if other, again := g.byNumber[number]; again {
			return fmt.Errorf("guest %s has two configurations, %s and %s; in /etc/pve a number has one "+
				"owner: delete the wrong one", number, other, path)
		}
		if len(g.byNumber) >= maxEtcGuests {
			return fmt.Errorf("more than %d guests", maxEtcGuests)
		}
		text, err := c.read(path)
		if err != nil {
			return err
		}
		sid := kind + ":" + number
		g.byNumber[number], g.homes[sid], g.guests[sid] = path, node, c.parseGuest(sid, text)
	}
	return nil
}

// namesIn returns the names in a folder; none if it does not exist.
func (c *etcCopy) namesIn(name string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(c.dir, filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

// parseGuest reads the size of a guest and what it is locked by, up to its first snapshot.
func (c *etcCopy) parseGuest(sid, text string) haspec.Guest {
	var g haspec.Guest
	cores, sockets := 0, 1
	number := func(key, value string) int {
		n, err := strconv.Atoi(strings.TrimPrefix(value, "current="))
		if err != nil || n < 0 || n > 1<<24 {
			c.say("could not take %s of %s: %q", key, sid, value)
			return 0
		}
		return n
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "[") {
			break
		}
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		value = strings.TrimSpace(value)
		switch key {
		case "cores":
			cores = number(key, value)
		case "sockets":
			sockets = max(number(key, value), 1)
		case "memory":
			g.MemoryMiB = number(key, value)
		case "lock":
			if g.Lock = value; strings.ContainsAny(value, " \t") {
				c.say("could not take lock of %s: %q", sid, value)
				g.Lock = ""
			}
		}
	}
	g.Cores = cores * sockets
	if kind, _, _ := ha.SplitSID(sid); kind == "vm" && cores == 0 {
		g.Cores = sockets
	}
	return g
}

// reportUnneeded names what is beside the files that were taken.
func (c *etcCopy) reportUnneeded() {
	entries, err := c.namesIn(".")
	if err != nil {
		return
	}
	taken := []string{"nodes", "ha", "corosync.conf", "datacenter.cfg"}
	rest := slices.DeleteFunc(entries, func(name string) bool { return slices.Contains(taken, name) })
	slices.Sort(rest)
	if len(rest) > 0 {
		c.say("not needed: %s", strings.Join(rest, ", "))
	}
	if c.omitted > 0 {
		c.lines = append(c.lines, fmt.Sprintf("and %d more lines", c.omitted))
	}
}
