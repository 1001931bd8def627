// Package watchdog shares a machine's hardware watchdog between the processes that need its protection.
// While any process has a connection, the hardware is armed and petted once a second. When a client is
// not fed in time, or ends without closing its connection, the petting stops permanently, and the
// hardware resets the machine.
//
// The time from a client's last feed to the reset is bounded by the client's time, the period of the
// checks, and the hardware's own timeout: 60 + 1 + 10 seconds by default. Each feed carries the instant
// from which it counts, on the machine's monotonic clock: the instant at which the client requested the
// renewal of its lock. So neither a message that waits in a queue nor a client that is paused between
// request and feed extends the protection.
//
// For example, a client requests the renewal at 100 s, is paused for 50 s and feeds at 150 s with the
// instant 100 s. It counts as late at 160 s, and not at 210 s.
//
// A multiplexer that starts and finds the hardware armed does not pet it: a connection was lost when the
// previous multiplexer ended, and it is not known whether that client was safe.
//
// Package watchdog never decides which process is healthy, and never disarms while a client is
// connected.
package watchdog

import (
	"errors"
	"time"
)

// Process is the name under which the multiplexer runs on a machine.
const Process = "watchdog"

// Times of the multiplexer in normal operation.
const (
	// ClientTime is how long a client may go without being fed.
	ClientTime = 60 * time.Second
	// WarnTime is how long a client may go without being fed before it is reported as late.
	WarnTime = 50 * time.Second
	// CheckPeriod separates checks. Each check pets the hardware if no client is overdue.
	CheckPeriod = time.Second
	// HardwareTime is the timeout of the hardware itself.
	HardwareTime = 10 * time.Second
	// MaxClients bounds the connections.
	MaxClients = 100
)

// ResetTime is the longest time from a client's last feed to the machine's reset.
const ResetTime = ClientTime + CheckPeriod + HardwareTime

// ErrRefused means that no connection was opened, so that there is no protection.
var ErrRefused = errors.New("watchdog connection refused")
