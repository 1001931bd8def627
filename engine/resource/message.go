package resource

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// Operations that a driver requests from its machine's host.
const (
	opStatus  = "status"
	opStart   = "start"
	opStop    = "stop"
	opCrash   = "crash"
	opUse     = "use"
	opLeave   = "leave" // by hand: it continues elsewhere, and was stopped here
	opMigrate = "migrate"
	opCancel  = "cancel" // cancels the migration that was requested under this id
	opCommit  = "commit" // answers stageCommit
)

// guestRequest is the request of a driver, as JSON.
type guestRequest struct {
	ID      string        `json:"id,omitempty"`
	Op      string        `json:"op"`
	SID     string        `json:"sid"`
	Timeout time.Duration `json:"timeout,omitempty"`
	// Conf is the configuration of a guest that starts.
	Conf []byte `json:"conf,omitempty"`
	// Use is what the guest uses from now on; nil lets it follow its schedule.
	Use *Use `json:"use,omitempty"`
	// Target is the machine to which a guest migrates.
	Target env.MachineID `json:"target,omitempty"`
	// Handed is true for opCommit if the guest was handed over; Lost if it does not belong to this
	// machine.
	Handed bool `json:"handed,omitempty"`
	Lost   bool `json:"lost,omitempty"`
}

// Stages of a migration of which a driver is informed before the final answer.
const (
	stageProgress = "progress"
	stageCommit   = "commit"
)

// guestAnswer is the answer of the host, as JSON. An answer without a stage is final.
type guestAnswer struct {
	ID          string `json:"id"`
	Stage       string `json:"stage,omitempty"`
	Percent     int    `json:"percent,omitempty"`
	Running     bool   `json:"running,omitempty"`
	Incarnation string `json:"life,omitempty"`
	ExitCode    *int   `json:"exit_code,omitempty"`
	// Failed is why a migration failed: one of the reasons below.
	Failed string `json:"failed,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// Reasons for which a migration fails.
const (
	failedCancelled = "cancelled"
	failedTimeout   = "timeout"
	failedTarget    = "target"
	failedCommit    = "commit"
	failedLost      = "lost"
	failedNotHere   = "not here"
)

// Kinds of packets between hosts. The source sends those in the first group. It repeats each of the
// first four until the target answers with the packet at the same place of the second group, or with
// gone.
const (
	packetPrepare = "prepare"
	packetPiece   = "piece"
	packetFinal   = "final"
	packetResume  = "resume"
	packetHold    = "hold"  // keeps the target's copy while the source waits; no answer
	packetAbort   = "abort" // drops the target's copy; no answer

	packetReady    = "ready"
	packetHave     = "have"
	packetComplete = "complete"
	packetRuns     = "runs"
	packetGone     = "gone" // the target does not have the copy and will not run it
)

// packet is what hosts send to each other, as JSON in one datagram.
type packet struct {
	Kind string `json:"kind"`
	ID   string `json:"id"` // of the migration
	SID  string `json:"sid"`
	// Piece counts from 1 to Pieces.
	Piece  int `json:"piece,omitempty"`
	Pieces int `json:"pieces,omitempty"`
	// Conf is the size of the guest, for packetPrepare.
	Conf *Conf  `json:"conf,omitempty"`
	Why  string `json:"why,omitempty"` // for packetGone
}

// Limits of messages.
const (
	maxPacketBytes = 4 << 10
	maxTextBytes   = 512
	// maxPieces bounds the pieces in which a guest's memory is transferred.
	maxPieces = 10_000
	// maxConfBytes bounds a configuration: the store accepts no larger file.
	maxConfBytes = 512 << 10
)

// ErrMalformed means that a message cannot be decoded.
var ErrMalformed = errors.New("malformed message about a guest")

func decodeRequest(data []byte) (r guestRequest, err error) {
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	switch {
	case r.SID == "" || len(r.SID) > maxTextBytes || len(r.ID) > maxTextBytes:
		return r, fmt.Errorf("%w: a name of %d bytes", ErrMalformed, len(r.SID))
	case len(r.Conf) > maxConfBytes:
		return r, fmt.Errorf("%w: a configuration of %d bytes, at most %d", ErrMalformed, len(r.Conf),
			maxConfBytes)
	case r.Timeout < 0:
		return r, fmt.Errorf("%w: a timeout of %v", ErrMalformed, r.Timeout)
	case r.Use != nil && min(r.Use.MilliCPUs, r.Use.MemoryBytes) < 0:
		return r, fmt.Errorf("%w: a use below nothing", ErrMalformed)
	}
	return r, nil
}

func decodeAnswer(data []byte) (a guestAnswer, err error) {
	if err := json.Unmarshal(data, &a); err != nil {
		return a, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if a.Percent < 0 || a.Percent > 100 {
		return a, fmt.Errorf("%w: %d percent", ErrMalformed, a.Percent)
	}
	return a, nil
}

func decodePacket(data []byte) (p packet, err error) {
	if len(data) > maxPacketBytes {
		return p, fmt.Errorf("%w: %d bytes, at most %d", ErrMalformed, len(data), maxPacketBytes)
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return p, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	switch {
	case p.ID == "" || p.SID == "" || len(p.ID) > maxTextBytes || len(p.SID) > maxTextBytes:
		return p, fmt.Errorf("%w: %q without a name", ErrMalformed, p.Kind)
	case p.Pieces < 0 || p.Pieces > maxPieces || p.Piece < 0 || p.Piece > p.Pieces:
		return p, fmt.Errorf("%w: piece %d of %d", ErrMalformed, p.Piece, p.Pieces)
	case p.Kind == packetPrepare && (p.Conf == nil || p.Pieces == 0):
		return p, fmt.Errorf("%w: preparing without a size", ErrMalformed)
	}
	return p, nil
}
