package store

import "encoding/json"

// Role is what a store's incarnation is in the replicated configuration.
type Role string

// Roles of a store.
const (
	// RoleVoter is a store that the configuration lists by its incarnation: it can be in X, and its
	// confirmations count with the votes of its node.
	RoleVoter Role = "voter"
	// RoleLearner is a store that the configuration does not list, for example because its disk was
	// replaced: it receives the state and answers local reads, but its confirmations count for nothing.
	RoleLearner Role = "learner"
	// RoleUninitialized is a store without a replicated configuration: the cluster has not started yet,
	// or the database is closed after a disk error.
	RoleUninitialized Role = "uninitialized"
)

// encodedUninitialized is [RoleUninitialized] in an encoded [Status]. The bytes of answers are older than
// the constant's name and stay as they are; records carry the constant.
const encodedUninitialized = "unborn"

// encoded returns the role as an encoded [Status] has it.
func (r Role) encoded() Role {
	if r == RoleUninitialized {
		return encodedUninitialized
	}
	return r
}

// decodedRole returns the role that an encoded [Status] has.
func decodedRole(text string) Role {
	if text == encodedUninitialized {
		return RoleUninitialized
	}
	return Role(text)
}

// MarshalJSON implements json.Marshaler: only the role has another text, see [Role].
func (s *Status) MarshalJSON() ([]byte, error) {
	type plain Status
	encoded := plain(*s)
	encoded.Role = s.Role.encoded()
	return json.Marshal(&encoded)
}

// UnmarshalJSON implements json.Unmarshaler; it refuses unknown fields, as all of this package does.
func (s *Status) UnmarshalJSON(data []byte) error {
	type plain Status
	if err := strictJSON(data, (*plain)(s)); err != nil {
		return err
	}
	s.Role = decodedRole(string(s.Role))
	return nil
}

// Phase is what a store is doing in the present ring.
type Phase string

// Phases of a store.
const (
	// PhaseDetached is a store without a ring, or in a ring of which it missed the first messages.
	PhaseDetached Phase = "detached"
	// PhaseExchange is a store that waits for the epoch's decision.
	PhaseExchange Phase = "exchange"
	// PhaseFetching is a store that waits for the epoch's state.
	PhaseFetching Phase = "fetching"
	// PhaseServing is a store that has installed the epoch.
	PhaseServing Phase = "serving"
	// PhaseFailed is a store that stopped serving because of a disk error.
	PhaseFailed Phase = "failed"
)
