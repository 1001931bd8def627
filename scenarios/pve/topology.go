package pve

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/corosync"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// Topology makes a scenario run on the nodes of a real corosync.conf: it gets as many machines, with the
// nodes' names and votes. What names the scenario's i-th machine (faults, placements of services,
// commands) then means the i-th node. A partition that put every machine of the scenario into a
// group has no group for further nodes; they join its largest one. Votes and timers are the file's.
func Topology(s *scenarios.Scenario, file string, data []byte) error {
	conf, _, err := corosync.Parse(file, data)
	if err != nil {
		return err
	}
	if s.Subject.Kind != Kind {
		return fmt.Errorf("%s describes a cluster of kind %s, but the subject of scenario %s is %s",
			file, Kind, s.Name, s.Subject.Kind)
	}
	names := make(scenarios.Machines, len(conf.Nodes))
	for i, n := range conf.Nodes {
		names[i] = n.Name
		if n.Name == "" {
			names[i] = fmt.Sprintf("node%d", n.ID)
		}
	}
	var spec Spec
	if err := s.Subject.Decode(&spec); err != nil {
		return err
	}
	rename := machineRenaming{file: file, newNames: map[string]string{fault.All: fault.All}}
	for i, old := range s.Machines {
		if i < len(names) {
			rename.newNames[old] = names[i]
		}
	}
	for i := range s.Faults {
		f := &s.Faults[i]
		complete := f.Kind == fault.Partition && len(slices.Concat(f.Groups...)) == len(s.Machines)
		if err := rename.renameInFault(f); err != nil {
			return err
		}
		if complete && len(names) > len(s.Machines) {
			addToLargestGroup(f.Groups, names[len(s.Machines):])
		}
	}
	if err := rename.renameInHA(spec.HA); err != nil {
		return err
	}
	if spec.CorosyncConf, err = filepath.Abs(file); err != nil {
		return fmt.Errorf("finding %s: %w", file, err)
	}
	spec.Votes, spec.ExpectedVotes, spec.Token, spec.TokenCoefficient, spec.Relay = nil, 0, 0, 0, ""
	s.Machines = names
	s.Subject.Node, s.Subject.Value = nil, spec
	if s.Nemesis != nil && !s.Nemesis.BeyondSurvival && !canLoseAMachine(conf) {
		s.Nemesis.BeyondSurvival = true
		s.Story = strings.TrimSpace(s.Story) + "\n\n" + noMachineToLose + "\n"
	}
	return nil
}

// noMachineToLose is added to the story of a scenario on a cluster that stops with any of its nodes.
const noMachineToLose = "On this cluster no node can be lost without the quorum, so the faults also take " +
	"the quorum away: nothing acknowledged may be lost by that, and the cluster must be whole again " +
	"afterwards."

// canLoseAMachine reports whether the others have quorum without some node that has a vote. If not, a nemesis
// that keeps a majority alive would only draw faults that matter little.
func canLoseAMachine(conf *corosync.Config) bool {
	all := conf.NodeVotes()
	if conf.Quorum.Device == nil {
		all = max(all, conf.ExpectedVotes())
	}
	return slices.ContainsFunc(conf.Nodes, func(n corosync.Node) bool {
		return n.Votes() > 0 && conf.NodeVotes()-n.Votes() >= all/2+1
	})
}

// addToLargestGroup adds machines to the largest group, to the first one of several.
func addToLargestGroup(groups [][]string, machines []string) {
	largest := 0
	for i := range groups {
		if len(groups[i]) > len(groups[largest]) {
			largest = i
		}
	}
	groups[largest] = slices.Concat(groups[largest], machines)
}

// machineRenaming replaces the names of machines by their nodes' names.
type machineRenaming struct {
	file     string
	newNames map[string]string
}

// rename returns the new name of a machine; of is what names it, for the error.
func (r *machineRenaming) rename(machine, of string) (string, error) {
	name, ok := r.newNames[machine]
	if !ok {
		return "", fmt.Errorf("%s has no node for machine %s of %s: it has fewer nodes than the scenario "+
			"needs; take a scenario of fewer machines, or another topology", r.file, machine, of)
	}
	return name, nil
}

// renameInFault renames the machines of a fault.
func (r *machineRenaming) renameInFault(f *fault.Fault) (err error) {
	for _, list := range append([][]string{f.From, f.To, f.Machines}, f.Groups...) {
		for i, old := range list {
			if list[i], err = r.rename(old, fmt.Sprintf("a %s fault", f.Kind)); err != nil {
				return err
			}
		}
	}
	return nil
}

// renameInHA renames where services are placed and end, where the operator runs commands, and the nodes that
// commands, rules and groups name.
func (r *machineRenaming) renameInHA(h *haspec.Spec) (err error) {
	if h == nil {
		return nil
	}
	for _, homes := range []map[string]string{h.Services, h.EndsOn} {
		for _, sid := range slices.Sorted(maps.Keys(homes)) {
			if homes[sid], err = r.rename(homes[sid], "service "+sid); err != nil {
				return err
			}
		}
	}
	for i := range h.Commands {
		c := &h.Commands[i]
		if c.On, err = r.rename(c.On, fmt.Sprintf("command %q", c.Run)); err != nil {
			return err
		}
		c.Run = r.renameInText(c.Run)
	}
	h.Rules, h.Groups = r.renameNodeLines(h.Rules), r.renameNodeLines(h.Groups)
	h.ManagerStatus = quotedName.ReplaceAllStringFunc(h.ManagerStatus, func(word string) string {
		if name, ok := r.newNames[strings.Trim(word, `"`)]; ok {
			return `"` + name + `"`
		}
		return word
	})
	return r.renameList(h)
}

// quotedName matches a word in JSON; names of machines need no escapes there.
var quotedName = regexp.MustCompile(`"[^"]*"`)

// renameList renames the machines that have settings of their own.
func (r *machineRenaming) renameList(h *haspec.Spec) (err error) {
	nodes := map[string]haspec.Node{}
	for _, old := range slices.Sorted(maps.Keys(h.Nodes)) {
		name, err := r.rename(old, "nodes")
		if err != nil {
			return err
		}
		nodes[name] = h.Nodes[old]
	}
	if len(nodes) > 0 {
		h.Nodes = nodes
	}
	lists := [][]string{h.Disabled}
	for _, sid := range slices.Sorted(maps.Keys(h.Flaws)) {
		lists = append(lists, h.Flaws[sid].On)
	}
	for _, list := range lists {
		for i, old := range list {
			if list[i], err = r.rename(old, "a list of machines"); err != nil {
				return err
			}
		}
	}
	return nil
}

// renameNodeLines renames the machines in the lines of a section file that list nodes.
func (r *machineRenaming) renameNodeLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if words := strings.Fields(line); len(words) > 1 && words[0] == "nodes" {
			lines[i] = r.renameInText(line)
		}
	}
	return strings.Join(lines, "\n")
}

// renameInText renames the machines in a line; spaces, commas and colons end a word.
func (r *machineRenaming) renameInText(line string) string {
	var b strings.Builder
	for line != "" {
		end := strings.IndexAny(line, " \t,:")
		if end < 0 {
			end = len(line)
		}
		word := line[:end]
		if name, ok := r.newNames[word]; ok {
			word = name
		}
		b.WriteString(word)
		if end < len(line) {
			b.WriteByte(line[end])
			end++
		}
		line = line[end:]
	}
	return b.String()
}
