package txn

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Consistency names a consistency model of transactions.
type Consistency string

// The consistency models, with Adya's names for isolation levels where there is one.
const (
	ReadUncommitted         Consistency = "read-uncommitted"   // PL-1
	ReadCommitted           Consistency = "read-committed"     // PL-2
	CursorStability         Consistency = "cursor-stability"   // PL-CS
	ConsistentView          Consistency = "consistent-view"    // PL-2+
	RepeatableRead          Consistency = "repeatable-read"    // PL-2.99
	SnapshotIsolation       Consistency = "snapshot-isolation" // PL-SI
	Serializable            Consistency = "serializable"       // PL-3
	SessionReadUncommitted  Consistency = "strong-session-read-uncommitted"
	SessionReadCommitted    Consistency = "strong-session-read-committed"
	SessionSnapshot         Consistency = "strong-session-snapshot-isolation"
	SessionSerializable     Consistency = "strong-session-serializable"
	StrongReadUncommitted   Consistency = "strong-read-uncommitted"
	StrongReadCommitted     Consistency = "strong-read-committed"
	StrongSnapshotIsolation Consistency = "strong-snapshot-isolation"
	StrictSerializable      Consistency = "strict-serializable" // PL-SS
)

// DefaultConsistency is what [Check] demands without [WithConsistency].
const DefaultConsistency = StrictSerializable

// ErrConsistency reports a consistency model that is not known.
var ErrConsistency = errors.New("unknown consistency model")

// level is one model with the weaker ones that it implies directly. The order is from weak to strong.
//
// Sources: Adya (1999) for PL-1 to PL-SS; Bailis and others, "Highly Available Transactions" (VLDB 2014), for
// the relations between them; Daudjee and Salem (2004, 2006) for sessions; Cerone and Gotsman, "Analysing
// Snapshot Isolation" (PODC 2016), for nonadjacent anti-dependencies. Strong and strong-session variants
// of the weak models are the same definitions with real-time and process edges.
type level struct {
	name    Consistency
	implies []Consistency
}

var levels = []level{
	{ReadUncommitted, nil},
	{ReadCommitted, []Consistency{ReadUncommitted}},
	{CursorStability, []Consistency{ReadCommitted}},
	{ConsistentView, []Consistency{CursorStability}},
	{RepeatableRead, []Consistency{CursorStability}},
	{SnapshotIsolation, []Consistency{ConsistentView}},
	{Serializable, []Consistency{RepeatableRead, SnapshotIsolation}},
	{SessionReadUncommitted, []Consistency{ReadUncommitted}},
	{SessionReadCommitted, []Consistency{ReadCommitted, SessionReadUncommitted}},
	{SessionSnapshot, []Consistency{SnapshotIsolation, SessionReadCommitted}},
	{SessionSerializable, []Consistency{Serializable, SessionSnapshot}},
	{StrongReadUncommitted, []Consistency{SessionReadUncommitted}},
	{StrongReadCommitted, []Consistency{SessionReadCommitted, StrongReadUncommitted}},
	{StrongSnapshotIsolation, []Consistency{SessionSnapshot, StrongReadCommitted}},
	{StrictSerializable, []Consistency{SessionSerializable, StrongSnapshotIsolation}},
}

// forbiddenFrom maps each anomaly to the weakest models that forbid it. All stronger ones do so, too.
var forbiddenFrom = map[Anomaly][]Consistency{
	GarbageRead:       {ReadUncommitted},
	DuplicateElements: {ReadUncommitted},
	CyclicVersions:    {ReadUncommitted},
	IncompatibleOrder: {ReadCommitted},
	G1a:               {ReadCommitted},
	G1b:               {ReadCommitted},
	DirtyUpdate:       {ReadCommitted},
	FutureRead:        {ReadCommitted},
	Internal:          {ConsistentView, RepeatableRead},
	LostUpdate:        {CursorStability},

	G0:           {ReadUncommitted},
	G1c:          {ReadCommitted},
	GSingle:      {ConsistentView, RepeatableRead},
	GNonadjacent: {SnapshotIsolation, RepeatableRead},
	G2Item:       {RepeatableRead},

	G0 + "-process":           {SessionReadUncommitted},
	G1c + "-process":          {SessionReadCommitted},
	GSingle + "-process":      {SessionSnapshot},
	GNonadjacent + "-process": {SessionSnapshot},
	G2Item + "-process":       {SessionSerializable},

	CyclicVersions + "-process":  {SessionSnapshot},
	CyclicVersions + "-realtime": {StrongSnapshotIsolation},

	G0 + "-realtime":           {StrongReadUncommitted},
	G1c + "-realtime":          {StrongReadCommitted},
	GSingle + "-realtime":      {StrongSnapshotIsolation},
	GNonadjacent + "-realtime": {StrongSnapshotIsolation},
	G2Item + "-realtime":       {StrictSerializable},
}

// otherNames are further names of models.
var otherNames = map[string]Consistency{
	"strong-serializable": StrictSerializable,
	"pl-1":                ReadUncommitted, "pl-2": ReadCommitted, "pl-cs": CursorStability,
	"pl-2+": ConsistentView, "pl-2.99": RepeatableRead, "pl-si": SnapshotIsolation, "pl-3": Serializable,
	"pl-ss": StrictSerializable,
}

// ConsistencyModels lists the models that [Check] knows, from weak to strong.
func ConsistencyModels() []Consistency {
	names := make([]Consistency, 0, len(levels))
	for _, l := range levels {
		names = append(names, l.name)
	}
	return names
}

// FindConsistency returns the model of a name. Adya's names (PL-1 to PL-SS) and strong-serializable are known
// as well, in upper or lower case.
func FindConsistency(name string) (Consistency, error) {
	name = strings.ToLower(name)
	for _, l := range levels {
		if string(l.name) == name {
			return l.name, nil
		}
	}
	if c, ok := otherNames[name]; ok {
		return c, nil
	}
	return "", fmt.Errorf("%w %q: use one of %v", ErrConsistency, shorten(name), ConsistencyModels())
}

// Implies reports whether every history that satisfies c satisfies weaker as well. A model implies itself.
func (c Consistency) Implies(weaker Consistency) bool {
	if c == weaker {
		return true
	}
	for _, l := range levels {
		if l.name == c {
			return slices.ContainsFunc(l.implies, func(next Consistency) bool { return next.Implies(weaker) })
		}
	}
	return false
}

// Forbids reports whether no history that satisfies c has the anomaly.
func (c Consistency) Forbids(a Anomaly) bool {
	return slices.ContainsFunc(forbiddenFrom[a], c.Implies)
}

// ruledOut returns the models for which out returns true: the weakest ones, and those that imply them.
func ruledOut(out func(Consistency) bool) (weakest, others []Consistency) {
	for _, l := range levels {
		implied := func(w Consistency) bool { return w != l.name && l.name.Implies(w) }
		switch {
		case !out(l.name):
		case slices.ContainsFunc(weakest, implied):
			others = append(others, l.name)
		default:
			weakest = append(weakest, l.name)
		}
	}
	return weakest, others
}
