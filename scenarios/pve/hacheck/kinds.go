package hacheck

import (
	"fmt"

	"github.com/holdfast-sim/holdfast/linearizability"
)

// Kinds of violations of the HA manager.
const (
	// LeftWithService is a machine that went down and left its ring while a service still ran on it.
	LeftWithService linearizability.Kind = "left-with-service"
	// EarlyTakeover: a lock was taken from a holder that had renewed it within its TTL.
	EarlyTakeover linearizability.Kind = "early-takeover"
	// TakeoverWithoutLock: a process moved a service without holding the lock of the service's node.
	TakeoverWithoutLock linearizability.Kind = "takeover-without-lock"
	// UnjustifiedReset: a machine was reset though no fault concerned it.
	UnjustifiedReset linearizability.Kind = "unjustified-reset"
	// UnjustifiedFence: the master gave up a node that it could see.
	UnjustifiedFence linearizability.Kind = "unjustified-fence"
	// RepeatedCommand: an agent carried out a command that it had carried out before.
	RepeatedCommand linearizability.Kind = "command-repeated"
	// Unguarded: an agent or a master worked although no watchdog would have reset its machine.
	Unguarded linearizability.Kind = "unguarded"
	// LostService: a service that should run did not come back in time.
	LostService linearizability.Kind = "service-not-recovered"
	// ForgottenService: the manager no longer knows a configured service.
	ForgottenService linearizability.Kind = "service-forgotten"
	// WrongMoves: services moved between machines more often, or less often, than the scenario allows.
	WrongMoves linearizability.Kind = "wrong-number-of-moves"
	// TooLongDown: a service was down for longer than the scenario allows.
	TooLongDown linearizability.Kind = "service-down-too-long"
)

// Kinds of violations that cost no data, only patience.
const (
	// FlappingService: a service is moved again and again although nothing happens.
	FlappingService linearizability.Kind = "service-flapping"
	// IdleWatchdog: a watchdog can reset a machine that runs nothing which needs it.
	IdleWatchdog linearizability.Kind = "idle-watchdog-armed"
	// IgnoredCommand: a command of the operator was not taken.
	IgnoredCommand linearizability.Kind = "command-ignored"
	// PhantomNode: the manager manages a node that does not exist.
	PhantomNode linearizability.Kind = "phantom-node"
)

// Kinds of violations of clients' requests for services.
const (
	// LostRequest: a request that was acknowledged had no effect and was not refused.
	LostRequest linearizability.Kind = "request-lost"
	// RepeatedRequest: a master carried out what a master had carried out before.
	RepeatedRequest linearizability.Kind = "request-repeated"
	// IgnoredStop: a service ran or began to run although it was stopped.
	IgnoredStop linearizability.Kind = "stop-ignored"
)

// Kinds of violations of fencing.
const (
	// FalseFenceProof: a fencing was accepted as confirmed although the machine had power all the time.
	FalseFenceProof linearizability.Kind = "false-fence-proof"
	// TakeoverWithoutFence: a node's lock was taken without a confirmation of a fence device, and the
	// cluster is configured to need one.
	TakeoverWithoutFence linearizability.Kind = "takeover-without-fence"
)

// violationOfKind is one that names no node or revision.
func violationOfKind(kind linearizability.Kind, format string, args ...any) linearizability.Violation {
	return linearizability.Violation{Kind: kind, Explain: fmt.Sprintf(format, args...)}
}

// violationOf is one of a node.
func violationOf(node string, kind linearizability.Kind, format string,
	args ...any) linearizability.Violation {
	v := violationOfKind(kind, format, args...)
	v.Nodes = []string{node}
	return v
}

// lostService is a violation of kind LostService.
func lostService(format string, args ...any) linearizability.Violation {
	return violationOfKind(LostService, format, args...)
}
