package vswitch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// Switch connects the machines whose interfaces it was given.
type Switch struct {
	mu       sync.Mutex // guards table
	schedule *deliverySchedule

	portFDs   []int
	startedAt time.Time
	wakeFD    int
	closing   atomic.Bool
	loopEnded chan struct{}
	boostErr  error
	loopErr   error
}

// New makes a switch. ports are file descriptors of Ethernet interfaces in non-blocking mode, by
// machine; they stay the caller's, who closes them after the switch. draws gives each ordered
// pair its own streams.
func New(ports []int, net *fault.Net, draws func(from, to int) fault.LinkDraws) (*Switch, error) {
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("making the switch: %w", err)
	}
	s := &Switch{schedule: newDeliverySchedule(len(ports), net, draws), portFDs: ports, startedAt: time.Now(),
		wakeFD: wake, loopEnded: make(chan struct{})}
	net.OnFreed(func(from, to int) { s.schedule.freeLink(s.elapsed(), from, to) })
	started := make(chan struct{})
	go s.forwardFrames(started)
	<-started
	return s, nil
}

// Change changes the condition of the network. No frame is decided meanwhile.
func (s *Switch) Change(do func(*fault.Net)) {
	s.mu.Lock()
	do(s.schedule.faultNet)
	s.mu.Unlock()
	// Frames that were held back may be due now. Without the wake they would wait for the next frame.
	_ = s.wakeLoop()
}

// wakeLoop ends the loop's present wait.
func (s *Switch) wakeLoop() error {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	_, err := unix.Write(s.wakeFD, one[:])
	return err
}

// Stats returns what the switch has done so far.
func (s *Switch) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.schedule.stats
}

// Boosted reports why the switch's thread does not have the priority that it should have; nil when
// it has.
func (s *Switch) Boosted() error { return s.boostErr }

// Close stops the switch and drops the frames that still wait. Its error is the failure that stopped
// the switch earlier; nil if there was none.
func (s *Switch) Close() error {
	if s.closing.CompareAndSwap(false, true) {
		if err := s.wakeLoop(); err != nil {
			return fmt.Errorf("stopping the switch: %w", err)
		}
		<-s.loopEnded
		unix.Close(s.wakeFD)
	}
	return s.loopErr
}

// maxFramesPerTurn is how many frames of one machine are read before the others get their turn.
const maxFramesPerTurn = 32

func (s *Switch) forwardFrames(started chan<- struct{}) {
	// The thread has a priority of its own and therefore ends with the loop: it stays locked.
	runtime.LockOSThread()
	defer close(s.loopEnded)
	s.boostErr = boostThread()
	close(started)
	polls := make([]unix.PollFd, 0, len(s.portFDs)+1)
	for _, fd := range s.portFDs {
		polls = append(polls, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	}
	polls = append(polls, unix.PollFd{Fd: int32(s.wakeFD), Events: unix.POLLIN})
	buffer := make([]byte, MaxFrameBytes)
	for !s.closing.Load() {
		if err := s.waitForFrames(polls); err != nil {
			s.loopErr = fmt.Errorf("switching: %w", err)
			return
		}
		if polls[len(s.portFDs)].Revents != 0 && !s.closing.Load() {
			var count [8]byte
			_, _ = unix.Read(s.wakeFD, count[:]) // only so that the next wait waits
		}
		s.mu.Lock()
		s.schedule.deliverDue(s.elapsed(), s.writeFrame)
		for i := range s.portFDs {
			if polls[i].Revents != 0 && !s.readFrames(i, buffer) {
				polls[i].Fd = -1 // the interface is gone for good
			}
		}
		s.schedule.deliverDue(s.elapsed(), s.writeFrame)
		s.mu.Unlock()
	}
}

func (s *Switch) elapsed() time.Duration { return time.Since(s.startedAt) }

func (s *Switch) waitForFrames(polls []unix.PollFd) error {
	var timeout *unix.Timespec
	s.mu.Lock()
	due, waiting := s.schedule.nextDue()
	s.mu.Unlock()
	if waiting {
		ts := unix.NsecToTimespec(int64(max(due-s.elapsed(), 0)))
		timeout = &ts
	}
	_, err := unix.Ppoll(polls, timeout, nil)
	if errors.Is(err, unix.EINTR) {
		for i := range polls {
			polls[i].Revents = 0
		}
		return nil
	}
	return err
}

// readFrames reads the frames that a machine has sent, at most batch. It returns false when the
// machine's interface is gone.
func (s *Switch) readFrames(from int, buffer []byte) bool {
	for range maxFramesPerTurn {
		n, err := unix.Read(s.portFDs[from], buffer)
		if err != nil || n <= 0 {
			return errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR)
		}
		s.schedule.acceptFrame(s.elapsed(), from, buffer[:n])
	}
	return true
}

func (s *Switch) writeFrame(to int, data []byte) bool {
	n, err := unix.Write(s.portFDs[to], data)
	return err == nil && n == len(data)
}
