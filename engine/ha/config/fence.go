package config

import (
	"errors"
	"fmt"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of ha/fence.cfg.
const (
	maxFenceDevices  = 1000
	maxFenceArgs     = 100
	maxFenceProblems = 20 // that an error names
)

// ErrFenceFile means that ha/fence.cfg cannot be used.
var ErrFenceFile = errors.New("read fence devices")

// FenceConfig is ha/fence.cfg: the agents that reset each node, with their arguments.
//
//	device <name>[:<n>] <agent> key=value … flag …
//	connect <name>[:<n>] node=<node> key=value … flag …
//
// Arguments are split into words as Proxmox VE does it, by the rules of Perl's Text::ParseWords::shellwords:
// quotes of both kinds keep blanks, and outside of single quotes a backslash stands for the character behind
// it.
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

// FenceArg is one argument of an agent: a key with a value, or a bare flag, which has no value.
type FenceArg struct {
	Key, Value string
	Bare       bool
}

// FenceCommand is one call of an agent.
type FenceCommand struct {
	Agent string
	Args  []string
}

var (
	fenceTargetPattern = regexp.MustCompile(`^([a-zA-Z0-9][a-zA-Z0-9_.-]*)(?::(\d{1,4}))?$`)
	fenceKeyPattern    = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)
)

// ParseFence reads ha/fence.cfg. Unlike in the other files, any line that is not understood is an error:
// an operator would notice a missing device only when a node must be reset. The error names every such line.
func ParseFence(text string) (*FenceConfig, error) {
	if len(text) > maxFileBytes {
		return nil, fmt.Errorf("read fence devices: %d bytes: %w", len(text), ErrTooLarge)
	}
	cfg := &FenceConfig{}
	var problems []string
	for i, line := range strings.Split(text, "\n") {
		if line = strings.TrimFunc(line, isBlank); line == "" || line[0] == '#' {
			continue
		}
		if err := cfg.parseLine(line); err != nil {
			problems = append(problems, fmt.Sprintf("line %d: %v", i+1, err))
		}
	}
	if len(problems) == 0 {
		problems = cfg.unconnectedParts()
	}
	if len(problems) > maxFenceProblems {
		problems = append(problems[:maxFenceProblems], fmt.Sprintf("and %d more",
			len(problems)-maxFenceProblems))
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("%w, %s", ErrFenceFile, strings.Join(problems, "; "))
	}
	return cfg, nil
}

// unconnectedParts describes the parts that reset no node.
func (c *FenceConfig) unconnectedParts() (problems []string) {
	for _, device := range c.Devices {
		for _, part := range device.Parts {
			if len(part.Nodes) == 0 {
				problems = append(problems, fmt.Sprintf("device %s:%d is connected to no node",
					device.Name, part.Number))
			}
		}
	}
	return problems
}

// parseLine takes a line that is not empty.
func (c *FenceConfig) parseLine(line string) error {
	if !utf8.ValidString(line) {
		return errors.New("it is not valid UTF-8")
	}
	if strings.ContainsFunc(line, func(r rune) bool { return unicode.IsControl(r) && r != '\t' }) {
		return errors.New("it contains a control character")
	}
	verb, rest := cutWord(line)
	target, rest := cutWord(rest)
	third, rest := cutWord(rest)
	if third == "" {
		return errors.New("three words are needed: device or connect, a name, and an agent or node")
	}
	match := fenceTargetPattern.FindStringSubmatch(target)
	if match == nil {
		return fmt.Errorf("%q is not of the form name or name:number", target)
	}
	name, number := match[1], 1
	if match[2] != "" {
		number, _ = strconv.Atoi(match[2]) // at most four digits, see the pattern
	}
	args, err := parseFenceArgs(rest)
	if err != nil {
		return err
	}
	switch verb {
	case "device":
		return c.addPart(name, &FencePart{Number: number, Agent: third, Args: args,
			Nodes: map[string][]FenceArg{}})
	case "connect":
		first, err := parseFenceArgs(third)
		if err != nil {
			return err
		}
		return c.connectNode(name, number, append(first, args...))
	}
	return fmt.Errorf("%q is neither device nor connect", verb)
}

// cutWord returns the first word of a text, and what follows it.
func cutWord(text string) (word, rest string) {
	text = strings.TrimLeftFunc(text, isBlank)
	if i := strings.IndexFunc(text, isBlank); i >= 0 {
		return text[:i], text[i:]
	}
	return text, ""
}

// parseFenceArgs splits arguments into keys and values. Only the first = separates: Proxmox VE drops what
// follows a second one, which would cut passwords short without a word.
func parseFenceArgs(text string) ([]FenceArg, error) {
	words, err := splitShellWords(text)
	if err != nil {
		return nil, err
	}
	if len(words) > maxFenceArgs {
		return nil, fmt.Errorf("%d arguments, at most %d", len(words), maxFenceArgs)
	}
	var args []FenceArg
	for _, word := range words {
		key, value, hasValue := strings.Cut(word, "=")
		if !fenceKeyPattern.MatchString(key) {
			return nil, fmt.Errorf("%q is not of the form key=value or flag", word)
		}
		args = append(args, FenceArg{Key: key, Value: value, Bare: !hasValue})
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
		if arg.Key == "node" && !arg.Bare {
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

// formatFenceArgs writes -k value for keys of one letter and --key=value for others, and flags without a
// value.
func formatFenceArgs(lists ...[]FenceArg) []string {
	var out []string
	for _, list := range lists {
		for _, arg := range list {
			switch {
			case len(arg.Key) == 1 && arg.Bare:
				out = append(out, "-"+arg.Key)
			case len(arg.Key) == 1:
				out = append(out, "-"+arg.Key, arg.Value)
			case arg.Bare:
				out = append(out, "--"+arg.Key)
			default:
				out = append(out, "--"+arg.Key+"="+arg.Value)
			}
		}
	}
	return out
}
