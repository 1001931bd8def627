package chaos

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-sim/holdfast/scenarios"
)

// power is a machine's power switch and its hardware watchdog. Both are in the harness, so no program
// or pause of the machine can stop them.
type power struct {
	machine  *machine
	listener net.Listener
	quit     chan struct{}
	work     sync.WaitGroup

	mu      sync.Mutex // guards what follows
	closed  bool
	on      bool
	boot    uint64
	cuts    int // active power-cut faults
	armed   bool
	timeout time.Duration
	due     time.Time
	timer   *time.Timer

	// switching is held while the machine is being switched on or off, and while its program is
	// started: otherwise a program that starts during the kill would survive it.
	switching sync.Mutex
}

// rebootTime is how long a machine that its watchdog has reset takes until it boots, unscaled.
const rebootTime = 20 * time.Second

// openPower creates the machine's power switch, if its driver has one.
func (m *machine) openPower() error {
	d, ok := m.run.driver.(PowerDriver)
	if !ok {
		return nil
	}
	name, on := d.PowerSwitch()
	if !on {
		return nil
	}
	l, err := net.Listen("unix", filepath.Join(m.Dir, name))
	if err != nil {
		return fmt.Errorf("making the watchdog of %s: %w", m.Name, err)
	}
	p := &power{machine: m, listener: l, quit: make(chan struct{}), on: true, boot: 1}
	p.timer = time.AfterFunc(time.Hour, p.watchdogExpired)
	p.timer.Stop()
	m.power = p
	p.work.Go(p.serve)
	return nil
}

// close ends the watchdog: the machine is neither reset nor booted any longer.
func (p *power) close() {
	p.mu.Lock()
	p.closed, p.armed = true, false
	p.timer.Stop()
	p.mu.Unlock()
	close(p.quit)
	p.listener.Close()
	p.work.Wait()
}

// serve takes connections of the programs on the machine. They end with their programs.
func (p *power) serve() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		p.work.Go(func() { p.serveConn(c) })
	}
}

// maxRequestBytes bounds a request to the watchdog.
const maxRequestBytes = 128

// serveConn answers the watchdog requests of one connection, one per line.
func (p *power) serveConn(c net.Conn) {
	done := make(chan struct{})
	defer close(done)
	p.work.Go(func() {
		select {
		case <-p.quit:
		case <-done:
		}
		c.Close()
	})
	lines := bufio.NewScanner(c)
	lines.Buffer(make([]byte, maxRequestBytes), maxRequestBytes)
	for lines.Scan() {
		answer := "ok"
		if state, err := p.handle(strings.Fields(lines.Text())); err != nil {
			answer = "error " + err.Error()
		} else if state != "" {
			answer += " " + state
		}
		if _, err := c.Write([]byte(answer + "\n")); err != nil {
			return
		}
	}
}

// handle carries out a request.
func (p *power) handle(words []string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed || !p.on:
		return "", errors.New("the machine is off")
	case len(words) == 2 && words[0] == "arm":
		ns, err := strconv.ParseInt(words[1], 10, 64)
		if err != nil || ns <= 0 {
			return "", fmt.Errorf("%q is no time in ns", words[1])
		}
		p.armed, p.timeout = true, time.Duration(ns)
		p.renewWatchdog()
	case len(words) == 1 && words[0] == "pet":
		p.renewWatchdog()
	case len(words) == 1 && words[0] == "disarm":
		p.armed = false
		p.timer.Stop()
	case len(words) == 1 && words[0] == "state":
		if p.armed {
			return "armed", nil
		}
	default:
		return "", fmt.Errorf("unknown request %q", words)
	}
	return "", nil
}

func (p *power) renewWatchdog() {
	if p.armed {
		p.due = time.Now().Add(p.timeout)
		p.timer.Reset(p.timeout)
	}
}

