package harandom

import (
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/scenarios/draw"
)

// Stream is the stream from which folders are drawn.
const Stream = "ha-random"

// Bounds of what is drawn.
const (
	leastNodes, mostNodes = 3, 5
	mostServices          = 7
	mostGroups            = 10
	mostCommands          = 3
	firstID               = 101
	maxDelaySeconds       = 300
)

// profile is what a folder is mostly about.
type profile int

// Profiles. A seed decides by its remainder.
const (
	general profile = iota
	withGroups
	withDisarming
	withRules
	profiles
)

// Kind is how the commands of a folder follow each other.
type Kind int

// Kinds of folders.
const (
	// Calm folders have outcomes that do not depend on the length of a round: at most one node is away at
	// a time, and every command has the time to take effect. Services may fail to start, but not to move
	// or to stop.
	Calm Kind = iota
	// Wild folders have any command at any time, also those that only a virtual cluster can carry out.
	Wild
)

// Draw draws the folder of a seed. The same seed and kind always give the same folder. The first commands
// switch all nodes on, or in some wild folders all but one.
func Draw(seed uint64, kind Kind) *Folder {
	lists := draw.Derive(seed)
	d := &folderDraw{
		kind: kind, about: profile(seed % uint64(profiles)),
		below: func(label string, n int) int { return int(lists(Stream, label).Choose(uint64(n))) },
		out:   &Folder{Name: fmt.Sprintf("ha-random-%d", seed), Files: map[string]string{}},
	}
	for i := range leastNodes + d.below("nodes", mostNodes-leastNodes+1) {
		d.nodes = append(d.nodes, fmt.Sprintf("node%d", i+1))
	}
	d.drawHardware()
	d.drawServices()
	d.drawGroups()
	d.drawRules()
	d.drawSettings()
	d.out.setJSON("manager_status", map[string]any{})
	if kind == Calm {
		d.out.setJSON("cmdlist", calmDraw{d}.drawCommands())
	} else {
		d.out.setJSON("cmdlist", wildDraw{d}.drawCommands())
	}
	return d.out
}

// folderDraw draws one folder.
type folderDraw struct {
	kind  Kind
	about profile
	below func(label string, n int) int // 0 to n-1
	out   *Folder
	nodes []string
	// sids are the services, in the order in which they were drawn; groups are the names of groups.
	sids   []string
	groups []string
}

// oneIn reports whether something happens that happens once in n times.
func (d *folderDraw) oneIn(label string, n int) bool { return d.below(label, n) == n-1 }

func (d *folderDraw) pick(label string, from ...string) string {
	return from[d.below(label, len(from))]
}

func (d *folderDraw) node(label string) string { return d.pick(label, d.nodes...) }

func (d *folderDraw) sid(label string) string { return d.pick(label, d.sids...) }

// some draws between least and all of a list, in any order.
func (d *folderDraw) some(label string, least int, list []string) []string {
	rest, out := slices.Clone(list), []string{}
	for range least + d.below(label+"-count", max(1, len(list)-least+1)) {
		if len(rest) == 0 {
			break
		}
		at := d.below(label, len(rest))
		out = append(out, rest[at])
		rest = slices.Delete(rest, at, at+1)
	}
	return out
}

func (d *folderDraw) drawHardware() {
	hardware := map[string]map[string]string{}
	for _, node := range d.nodes {
		hardware[node] = map[string]string{"power": "off", "network": "off"}
		if d.about == withGroups && d.below("version", 4) > 0 {
			version := d.pick("version-text", "9.4.1", "9.0.0~16", "9.1.0-2", "9.0.0")
			hardware[node]["pve-manager-version"] = version
		}
	}
	d.out.setJSON("hardware_status", hardware)
}

