package config

import (
	"fmt"
)

// Group is one section of ha/groups.cfg, the predecessor of node-affinity rules.
type Group struct {
	ID    string
	Nodes map[string]int
	// Restricted confines the services of the group to its nodes.
	Restricted bool
	// NoFailback keeps services from returning to a better node.
	NoFailback bool
	Comment    string
	Order      int
}

// ParseGroups reads ha/groups.cfg. Of groups with the same name the last is in force.
func ParseGroups(text string) (map[string]*Group, []Problem, error) {
	sections, problems, err := ParseSections(text)
	if err != nil {
		return nil, nil, fmt.Errorf("read groups: %w", err)
	}
	groups := map[string]*Group{}
	for i, section := range sections {
		if problem := section.checkHeader("group"); problem != "" {
			problems = append(problems, Problem{section.Line, "group " + section.ID + ": " + problem})
			continue
		}
		if groups[section.ID] != nil {
			problems = append(problems, Problem{section.Line, "duplicate group " + section.ID + replaces})
			delete(groups, section.ID)
		}
		group := &Group{ID: section.ID, Order: i + 1}
		for _, kv := range section.Keys {
			if err := group.setProperty(kv.Key, kv.Value); err != nil {
				problems = append(problems,
					Problem{kv.Line, fmt.Sprintf("group %s, property %s: %v", group.ID, kv.Key, err)})
			}
		}
		if len(group.Nodes) == 0 {
			problems = append(problems, Problem{section.Line, "group " + group.ID + " has no nodes"})
			continue
		}
		groups[group.ID] = group
	}
	return groups, problems, nil
}

func (g *Group) setProperty(key, value string) (err error) {
	switch key {
	case "nodes":
		g.Nodes, err = ParseNodeList(value)
	case "restricted", "nofailback":
		var flag Flag
		if flag, err = parseFlag(value); err != nil {
			return err
		}
		if key == "restricted" {
			g.Restricted = flag.On()
		} else {
			g.NoFailback = flag.On()
		}
	case "comment":
		g.Comment = value
	case "type":
		// Old versions wrote it; it has no meaning.
	default:
		return fmt.Errorf("unknown property")
	}
	return err
}

// FormatGroups writes ha/groups.cfg in the order of the groups.
func FormatGroups(groups map[string]*Group) string {
	ids := sortedKeys(groups)
	sortByOrder(ids, func(id string) int { return groups[id].Order })
	var sections []Section
	for _, id := range ids {
		group := groups[id]
		section := Section{Kind: "group", ID: id}
		if group.Comment != "" {
			section.Keys = append(section.Keys, KeyValue{Key: "comment", Value: group.Comment})
		}
		section.Keys = append(section.Keys, KeyValue{Key: "nodes", Value: FormatNodeList(group.Nodes)})
		section.Keys = append(section.Keys, KeyValue{
			Key: "nofailback", Value: formatFlag(FlagOf(group.NoFailback)),
		})
		section.Keys = append(section.Keys, KeyValue{
			Key: "restricted", Value: formatFlag(FlagOf(group.Restricted)),
		})
		sections = append(sections, section)
	}
	return FormatSections(sections)
}