// watchdogExpired resets the machine if the watchdog's deadline has passed. The timer calls it; a renewal
// that raced with the timer has moved the deadline.
func (p *power) watchdogExpired() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || !p.armed || !p.on || time.Now().Before(p.due) {
		return
	}
	p.switchOff()
	p.work.Go(func() {
		p.cutPower(scenarios.CauseWatchdog)
		m := p.machine
		if m.run.out.Scenario.Watchdog == scenarios.WatchdogPowerOff {
			return
		}
		select {
		case <-p.quit:
		case <-time.After(m.Timescale.Of(rebootTime)):
			m.faults.Lock()
			defer m.faults.Unlock()
			if err := p.start(); err != nil {
				m.run.addProblem("booting %s after its reset: %v", m.Name, err)
			}
		}
	})
}

// switchOff marks the machine as switched off; the caller holds the lock.
func (p *power) switchOff() {
	p.on, p.armed = false, false
	p.timer.Stop()
}

// cutPower ends everything on the machine, and records the machine as off once all processes are gone.
func (p *power) cutPower(cause string) {
	p.switching.Lock()
	defer p.switching.Unlock()
	m := p.machine
	if err := errors.Join(m.kill(), m.node.Resume()); err != nil {
		m.run.addProblem("switching off %s: %v", m.Name, err)
		return
	}
	p.record(false, cause)
	m.run.addNote("%s was switched off at %v by a %s", m.Name, m.run.now().Round(time.Millisecond), cause)
}

func (p *power) record(on bool, cause string) {
	p.mu.Lock()
	boot := p.boot
	p.mu.Unlock()
	p.machine.run.addRecord(int(p.machine.ID), "machine", scenarios.Power{On: on, Boot: boot, Cause: cause})
}

// start boots a machine that is off, unless a power cut is still active. The caller holds
// machine.faults.
func (p *power) start() error {
	m := p.machine
	p.mu.Lock()
	if p.closed || p.on || p.cuts > 0 {
		p.mu.Unlock()
		return nil
	}
	p.boot++
	boot := p.boot
	p.mu.Unlock()
	files, err := m.run.driver.(PowerDriver).BootFiles(m.Machine, boot)
	if err != nil {
		return err
	}
	if err := m.write(files); err != nil {
		return err
	}
	// The power cut has ended all paused processes; the control group must not freeze the new ones.
	clear(m.pauses)
	m.startPending = false
	if err := m.node.Resume(); err != nil {
		return err
	}
	p.mu.Lock()
	p.on = true
	p.mu.Unlock()
	p.record(true, "")
	if m.kills[""] > 0 {
		return nil // its program is started when that fault ends
	}
	return m.start()
}

// beginCut begins a power cut. The caller holds machine.faults.
func (p *power) beginCut() error {
	p.mu.Lock()
	p.cuts++
	was := p.on
	if was {
		p.switchOff()
	}
	p.mu.Unlock()
	if was {
		p.cutPower(scenarios.CauseFault)
	}
	return nil
}

// endCut ends a power cut; the machine boots after the last one.
func (p *power) endCut() error {
	p.mu.Lock()
	p.cuts--
	p.mu.Unlock()
	return p.start()
}

// write writes files into the machine's directory.
func (m *machine) write(files []scenarios.File) error {
	root, err := os.OpenRoot(m.Dir)
	if err != nil {
		return fmt.Errorf("writing the files of %s: %w", m.Name, err)
	}
	defer root.Close()
	for _, f := range files {
		name := filepath.FromSlash(f.Name)
		if dir := filepath.Dir(name); dir != "." {
			if err := root.MkdirAll(dir, 0o755); err != nil {
				return fmt.Errorf("writing %s of %s: %w", f.Name, m.Name, err)
			}
		}
		if err := root.WriteFile(name, f.Data, 0o600); err != nil {
			return fmt.Errorf("writing %s of %s: %w", f.Name, m.Name, err)
		}
	}
	return nil
}