func (d *folderDraw) drawServices() {
	services := map[string]map[string]any{}
	for i := range 1 + d.below("services", mostServices) {
		sid := d.newSID(i)
		d.sids = append(d.sids, sid)
		service := map[string]any{"node": d.node("home")}
		if d.below("state", 8) > 0 {
			service["state"] = d.pick("state-text", "started", "started", "started", "started", "stopped",
				"disabled", "enabled", "ignored")
		}
		for _, key := range []string{"max_restart", "max_relocate"} {
			if d.oneIn(key, 3) {
				service[key] = d.below(key+"-value", 4)
			}
		}
		if d.oneIn("failback", 3) {
			service["failback"] = d.below("failback-value", 2)
		}
		if d.oneIn("lock", 8) && d.kind == Wild {
			service["lock"] = d.pick("lock-name", "backup", "migrate", "snapshot", "create")
		}
		if d.about == withGroups && d.below("group", 4) > 0 {
			service["group"] = d.pick("group-name", "ga", "gb")
		}
		services[sid] = service
	}
	d.out.setJSON("service_config", services)
}

// newSID names the i-th service. The digits of a fake one encode how it fails.
func (d *folderDraw) newSID(i int) string {
	kind := d.pick("kind", "vm", "vm", "vm", "ct", "ct", "fa")
	if kind != "fa" {
		return fmt.Sprintf("%s:%d", kind, firstID+i)
	}
	starts, moves, stops := d.below("failed-starts", 3), d.below("failed-moves", 3), d.below("stops", 4)/3
	if d.kind == Calm {
		moves, stops = 0, 0 // a move that fails is tried again and again, as often as there are rounds
	}
	return fmt.Sprintf("fa:%d%d%d%d", 1+i, starts, moves, stops)
}

// drawNodeList draws nodes with priorities.
func (d *folderDraw) drawNodeList() string {
	nodes := d.some("rule-nodes", 1, d.nodes)
	for i := range nodes {
		if d.oneIn("priority", 3) {
			nodes[i] += fmt.Sprintf(":%d", d.below("priority-value", 4))
		}
	}
	return strings.Join(nodes, ",")
}

func (d *folderDraw) drawGroups() {
	if d.about != withGroups {
		return
	}
	var text strings.Builder
	for _, id := range []string{"ga", "gb"} {
		if d.oneIn("group-missing", 6) {
			continue
		}
		fmt.Fprintf(&text, "group: %s\n\tnodes %s\n", id, d.drawNodeList())
		for _, key := range []string{"nofailback", "restricted"} {
			if d.oneIn(key, 3) {
				fmt.Fprintf(&text, "\t%s 1\n", key)
			}
		}
		text.WriteByte('\n')
	}
	d.out.Files["groups"] = text.String()
}

func (d *folderDraw) drawRules() {
	most := map[profile]int{general: 3, withGroups: 2, withDisarming: 3, withRules: 5}[d.about]
	var text strings.Builder
	for i := range d.below("rules", most+1) {
		members := strings.Join(d.some("members", 1, d.sids), ",")
		if d.below("rule-kind", 2) == 0 {
			fmt.Fprintf(&text, "node-affinity: na%d\n\tresources %s\n\tnodes %s\n", i, members,
				d.drawNodeList())
			if d.below("strict", 2) == 1 {
				fmt.Fprintf(&text, "\tstrict 1\n")
			}
		} else {
			fmt.Fprintf(&text, "resource-affinity: ra%d\n\tresources %s\n\taffinity %s\n", i, members,
				d.pick("affinity", "positive", "negative"))
		}
		if d.oneIn("disable", 8) {
			fmt.Fprintf(&text, "\tdisable 1\n")
		}
		text.WriteByte('\n')
	}
	if text.Len() > 0 {
		d.out.Files["rules_config"] = text.String()
	}
}

func (d *folderDraw) drawSettings() {
	settings := map[string]map[string]any{}
	if d.below("policy", 2) == 1 {
		settings["ha"] = map[string]any{"shutdown_policy": d.pick("policy-name", "conditional", "freeze",
			"failover", "migrate")}
	}
	if d.oneIn("crs", 3) {
		settings["crs"] = map[string]any{"ha": "basic", "ha-rebalance-on-start": d.below("on-start", 2)}
	}
	if len(settings) > 0 {
		d.out.setJSON("datacenter.cfg", settings)
	}
}
