package config

import (
	"fmt"
	"regexp"
	"sort"
	"strconv"
	"strings"
)

// Limits of ha/fence.cfg.
const (
	maxFenceDevices = 1000
	maxFenceArgs    = 100
)

// FenceConfig is ha/fence.cfg: the agents that reset each node, with their arguments.
//
//	device <name>[:<n>] <agent> key=value …
//	connect <name>[:<n>] node=<node> key=value …
type FenceConfig struct {
	// Devices are in the order of their first lines, in which they are tried.
	Devices []*FenceDevice
}

// FenceDevice is one device with its parts. The parts of a device work in parallel and must all
// succeed, for example the two power supplies of a server.
type FenceDevice struct {
	Name string
	// Parts are sorted by number.
	Parts []*FencePart
}

// FencePart is one part of a device.
type FencePart struct {
	// Number is the number after the name, 1 when there is none.
	Number int
	// Agent is the name of the program that is called.
	Agent string
	// Args apply to every node; Nodes holds the additional arguments for each node.
	Args  []FenceArg
	Nodes map[string][]FenceArg
}

// FenceArg is one argument of an agent.
type FenceArg struct{ Key, Value string }

// FenceCommand is one call of an agent.
type FenceCommand struct {
	Agent string
	Args  []string
}

var (
	fenceTargetPattern = regexp.MustCompile(`^([a-zA-Z0-9][a-zA-Z0-9_.-]*)(?::(\d{1,4}))?$`)
	fenceArgPattern    = regexp.MustCompile(`^([a-zA-Z][a-zA-Z0-9_-]*)=(.+)$`)
)

// ParseFence reads ha/fence.cfg. Unlike in the other files, any line that is not understood is an error:
// an operator would notice a missing device only when a node must be reset.
func ParseFence(text string) (*FenceConfig, error) {
	if len(text) > maxFileBytes {
		return nil, fmt.Errorf("read fence devices: %d bytes: %w", len(text), ErrTooLarge)
	}
	cfg := &FenceConfig{}
	for i, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if err := cfg.parseLine(words); err != nil {
			return nil, fmt.Errorf("read fence devices, line %d: %w", i+1, err)
		}
	}
	for _, device := range cfg.Devices {
		for _, part := range device.Parts {
			if len(part.Nodes) == 0 {
				return nil, fmt.Errorf("read fence devices: device %s:%d is connected to no node",
					device.Name, part.Number)
			}
		}
	}
	return cfg, nil
}

func (c *FenceConfig) parseLine(words []string) error {
	if len(words) < 3 {
		return fmt.Errorf("three words are needed: device or connect, a name, and an agent or node")
	}
	match := fenceTargetPattern.FindStringSubmatch(words[1])
	if match == nil {
		return fmt.Errorf("%q is not of the form name or name:number", words[1])
	}
	name, number := match[1], 1
	if match[2] != "" {
		number, _ = strconv.Atoi(match[2]) // at most four digits, see the pattern
	}
	switch words[0] {
	case "device":
		args, err := parseFenceArgs(words[3:])
		if err != nil {
			return err
		}
		return c.addPart(name, &FencePart{Number: number, Agent: words[2], Args: args,
			Nodes: map[string][]FenceArg{}})
	case "connect":
		args, err := parseFenceArgs(words[2:])
		if err != nil {
			return err
		}
		return c.connectNode(name, number, args)
	}
	return fmt.Errorf("%q is neither device nor connect", words[0])
}

func parseFenceArgs(words []string) ([]FenceArg, error) {
	if len(words) > maxFenceArgs {
		return nil, fmt.Errorf("%d arguments, at most %d", len(words), maxFenceArgs)
	}
	var args []FenceArg
	for _, word := range words {
		match := fenceArgPattern.FindStringSubmatch(word)
		if match == nil {
			return nil, fmt.Errorf("%q is not of the form key=value", word)
		}
		args = append(args, FenceArg{Key: match[1], Value: match[2]})
	}
	return args, nil
}

func (c *FenceConfig) findDevice(name string) *FenceDevice {
	for _, device := range c.Devices {
		if device.Name == name {
			return device
		}
	}
	return nil
}

func (c *FenceConfig) addPart(name string, part *FencePart) error {
	device := c.findDevice(name)
	if device == nil {
		if len(c.Devices) == maxFenceDevices {
			return fmt.Errorf("more than %d devices: %w", maxFenceDevices, ErrTooLarge)
		}
		device = &FenceDevice{Name: name}
		c.Devices = append(c.Devices, device)
	}
	for _, known := range device.Parts {
		if known.Number == part.Number {
			return fmt.Errorf("device %s:%d is defined twice", name, part.Number)
		}
	}
	device.Parts = append(device.Parts, part)
	sort.Slice(device.Parts, func(i, j int) bool { return device.Parts[i].Number < device.Parts[j].Number })
	return nil
}

func (c *FenceConfig) connectNode(name string, number int, args []FenceArg) error {
	device := c.findDevice(name)
	if device == nil {
		return fmt.Errorf("device %s is not defined above", name)
	}
	node := ""
	var rest []FenceArg
	for _, arg := range args {
		if arg.Key == "node" {
			node = arg.Value
		} else {
			rest = append(rest, arg)
		}
	}
	if node == "" {
		return fmt.Errorf("node=… is missing")
	}
	for _, part := range device.Parts {
		if part.Number != number {
			continue
		}
		if _, known := part.Nodes[node]; known {
			return fmt.Errorf("device %s:%d is connected to node %s twice", name, number, node)
		}
		part.Nodes[node] = rest
		return nil
	}
	return fmt.Errorf("device %s:%d is not defined above", name, number)
}

// Commands returns what resets a node: the devices in the order in which they are tried, each with the
// calls that must all succeed. A device whose parts are not all connected to the node is left out,
// because it could not reset the node.
func (c *FenceConfig) Commands(node string) [][]FenceCommand {
	var out [][]FenceCommand
	for _, device := range c.Devices {
		var calls []FenceCommand
		for _, part := range device.Parts {
			args, connected := part.Nodes[node]
			if !connected {
				calls = nil
				break
			}
			calls = append(calls, FenceCommand{Agent: part.Agent, Args: formatFenceArgs(part.Args, args)})
		}
		if len(calls) > 0 {
			out = append(out, calls)
		}
	}
	return out
}

// formatFenceArgs writes -k value for keys of one letter and --key=value for others.
func formatFenceArgs(lists ...[]FenceArg) []string {
	var out []string
	for _, list := range lists {
		for _, arg := range list {
			if len(arg.Key) == 1 {
				out = append(out, "-"+arg.Key, arg.Value)
			} else {
				out = append(out, "--"+arg.Key+"="+arg.Value)
			}
		}
	}
	return out
}
