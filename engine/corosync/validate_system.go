package corosync

import (
	"slices"
	"strconv"
	"strings"
)

// systemWords are the keys of the section system with the words that Corosync accepts.
var systemWords = map[string][]string{
	"sched_rr":                   {"yes", "no"},
	"move_to_root_cgroup":        {"yes", "no", "auto"},
	"allow_knet_handle_fallback": {"yes", "no"},
	"qb_ipc_type":                {"native", "shm", "socket"},
}

// validateSystem checks the section system, which has no meaning here: Corosync does not start with a wrong
// word in it.
func (c *Config) validateSystem(f *findings) {
	for _, section := range c.Extra {
		if !section.Section || section.Name != "system" {
			continue
		}
		for _, e := range section.Entries {
			words, known := systemWords[e.Name]
			switch {
			case e.Section:
			case known && !slices.Contains(words, e.Value):
				f.addError(e.line, "write one of: "+strings.Join(words, ", "),
					"system.%s: %q is not one of the possible values", e.Name, e.Value)
			case e.Name == "priority" && e.Value != "max" && e.Value != "min":
				if _, err := strconv.Atoi(e.Value); err != nil {
					f.addError(e.line, "write max, min or a whole number",
						"system.priority: %q is not one of the possible values", e.Value)
				}
			}
		}
	}
}
