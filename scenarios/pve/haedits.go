package pve

import (
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/daemon"
)

// editWords is how many words the commands have that are edits of the operator.
var editWords = map[string]int{"set": 4, "remove": 2, "add": 2}

// datacenterEdit replaces datacenter.cfg by what follows it.
const datacenterEdit = "datacenter"

func (h *HASpec) checkCommands(machines []string) error {
	for _, c := range h.Commands {
		if !slices.Contains(machines, c.On) {
			return fmt.Errorf("commands: %q is run on %q; the machines are %v", c.Run, c.On, machines)
		}
		words := strings.Fields(c.Run)
		switch {
		case len(words) > 0 && words[0] == datacenterEdit:
		case len(words) > 1 && editWords[words[0]] == len(words):
			if h.Services[words[1]] == "" {
				return fmt.Errorf("commands: %q: there is no service %s", c.Run, words[1])
			}
		default:
			if _, err := config.ParseCommand(c.Run); err != nil {
				return fmt.Errorf("commands: %w", err)
			}
		}
	}
	return nil
}

// editOf is what a command of the operator changes: a file, and how.
func editOf(line string) (path string, change func(old string) (string, error)) {
	words := strings.Fields(line)
	switch {
	case editWords[words[0]] > 0:
		return daemon.ResourcesPath, func(old string) (string, error) { return changeService(old, words) }
	case words[0] == datacenterEdit:
		text := strings.TrimSpace(strings.TrimPrefix(line, datacenterEdit))
		return daemon.DatacenterPath, func(string) (string, error) { return text + "\n", nil }
	}
	return daemon.CommandsPath, func(old string) (string, error) { return old + line + "\n", nil }
}

func changeService(old string, words []string) (string, error) {
	services, _, err := config.ParseResources(old)
	if err != nil {
		return "", err
	}
	sid := words[1]
	switch cd := services[sid]; {
	case words[0] == "remove":
		delete(services, sid)
	case words[0] == "add":
		services[sid] = config.DefaultService(ha.SIDType(sid))
		services[sid].State = ha.WantStarted
	case cd == nil:
		return "", fmt.Errorf("there is no service %s", sid)
	default:
		if err := config.SetServiceProperty(cd, words[2], words[3]); err != nil {
			return "", err
		}
	}
	return config.FormatResources(services), nil
}
