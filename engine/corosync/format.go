package corosync

import (
	"slices"
	"strings"
)

// String returns the configuration in canonical form. Parsing it returns the same configuration.
func (c *Config) String() string { return string(c.Format()) }

// Format returns the configuration in canonical form, as Proxmox VE writes it: entries sorted by name,
// two spaces a level, an empty line between the sections of the top level. Nodes and interfaces keep
// their order.
func (c *Config) Format() []byte {
	top := slices.Clone(c.Extra)
	top = appendSection(top, "totem", c.totemEntries(), c.Totem.sectionLine > 0)
	top = appendSection(top, "nodelist", c.nodeEntries(), c.nodelistLines.sectionLine > 0)
	top = appendSection(top, "quorum", c.quorumEntries(), c.Quorum.sectionLine > 0)
	top = appendSection(top, "logging", entriesOf(&c.Logging, loggingKeys, c.Logging.Extra),
		c.Logging.sectionLine > 0)
	sortEntries(top)
	var b strings.Builder
	for i, e := range top {
		if i > 0 && (e.Section || top[i-1].Section) {
			b.WriteByte('\n')
		}
		writeEntry(&b, e, 0)
	}
	return []byte(b.String())
}

func (c *Config) totemEntries() []Entry {
	entries := entriesOf(&c.Totem, totemKeys, c.Totem.Extra)
	for i := range c.Totem.Interfaces {
		in := &c.Totem.Interfaces[i]
		entries = appendSection(entries, "interface", entriesOf(in, interfaceKeys, in.Extra), true)
	}
	return entries
}

func (c *Config) nodeEntries() []Entry {
	entries := slices.Clone(c.nodelistExtra)
	for i := range c.Nodes {
		n := &c.Nodes[i]
		entries = appendSection(entries, "node", entriesOf(n, nodeKeys, n.Extra), true)
	}
	return entries
}

func (c *Config) quorumEntries() []Entry {
	entries := entriesOf(&c.Quorum, quorumKeys, c.Quorum.Extra)
	if d := c.Quorum.Device; d != nil {
		device := entriesOf(d, deviceKeys, d.Extra)
		if d.Net != nil {
			device = appendSection(device, "net", entriesOf(d.Net, deviceNetKeys, d.Net.Extra), true)
		}
		entries = appendSection(entries, "device", device, true)
	}
	return entries
}

// entriesOf returns the keys of s that are present, and its extra entries.
func entriesOf[S any](s *S, keys []key[S], extra []Entry) []Entry {
	entries := slices.Clone(extra)
	for _, k := range keys {
		if k.formatFrom == nil {
			continue
		}
		if value, ok := k.formatFrom(s); ok {
			entries = append(entries, Entry{Name: k.name, Value: value})
		}
	}
	return entries
}

// appendSection appends a section unless it is empty and was not in the file.
func appendSection(to []Entry, name string, entries []Entry, present bool) []Entry {
	if len(entries) == 0 && !present {
		return to
	}
	return append(to, Entry{Name: name, Section: true, Entries: entries})
}

func sortEntries(entries []Entry) {
	slices.SortStableFunc(entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
}

func writeEntry(b *strings.Builder, e Entry, depth int) {
	indent := strings.Repeat("  ", depth)
	if !e.Section {
		b.WriteString(indent + e.Name + ": " + e.Value + "\n")
		return
	}
	b.WriteString(indent + e.Name + " {\n")
	inner := slices.Clone(e.Entries)
	sortEntries(inner)
	for _, sub := range inner {
		writeEntry(b, sub, depth+1)
	}
	b.WriteString(indent + "}\n")
}
