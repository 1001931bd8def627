package pve

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/corosync"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/node"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// Kind is the subject's name in scenario files.
const Kind = "pve"

// Spec is the subject's part of a scenario.
type Spec struct {
	// CorosyncConf is a real configuration to use, relative to the scenario's file. Its i-th
	// node is the scenario's i-th machine. The other fields then stay empty.
	CorosyncConf string `yaml:"corosync_conf,omitempty" json:"corosync_conf,omitempty"`
	// Votes gives machines other than one vote.
	Votes map[string]uint32 `yaml:"votes,omitempty,flow" json:"votes,omitempty"`
	// Token and TokenCoefficient are totem's; Corosync's defaults unless given.
	Token            time.Duration `yaml:"token,omitempty" json:"token,omitempty"`
	TokenCoefficient time.Duration `yaml:"token_coefficient,omitempty" json:"token_coefficient,omitempty"`
	// Store is the store's policy: strict.
	Store string `yaml:"store,omitempty" json:"store,omitempty"`
	// HA runs the HA manager; left out, nodes have none.
	HA *haspec.Spec `yaml:"ha,omitempty" json:"ha,omitempty"`
}

// PolicyStrict acknowledges a write only when no quorum can ever miss it.
const PolicyStrict = "strict"

// Subject is the engine as a system under test.
type Subject struct {
	spec     Spec
	conf     *corosync.Config
	text     []byte // of the configuration
	warnings corosync.Warnings
	machines []string
	warmup   time.Duration
	duration time.Duration
}

// ErrSpec is wrapped by every complaint about the subject's part of a scenario.
var ErrSpec = errors.New("subject pve")

// Decode makes the subject of a scenario.
func Decode(s *scenarios.Scenario) (scenarios.Subject, error) {
	subject := &Subject{machines: s.Machines, warmup: s.Warmup, duration: s.Duration}
	if err := s.Subject.Decode(&subject.spec); err != nil {
		return nil, err
	}
	if err := subject.configure(s); err != nil {
		return nil, err
	}
	if ha := subject.spec.HA; ha != nil {
		if err := ha.Check(s.Machines, subject.NodeNames()); err != nil {
			return nil, s.Errorf("subject.ha", "%v", err)
		}
		if ha.Random != nil {
			if err := checkRandom(s, &subject.spec); err != nil {
				return nil, s.Errorf("subject.ha", "%v", err)
			}
		}
	}
	// Compose every node once, so that a configuration that cannot run is refused here.
	for m := range s.Machines {
		if _, err := subject.compose(env.MachineID(m), nil); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrSpec, err)
		}
	}
	return subject, nil
}

func (s *Subject) configure(sc *scenarios.Scenario) error {
	if p := s.spec.Store; p != "" && p != PolicyStrict {
		return sc.Errorf("subject.store", "there is no policy %q yet; write %s", p, PolicyStrict)
	}
	if s.spec.CorosyncConf == "" {
		return s.generate(sc)
	}
	if len(s.spec.Votes) > 0 || s.spec.Token != 0 || s.spec.TokenCoefficient != 0 {
		return sc.Errorf("subject.corosync_conf", "votes, token and token_coefficient are in that file already; leave them out here")
	}
	path := s.spec.CorosyncConf
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(sc.Subject.File()), path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return sc.Errorf("subject.corosync_conf", "the file cannot be read: %v; a relative path begins at the scenario's folder", err)
	}
	s.text = data
	if s.conf, s.warnings, err = corosync.Parse(path, data); err != nil {
		return err
	}
	if len(s.conf.Nodes) != len(sc.Machines) {
		return sc.Errorf("subject.corosync_conf", "%s has %d nodes, the scenario %d machines: write `machines: %d`, or give the file with --topology",
			path, len(s.conf.Nodes), len(sc.Machines), len(s.conf.Nodes))
	}
	return nil
}

// generate writes the configuration that a cluster of the scenario's machines would have.
func (s *Subject) generate(sc *scenarios.Scenario) error {
	for _, name := range slices.Sorted(maps.Keys(s.spec.Votes)) {
		if !slices.Contains(s.machines, name) {
			return sc.Errorf("subject.votes."+name, "no machine is called %q; the machines are %s",
				name, strings.Join(s.machines, ", "))
		}
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "totem {\n  version: 2\n  cluster_name: holdfast\n  config_version: %d\n  secauth: on\n", len(s.machines))
	if s.spec.Token > 0 {
		fmt.Fprintf(&b, "  token: %d\n", s.spec.Token.Milliseconds())
	}
	if s.spec.TokenCoefficient > 0 {
		fmt.Fprintf(&b, "  token_coefficient: %d\n", s.spec.TokenCoefficient.Milliseconds())
	}
	b.WriteString("}\nnodelist {\n")
	for i, name := range s.machines {
		votes, given := s.spec.Votes[name]
		if !given {
			votes = 1
		}
		fmt.Fprintf(&b, "  node {\n    name: %s\n    nodeid: %d\n    quorum_votes: %d\n    ring0_addr: 198.18.0.%d\n  }\n",
			name, i+1, votes, i+1)
	}
	b.WriteString("}\nquorum {\n  provider: corosync_votequorum\n}\n")
	var err error
	s.text = b.Bytes()
	s.conf, s.warnings, err = corosync.Parse("corosync.conf", s.text)
	return err
}

// simulationKey is the cluster's secret in the simulator and on namespace nodes, where nobody
// listens.
var simulationKey = bytes.Repeat([]byte("holdfast simulated cluster key. "), 4)

func (s *Subject) compose(m env.MachineID, flaws *resource.Flaws) ([]node.Process, error) {
	o := node.Options{Cluster: s.conf, Machine: m, Key: simulationKey}
	if s.spec.HA != nil {
		o.HA = &node.HA{Guests: s.spec.HA.GuestOptions(s.machines[m], s.warmup, flaws),
			Self: s.spec.HA.Self(s.machines[m]), MoveTimeout: s.spec.HA.Migration.Timeout}
	}
	return node.Compose(o)
}

// Kind implements scenarios.Subject.
func (s *Subject) Kind() string { return Kind }

// Builder implements scenarios.Subject.
func (s *Subject) Builder() scenarios.Builder {
	b := builder{subject: s}
	if s.spec.HA != nil {
		b.flaws = s.spec.HA.GuestFlaws()
	}
	return b
}

type builder struct {
	subject *Subject
	flaws   *resource.Flaws // of one run's guests
}

// Files implements scenarios.Builder: the configuration is given to the processes directly.
func (b builder) Files(env.MachineID) []scenarios.File { return nil }

// Processes implements scenarios.Builder.
func (b builder) Processes(m env.MachineID) []scenarios.ProcessSpec {
	processes, err := b.subject.compose(m, b.flaws)
	if err != nil {
		panic("pve: a configuration that was accepted cannot be composed: " + err.Error())
	}
	return b.subject.specs(m, processes)
}

// NodeNames are the names of the machines' nodes, in the order of the machines.
func (s *Subject) NodeNames() []string {
	names := make([]string, len(s.conf.Nodes))
	for i, n := range s.conf.Nodes {
		names[i] = n.Name
	}
	return names
}

// machineOf finds a node's machine by the node's id.
func (s *Subject) machineOf(id ring.NodeID) (env.MachineID, bool) {
	for i, n := range s.conf.Nodes {
		if n.ID == id {
			return env.MachineID(i), true
		}
	}
	return 0, false
}
