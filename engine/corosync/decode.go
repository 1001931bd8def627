package corosync

import (
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

// nodeID converts a number that was checked.
func nodeID(n uint64) ring.NodeID { return ring.NodeID(n) }

// Parse reads a corosync.conf. name is the file's name in messages. If the error is not nil, the
// configuration is nil and the error is a *Problems that wraps ErrInvalid. Warnings are returned in both
// cases.
func Parse(name string, data []byte) (*Config, Warnings, error) {
	f := &findings{file: name}
	c := &Config{File: name}
	entries := scanLines(f, data)
	broken := f.hasErrors()
	d := &decoder{findings: f}
	d.readFile(c, entries)
	if broken {
		// Sections that do not close where they should would only add noise.
		f.warnings = nil
	} else {
		c.validate(f)
	}
	warnings, err := f.result()
	if err != nil {
		return nil, warnings, err
	}
	return c, warnings, nil
}

// Validate checks a configuration as Parse does. It is for configurations that code has built or changed;
// lines in the findings are those that Parse saw.
func (c *Config) Validate() (Warnings, error) {
	f := &findings{file: c.File}
	if f.file == "" {
		f.file = "corosync.conf"
	}
	c.validate(f)
	return f.result()
}

// decoder reads entries into a Config and collects findings.
type decoder struct{ *findings }

// subsection is a known subsection of a section and how to read it; read is nil if the subsection is kept as
// it is.
type subsection struct {
	name string
	read func(e Entry)
}

// topSections are the sections that have a meaning here.
var topSections = []string{"totem", "nodelist", "quorum", "logging"}

// keptSections only matter to Corosync itself.
var keptSections = []string{"uidgid", "system", "resources", "nozzle", "qb", "service", "aisexec",
	"amf", "pload", "event"}

// nestedSections maps each section that is not at the top level to the section that contains it.
var nestedSections = map[string]string{
	"interface": "totem", "node": "nodelist", "device": "quorum", "net": "quorum.device",
	"heuristics": "quorum.device", "logger_subsys": "logging", "logging_daemon": "logging",
	"member": "totem.interface",
}

// readFile reads the sections of a file.
func (d *decoder) readFile(c *Config, entries []Entry) {
	seen := map[string]int{}
	for _, e := range entries {
		switch {
		case !e.Section:
			d.addWarning(e.line, "move it into a section, or delete it", "key %s is outside any section",
				e.Name)
			d.checkValue(e, e.Name, true)
			c.Extra = append(c.Extra, e)
			continue
		case e.Name == "nodelist" && seen[e.Name] != 0:
			d.addStricter(e.line, "merge the two", "a second nodelist section (the first is at line %d); "+
				"Corosync would mix up the nodes of both", seen[e.Name])
			d.lostSection = true
			continue
		case slices.Contains(topSections, e.Name) && seen[e.Name] != 0:
			d.addWarning(e.line, "merge the two",
				"a second section %s (the first is at line %d); keys given "+
					"twice have the value of the later one", e.Name, seen[e.Name])
		}
		if seen[e.Name] == 0 {
			seen[e.Name] = e.line
		}
		d.readTopSection(c, e)
	}
}

// readTopSection reads one section of the top level.
func (d *decoder) readTopSection(c *Config, e Entry) {
	switch e.Name {
	case "totem":
		decode(d, e, "totem", &c.Totem, &c.Totem.sourceLines, &c.Totem.Extra, totemKeys,
			subsection{"interface", func(e Entry) {
				var i Interface
				decode(d, e, "totem.interface", &i, &i.sourceLines, &i.Extra, interfaceKeys,
					subsection{name: "member"})
				c.Totem.Interfaces = append(c.Totem.Interfaces, i)
			}})
	case "nodelist":
		decode(d, e, "nodelist", &struct{}{}, &c.nodelistLines, &c.nodelistExtra, nil,
			subsection{"node", func(e Entry) { d.readNode(c, e) }})
	case "quorum":
		decode(d, e, "quorum", &c.Quorum, &c.Quorum.sourceLines, &c.Quorum.Extra, quorumKeys,
			subsection{"device", func(e Entry) { d.readDevice(c, e) }})
	case "logging":
		decode(d, e, "logging", &c.Logging, &c.Logging.sourceLines, &c.Logging.Extra, loggingKeys,
			subsection{"logger_subsys", func(e Entry) { d.checkLogger(c, e, "subsys") }},
			subsection{"logging_daemon", func(e Entry) { d.checkLogger(c, e, "name") }})
	default:
		if !slices.Contains(keptSections, e.Name) && !d.reportUnknown(e, "", topSections) {
			return
		}
		c.Extra = append(c.Extra, e)
	}
}

// checkLogger checks the logging of one part of Corosync, which has no meaning here, and keeps it. nameKey is
// the key that names the part.
func (d *decoder) checkLogger(c *Config, e Entry, nameKey string) {
	named := false
	for _, k := range e.Entries {
		named = named || k.Name == nameKey
		i := slices.IndexFunc(loggingKeys, func(known key[Logging]) bool { return known.name == k.Name })
		if k.Section || i < 0 {
			continue
		}
		if r := loggingKeys[i].parseInto(&Logging{}, k.Value); r.what != "" {
			d.addRefusal(k.line, r.stricter, r.remedy, "logging.%s.%s: %q %s", e.Name, k.Name, k.Value,
				r.what)
		}
	}
	if !named {
		d.addError(e.line, fmt.Sprintf("add \"%s: NAME\", or delete the section", nameKey),
			"logging.%s has no %s", e.Name, nameKey)
	}
	c.Logging.Extra = append(c.Logging.Extra, e)
}

// readNode reads a node section.
func (d *decoder) readNode(c *Config, e Entry) {
	var n Node
	e.Entries = slices.DeleteFunc(slices.Clone(e.Entries), func(k Entry) bool {
		link, isAddr := strings.CutPrefix(k.Name, "ring")
		link, isAddr2 := strings.CutSuffix(link, "_addr")
		number, what := parseNumber(link, 0, anyNumber)
		beyond := isAddr && isAddr2 && what == "" && number >= MaxLinks
		if beyond {
			d.addError(k.line, fmt.Sprintf("use ring0_addr to ring%d_addr", MaxLinks-1),
				"%s: a node has at most %d links", k.Name, MaxLinks)
		}
		return beyond
	})
	decode(d, e, "nodelist.node", &n, &n.sourceLines, &n.Extra, nodeKeys)
	c.Nodes = append(c.Nodes, n)
}

// readDevice reads the quorum.device section.
func (d *decoder) readDevice(c *Config, e Entry) {
	if c.Quorum.Device == nil {
		c.Quorum.Device = &Device{}
	}
	dev := c.Quorum.Device
	decode(d, e, "quorum.device", dev, &dev.sourceLines, &dev.Extra, deviceKeys,
		subsection{"net", func(e Entry) {
			if dev.Net == nil {
				dev.Net = &DeviceNet{}
			}
			decode(d, e, "quorum.device.net", dev.Net, &dev.Net.sourceLines, &dev.Net.Extra, deviceNetKeys)
		}},
		subsection{name: "heuristics"})
}

// decode reads the entries of one section into s.
func decode[S any](d *decoder, e Entry, path string, s *S, src *sourceLines, extra *[]Entry,
	keys []key[S], parts ...subsection,
) {
	if src.keyLines == nil {
		*src = sourceLines{sectionLine: e.line, keyLines: map[string]int{}}
	}
	for _, k := range e.Entries {
		if k.Section {
			d.readSubsection(k, path, extra, parts)
			continue
		}
		if line, again := src.keyLines[k.Name]; again {
			d.addWarning(k.line, "delete the unintended line",
				"%s.%s is given again (first at line %d); the last one counts", path, k.Name, line)
		}
		src.keyLines[k.Name] = k.line
		i := slices.IndexFunc(keys, func(known key[S]) bool { return known.name == k.Name })
		switch {
		case !d.checkValue(k, path+"."+k.Name, i < 0 || keys[i].emptyAllowed):
		case i < 0:
			if d.reportUnknown(k, path, keyNames(keys)) {
				keepUntyped(extra, k)
			}
		case keys[i].ignoredReason != "":
			d.addWarning(k.line, "delete it when convenient", "%s.%s has no effect: %s", path, k.Name,
				keys[i].ignoredReason)
			if check := keys[i].parseInto; check != nil {
				if r := check(s, k.Value); r.what != "" {
					d.addRefusal(k.line, r.stricter, r.remedy, "%s.%s: %q %s", path, k.Name, k.Value, r.what)
				}
			}
			keepUntyped(extra, k)
		default:
			if r := keys[i].parseInto(s, k.Value); r.what != "" {
				d.addRefusal(k.line, r.stricter, r.remedy, "%s.%s: %q %s", path, k.Name, k.Value, r.what)
			}
		}
	}
}

// checkValue refuses a key without a value. emptyAllowed is whether Corosync accepts that for this key.
func (d *decoder) checkValue(e Entry, path string, emptyAllowed bool) bool {
	if e.Value == "" {
		d.addRefusal(e.line, emptyAllowed, "write a value or delete the line", "%s has no value", path)
	}
	return e.Value != ""
}

// readSubsection reads a section within another one.
func (d *decoder) readSubsection(e Entry, path string, extra *[]Entry, parts []subsection) {
	i := slices.IndexFunc(parts, func(p subsection) bool { return p.name == e.Name })
	if i >= 0 && parts[i].read != nil {
		parts[i].read(e)
		return
	}
	names := make([]string, len(parts))
	for j, p := range parts {
		names[j] = p.name
	}
	if i >= 0 || d.reportUnknown(e, path, names) {
		*extra = append(*extra, e)
	}
}

// keepUntyped stores an entry without a typed field. A key given twice counts once, as in Corosync.
func keepUntyped(extra *[]Entry, e Entry) {
	same := func(o Entry) bool { return !o.Section && o.Name == e.Name }
	*extra = append(slices.DeleteFunc(*extra, same), e)
}

// reportUnknown reports an unknown entry, and returns whether to keep it. path is "" at the top level.
func (d *decoder) reportUnknown(e Entry, path string, known []string) bool {
	what, where := "key", path
	if e.Section {
		what = "section"
	}
	if path == "" {
		where = "the top level of the file"
	}
	home := nestedSections[e.Name]
	if slices.Contains(topSections, e.Name) {
		home = "the top level of the file"
	}
	if near := nearestKey(e.Name, known); near != "" {
		d.lostSection = d.lostSection || e.Section
		d.addStricter(e.line, fmt.Sprintf("did you mean %q?", near), "%s has no %s %q", where, what, e.Name)
		return false
	}
	if e.Section && home != "" && home != path {
		d.lostSection = true
		d.addStricter(e.line, fmt.Sprintf("it belongs to %s; check for a missing '}' above", home),
			"section %q cannot be in %s", e.Name, where)
		return false
	}
	remedy := "delete it if nothing else reads it"
	if other := homeOfKey(e.Name); !e.Section && other != "" {
		remedy = fmt.Sprintf("move it: %s belongs to section %s", e.Name, other)
	}
	d.addWarning(e.line, remedy, "%s has no %s %q; it is kept and has no effect", where, what, e.Name)
	return true
}

// homeOfKey returns the section that has a key; "" if none or several have it.
func homeOfKey(name string) string {
	homes := []struct {
		section string
		keys    []string
	}{
		{"totem", keyNames(totemKeys)},
		{"totem.interface", keyNames(interfaceKeys)},
		{"nodelist.node", keyNames(nodeKeys)},
		{"quorum", keyNames(quorumKeys)},
		{"quorum.device", keyNames(deviceKeys)},
		{"quorum.device.net", keyNames(deviceNetKeys)},
	}
	var found []string
	for _, h := range homes {
		if slices.Contains(h.keys, name) {
			found = append(found, h.section)
		}
	}
	if len(found) != 1 {
		return ""
	}
	return strings.Join(found, "")
}

// keyNames returns the names of keys.
func keyNames[S any](keys []key[S]) []string {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.name
	}
	return names
}
