package pve

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/corosync"
	"github.com/holdfast-sim/holdfast/engine/store/state"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// configure gives the subject its corosync.conf: the scenario's own, or one that is written for it.
func (s *Subject) configure(sc *scenarios.Scenario) error {
	if p := s.spec.Store; p != "" && p != PolicyStrict {
		return sc.Errorf("subject.store", "there is no policy %q; write %s", p, PolicyStrict)
	}
	if r := s.spec.Relay; r != "" && r != corosync.RelayAuto && r != corosync.RelayOff {
		return sc.Errorf("subject.relay", "%q is neither %s nor %s", r, corosync.RelayAuto, corosync.RelayOff)
	}
	switch {
	case s.spec.LogKeep > state.MaxLogKeep:
		return sc.Errorf("subject.log_keep", "%d is out of range; write 1 to %d", s.spec.LogKeep,
			state.MaxLogKeep)
	case s.spec.LogKeep > 0 && s.spec.HA != nil:
		return sc.Errorf("subject.log_keep", "the checks of the HA manager need the whole log; leave "+
			"log_keep or ha out")
	}
	if s.spec.CorosyncConf == "" {
		return s.generate(sc)
	}
	const key = "subject.corosync_conf"
	if len(s.spec.Votes) > 0 || s.spec.ExpectedVotes > 0 || s.spec.Token != 0 ||
		s.spec.TokenCoefficient != 0 || s.spec.Relay != "" {
		return sc.Errorf(key, "votes, expected_votes, token, token_coefficient and relay are in that file"+
			" already; leave them out here")
	}
	path := s.spec.CorosyncConf
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(sc.Subject.File()), path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return sc.Errorf(key, "the file cannot be read: %v; "+
			"a relative path begins at the scenario's folder", err)
	}
	s.text = data
	if s.conf, s.warnings, err = corosync.Parse(path, data); err != nil {
		return err
	}
	if nodes := len(s.conf.Nodes); nodes != len(sc.Machines) {
		return sc.Errorf(key, "%s has %d nodes, the scenario %d machines: write `machines: %d`, "+
			"or give the file with --topology", path, nodes, len(sc.Machines), nodes)
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
	var err error
	s.text = corosyncConfText(&s.spec, s.machines)
	s.conf, s.warnings, err = corosync.Parse("corosync.conf", s.text)
	return err
}

// corosyncConfText is the corosync.conf of a cluster of these machines. Each has one link, and one vote
// unless the scenario gives it another number.
func corosyncConfText(spec *Spec, machines []string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "totem {\n  version: 2\n  cluster_name: holdfast\n  config_version: %d\n  secauth: on\n",
		len(machines))
	if spec.Token > 0 {
		fmt.Fprintf(&b, "  token: %d\n", spec.Token.Milliseconds())
	}
	if spec.TokenCoefficient > 0 {
		fmt.Fprintf(&b, "  token_coefficient: %d\n", spec.TokenCoefficient.Milliseconds())
	}
	if spec.Relay != "" {
		fmt.Fprintf(&b, "  relay: %s\n", spec.Relay)
	}
	b.WriteString("}\nnodelist {\n")
	for i, name := range machines {
		votes, given := spec.Votes[name]
		if !given {
			votes = 1
		}
		fmt.Fprintf(&b, "  node {\n    name: %s\n    nodeid: %d\n    quorum_votes: %d\n"+
			"    ring0_addr: 198.18.0.%d\n  }\n", name, i+1, votes, i+1)
	}
	b.WriteString("}\nquorum {\n  provider: corosync_votequorum\n")
	if spec.ExpectedVotes > 0 {
		fmt.Fprintf(&b, "  expected_votes: %d\n", spec.ExpectedVotes)
	}
	b.WriteString("}\n")
	return b.Bytes()
}
