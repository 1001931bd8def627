// Package watchdog shares a machine's hardware watchdog between the processes that need its
// protection. While any process has a connection, the hardware is armed and petted once a second. A
// client that was not fed for its time, or that ended without closing, stops the petting for good,
// and the hardware resets the machine.
//
// What bounds the time from a client's last sign of life to the reset: the client's time, the
// period of the checks, and the hardware's own time-out, 60 + 1 + 10 seconds as configured by
// default. Feeds carry the instant from which they count, on the machine's monotonic clock: it is
// when the client asked for what keeps it safe (the renewal of its lock). So a message that waits in
// a queue, or a client that is paused between asking and feeding, extends nothing.
//
// A multiplexer that starts and finds the hardware armed does not pet it: a connection was cut when
// the process before it ended, and whether that client was safe can no longer be found out.
//
// Package watchdog never decides who is healthy, and never disarms while a client is connected.
package watchdog

import (
	"errors"
	"time"
)

// Process is the name under which the multiplexer runs on a machine.
const Process = "watchdog"

// Times of the multiplexer in service.
const (
	// ClientTime is how long a client may go without being fed.
	ClientTime = 60 * time.Second
	// WarnTime is after how long without feeding a client is reported as late.
	WarnTime = 50 * time.Second
	// CheckPeriod separates checks, each of which pets the hardware if nobody is overdue.
	CheckPeriod = time.Second
	// HardwareTime is the hardware's own time-out.
	HardwareTime = 10 * time.Second
	// MaxClients bounds the connections.
	MaxClients = 100
)

// ResetTime is the longest time from a client's last feed to the machine's reset.
const ResetTime = ClientTime + CheckPeriod + HardwareTime

// ErrRefused means that no connection could be opened: there is no protection.
var ErrRefused = errors.New("watchdog connection refused")
