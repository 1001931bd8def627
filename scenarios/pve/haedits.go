package pve

import (
	"strings"

	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
)

// datacenterEdit is the operator's command that replaces datacenter.cfg by what follows it. What
// that is nobody checks: people make mistakes.
const datacenterEdit = "datacenter"

// editOf is what a command of the operator changes: a file, and how.
func editOf(line string) (path string, change func(old string) (string, error)) {
	words := strings.Fields(line)
	switch {
	case changesServices(words):
		return haproc.ResourcesPath, func(old string) (string, error) { return changeService(old, words) }
	case words[0] == datacenterEdit:
		text := strings.TrimSpace(strings.TrimPrefix(line, datacenterEdit))
		return haproc.DatacenterPath, func(string) (string, error) { return text + "\n", nil }
	}
	return haproc.CommandsPath, func(old string) (string, error) { return old + line + "\n", nil }
}
