package pve

import (
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/holdfast-sim/holdfast/engine/corosync"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/scenarios/pve/anygen"
	"github.com/holdfast-sim/holdfast/scenarios/pve/clustergen"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
	"github.com/holdfast-sim/holdfast/scenarios/pve/requests"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
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
	// ExpectedVotes is quorum.expected_votes; the sum of the votes unless given.
	ExpectedVotes uint32 `yaml:"expected_votes,omitempty" json:"expected_votes,omitempty"`
	// Token and TokenCoefficient are totem's; the defaults are Corosync's.
	Token            time.Duration `yaml:"token,omitempty" json:"token,omitempty"`
	TokenCoefficient time.Duration `yaml:"token_coefficient,omitempty" json:"token_coefficient,omitempty"`
	// Relay is auto or off: whether machines whose link does not work reach each other over a third one.
	Relay string `yaml:"relay,omitempty" json:"relay,omitempty"`
	// Store is the store's policy: strict.
	Store string `yaml:"store,omitempty" json:"store,omitempty"`
	// LogKeep is the number of revisions whose requests the store remembers.
	LogKeep uint64 `yaml:"log_keep,omitempty" json:"log_keep,omitempty"`
	// HA runs the HA manager; left out, nodes have none.
	HA *haspec.Spec `yaml:"ha,omitempty" json:"ha,omitempty"`
	// Random draws from the seed all that the subject's part can say, and the workload, the network and
	// the kinds of faults as well: never more than the scenario gives. The other fields then stay empty.
	Random *haspec.Random `yaml:"random,omitempty" json:"random,omitempty"`
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
	// asInService makes the nodes seal packets and lay out databases as those of real clusters, rather than
	// in ways that take less time to simulate. See package checksum and smallPageBytes.
	asInService bool
	// isDrawn means that the seed has drawn everything: what fails then ends before the run does.
	isDrawn bool
}

// ErrSpec is wrapped by every complaint about the subject's part of a scenario.
var ErrSpec = errors.New("subject pve")

// Decode makes the subject of a scenario.
func Decode(s *scenarios.Scenario) (scenarios.Subject, error) {
	subject := &Subject{machines: s.Machines, warmup: s.Warmup, duration: s.Duration}
	if err := s.Subject.Decode(&subject.spec); err != nil {
		return nil, err
	}
	if err := checkRandom(&subject.spec, s); err != nil {
		return nil, err
	}
	if err := subject.configure(s); err != nil {
		return nil, err
	}
	if err := subject.checkHA(s); err != nil {
		return nil, err
	}
	// Compose every node once, so that a configuration that cannot run is refused here.
	for m := range s.Machines {
		if _, err := subject.compose(env.MachineID(m), nil); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrSpec, err)
		}
	}
	return subject, nil
}

// checkHA refuses an ha: section that makes no sense for the scenario's cluster.
func (s *Subject) checkHA(sc *scenarios.Scenario) error {
	if s.spec.HA == nil || s.spec.Random != nil {
		return nil
	}
	err := s.spec.HA.Check(s.machines, s.NodeNames())
	if err == nil && s.spec.HA.Random != nil {
		err = clustergen.Check(s.spec.HA, drawnFrom(&s.spec, sc))
	}
	if err != nil {
		return sc.Errorf("subject.ha", "%v", err)
	}
	return nil
}

// checkRandom refuses a random: part that makes no sense for the scenario. Until the cluster is drawn, it
// stands for one that may have the HA manager.
func checkRandom(spec *Spec, sc *scenarios.Scenario) error {
	if spec.Random == nil {
		return nil
	}
	rest := *spec
	rest.Random = nil
	err := anygen.Check(spec.Random, sc)
	if !reflect.DeepEqual(rest, Spec{}) {
		err = errors.New("random: the whole cluster is drawn; leave the other keys out beside it")
	}
	if err != nil {
		return sc.Errorf("subject.random", "%v", err)
	}
	if spec.Random.ServicesMax > 0 {
		spec.HA = &haspec.Spec{}
	}
	return nil
}

// drawnFrom is what the draws of a random cluster depend on.
func drawnFrom(spec *Spec, sc *scenarios.Scenario) clustergen.Scenario {
	return clustergen.Scenario{Machines: sc.Machines, Duration: sc.Duration,
		Named: len(sc.Faults) > 0 || len(spec.Votes) > 0 || spec.CorosyncConf != ""}
}

