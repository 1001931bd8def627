package haspec

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
)

// Command is something that the operator does on a machine at a time after the warm-up.
type Command struct {
	At time.Duration `yaml:"at" json:"at"`
	On string        `yaml:"on" json:"on"`
	// Run is the command as an operator would type it; ParseCommand lists the verbs.
	Run string `yaml:"run" json:"run"`
}

// Parsed returns the typed form of Run. It panics if Run cannot be parsed, which Check excludes.
func (c Command) Parsed() ParsedCommand {
	p, err := ParseCommand(c.Run)
	if err != nil {
		panic("haspec: a command that was never checked: " + err.Error())
	}
	return p
}

// HasCommand reports whether one of some commands is of a kind and about a service, and about a property of
// it unless key is "".
func HasCommand(commands []Command, verb Verb, sid, key string) bool {
	return slices.ContainsFunc(commands, func(c Command) bool {
		p, err := ParseCommand(c.Run)
		return err == nil && p.Verb == verb && p.SID == sid && (key == "" || p.Key == key)
	})
}

// Verb is what a command does.
type Verb string

// Verbs of commands to the init process of the machine on which the command runs.
const (
	VerbShutdown   Verb = "shutdown"
	VerbReboot     Verb = "reboot"
	VerbRestartLRM Verb = "restart-lrm"
	VerbStopCRM    Verb = "stop-crm"
	VerbStartCRM   Verb = "start-crm"
	VerbStopLRM    Verb = "stop-lrm"
	VerbStartLRM   Verb = "start-lrm"
	// VerbLeave ends the agent and the manager and leaves the ring, as the daemon does at SIGTERM; the
	// machine stays on, its services run on, and its cluster process starts again at once.
	VerbLeave Verb = "leave"
	// VerbReplaceMember (NODE) gives a node with a new disk its vote in the store back, as the command of
	// holdfastd does.
	VerbReplaceMember Verb = "replace-member"
)

// Verbs of commands that concern guests behind the HA manager's back, or the manager's program.
const (
	VerbCreate  Verb = "create"  // SID NODE STATE: a new guest, under HA
	VerbLock    Verb = "lock"    // SID NAME: puts a lock on the guest
	VerbUnlock  Verb = "unlock"  // SID
	VerbResize  Verb = "resize"  // SID CORES MIB
	VerbStart   Verb = "start"   // SID: starts the guest on this machine
	VerbMove    Verb = "move"    // SID NODE: moves the guest away from this machine, if it is here
	VerbVersion Verb = "version" // V: this machine has that version of the HA manager from now on
)

// Verbs of commands that edit files.
const (
	VerbSet        Verb = "set"        // SID KEY VALUE: a property of the service in ha/resources.cfg
	VerbRemove     Verb = "remove"     // SID: out of ha/resources.cfg
	VerbAdd        Verb = "add"        // SID: into ha/resources.cfg, started, with default settings
	VerbDatacenter Verb = "datacenter" // TEXT: the new content of datacenter.cfg, valid or not
	// VerbCRM is every command of the CRM (migrate vm:100 n2, enable-node-maintenance n1, ...), a line
	// that is appended to ha/crm_commands. The verb itself is never written: CRM.Verb is.
	VerbCRM Verb = "crm"
)

// argumentCounts is how many words follow a verb; datacenter and the CRM's commands have rules of their own.
var argumentCounts = map[Verb]int{
	VerbShutdown: 0, VerbReboot: 0, VerbRestartLRM: 0, VerbStopCRM: 0, VerbStartCRM: 0, VerbStopLRM: 0,
	VerbStartLRM: 0, VerbLeave: 0, VerbReplaceMember: 1,
	VerbCreate: 3, VerbLock: 2, VerbUnlock: 1, VerbResize: 3, VerbStart: 1, VerbMove: 2, VerbVersion: 1,
	VerbSet: 3, VerbRemove: 1, VerbAdd: 1,
}

// ParsedCommand is a command in typed form. Which fields are set depends on the verb.
type ParsedCommand struct {
	Verb Verb
	// SID is the service that the command concerns, Node the node: of create the one where the guest
	// is configured, of move and of the CRM's migrations the target.
	SID, Node string
	// State is what a created service must be: started, stopped and so on.
	State string
	// Lock is the name of the lock that is put on a guest.
	Lock string
	// Cores and MemoryMiB are the size that a guest gets.
	Cores, MemoryMiB uint64
	// Version is that of the HA manager.
	Version string
	// Key and Value are the property that is set.
	Key, Value string
	// Text is what a file gets: the content of datacenter.cfg, or the line for the CRM.
	Text string
	// CRM is the CRM's own view of its command.
	CRM ha.Command
}

// errNothing means that a command has no words.
var errNothing = errors.New("nothing to run")

// ParseCommand reads a command: a verb and its arguments, separated by spaces. A line whose verb is
// none of the operator's is one for the CRM, for example "migrate vm:100 n2".
func ParseCommand(line string) (ParsedCommand, error) {
	words := strings.Fields(line)
	if len(words) == 0 {
		return ParsedCommand{}, errNothing
	}
	p, args := ParsedCommand{Verb: Verb(words[0])}, words[1:]
	if p.Verb == VerbDatacenter {
		p.Text = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), words[0])) + "\n"
		return p, nil
	}
	if count, known := argumentCounts[p.Verb]; !known || count != len(args) {
		crm, err := config.ParseCommand(line)
		if err != nil {
			return ParsedCommand{}, err
		}
		return ParsedCommand{Verb: VerbCRM, SID: crm.SID, Node: crm.Node, Text: line + "\n", CRM: crm}, nil
	}
	if err := p.parseArguments(args); err != nil {
		return ParsedCommand{}, fmt.Errorf("%q: %w", line, err)
	}
	return p, nil
}

// parseArguments reads what follows the verb; the number of words is right.
func (p *ParsedCommand) parseArguments(args []string) (err error) {
	switch p.Verb {
	case VerbVersion:
		p.Version = args[0]
		return nil
	case VerbReplaceMember:
		p.Node = args[0]
		return nil
	case VerbSet:
		p.Key, p.Value = args[1], args[2]
	case VerbLock:
		p.Lock = args[1]
	case VerbMove:
		p.Node = args[1]
	case VerbCreate:
		p.Node, p.State = args[1], args[2]
		_, err = config.NormalState(p.State)
	case VerbResize:
		if p.Cores, err = parseSize(args[1]); err == nil {
			p.MemoryMiB, err = parseSize(args[2])
		}
	}
	if err != nil || len(args) == 0 {
		return err
	}
	p.SID = args[0]
	_, _, err = ha.SplitSID(p.SID)
	return err
}

// parseSize reads a number of cores or of MiB.
func parseSize(text string) (uint64, error) {
	const sizeBits = 32
	size, err := strconv.ParseUint(text, 10, sizeBits)
	if err != nil {
		return 0, fmt.Errorf("%q is not a size: write a whole number", text)
	}
	return size, nil
}
