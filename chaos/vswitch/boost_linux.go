package vswitch

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

const (
	// fifoPriority is above everything ordinary and below real-time daemons such as Corosync.
	fifoPriority = 10
	bestNice     = -20
)

// boostThread gives the calling thread a priority that other load does not disturb: first a
// real-time one, else the best ordinary one.
func boostThread() error {
	fifo := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: fifoPriority}
	err := unix.SchedSetAttr(0, &fifo, 0)
	if err == nil {
		return nil
	}
	if nice := unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), bestNice); nice != nil {
		return fmt.Errorf("raising the switch's priority: %w", errors.Join(err, nice))
	}
	return fmt.Errorf("the switch has no real-time priority, only nice %d: %w", bestNice, err)
}