// Kind implements scenarios.Subject.
func (s *Subject) Kind() string { return Kind }

// Timers implements scenarios.TimedSubject: with its usual settings the ring notices within four seconds that
// a machine is silent, and what it repeats until then it repeats about once a second.
func (s *Subject) Timers() (shortest, longest time.Duration) { return time.Second, 4 * time.Second }

// Client implements scenarios.Subject.
func (s *Subject) Client() workload.Codec { return Codec{readsHAStatus: s.spec.HA != nil} }

// Actors implements scenarios.ActorProvider: they are the clients that make requests for services.
func (s *Subject) Actors(scale timescale.Ratio) []scenarios.Actor {
	if s.spec.HA == nil {
		return nil
	}
	return requests.Actors(s.spec.HA,
		requests.Cluster{Machines: s.machines, Nodes: s.NodeNames(), Duration: s.duration}, scale)
}

// inServiceOneIn is how many runs there are for one whose nodes are as in service.
const inServiceOneIn = 8

// Vary implements scenarios.Varier: it draws whether the nodes are as in service, and the cluster of a
// scenario that leaves it to the seed.
func (s *Subject) Vary(sc *scenarios.Scenario, choices draw.Lists) (
	*scenarios.Scenario, scenarios.Subject, error) {
	varied, subject, err := drawCluster(s, sc, choices)
	if err != nil {
		return nil, nil, err
	}
	of := *subject
	of.asInService = choices("subject", "cipher").Choose(inServiceOneIn) == 0
	return varied, &of, nil
}

func drawCluster(s *Subject, sc *scenarios.Scenario, choices draw.Lists) (
	*scenarios.Scenario, *Subject, error) {
	varied, spec := *sc, s.spec
	switch {
	case spec.Random != nil:
		drawn, of := anygen.Draw(spec.Random, sc, choices)
		varied, spec = *drawn, Spec{Votes: of.Votes, ExpectedVotes: of.ExpectedVotes, Token: of.Token,
			TokenCoefficient: of.TokenCoefficient, Relay: of.Relay, LogKeep: of.LogKeep, HA: of.HA}
	case spec.HA != nil && spec.HA.Random != nil:
		varied.Machines, spec.HA = clustergen.Draw(s.spec.HA, drawnFrom(&s.spec, sc), choices)
	default:
		return sc, s, nil
	}
	varied.Subject.Node, varied.Subject.Value = nil, spec
	subject, err := Decode(&varied)
	if err != nil {
		return nil, nil, err
	}
	drawn := subject.(*Subject)
	drawn.isDrawn = s.spec.Random != nil
	return &varied, drawn, nil
}

// recoverySlack is the time that the HA manager has beyond the time for a recovery, until services must run.
const recoverySlack = 30 * time.Second

// WithoutStory implements scenarios.StorySubject.
func (s *Subject) WithoutStory(sc *scenarios.Scenario) (*scenarios.Scenario, scenarios.Subject, error) {
	if s.spec.HA == nil {
		return sc, s, nil
	}
	if s.spec.HA.Prepared {
		return sc, s, fmt.Errorf("%w: the first boot must end when its power cut begins",
			scenarios.ErrFixedStory)
	}
	if len(s.spec.HA.FenceFaults) > 0 && !s.isDrawn {
		return sc, s, fmt.Errorf("%w: a device that reports falsely may never prove what other faults need",
			scenarios.ErrFixedStory)
	}
	changed, subject := *sc, *s
	subject.spec.HA = s.spec.HA.WithoutStory()
	// A fault at the end of the duration still has to be recovered from.
	recovery := max(subject.spec.HA.RecoverWithin, haspec.DefaultRecoverWithin) + recoverySlack
	changed.Quiescence = max(sc.Quiescence, recovery)
	changed.Subject.Node, changed.Subject.Value = nil, subject.spec
	return &changed, &subject, nil
}

// NodeNames are the names of the machines' nodes, in the order of the machines.
func (s *Subject) NodeNames() []string {
	names := make([]string, len(s.conf.Nodes))
	for i, n := range s.conf.Nodes {
		names[i] = n.Name
	}
	return names
}
