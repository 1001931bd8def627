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

// powerSwitch is a machine's power switch and its hardware watchdog. Both are in the harness, so no program
// or pause of the machine can stop them.
type powerSwitch struct {
	machine  *machine
	listener net.Listener
	closing  chan struct{}
	serveWG  sync.WaitGroup

	mu              sync.Mutex // guards what follows
	closed          bool
	isOn            bool
	bootCount       uint64
	activeCuts      int // active power-cut faults
	watchdogArmed   bool
	watchdogTimeout time.Duration
	watchdogDue     time.Time
	watchdogTimer   *time.Timer

	// switchMu is held while the machine is being switched on or off, and while its program is
	// started: otherwise a program that starts during the kill would survive it.
	switchMu sync.Mutex
}

// rebootTime is how long a machine that its watchdog has reset takes until it boots, unscaled.
const rebootTime = 20 * time.Second

// openPowerSwitch creates the machine's power switch, if its driver has one.
func (m *machine) openPowerSwitch() error {
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
	p := &powerSwitch{machine: m, listener: l, closing: make(chan struct{}), isOn: true, bootCount: 1}
	p.watchdogTimer = time.AfterFunc(time.Hour, p.onWatchdogExpired)
	p.watchdogTimer.Stop()
	m.powerSwitch = p
	p.serveWG.Go(p.serveWatchdog)
	return nil
}

// close ends the watchdog: the machine is neither reset nor booted any longer.
func (p *powerSwitch) close() {
	p.mu.Lock()
	p.closed, p.watchdogArmed = true, false
	p.watchdogTimer.Stop()
	p.mu.Unlock()
	close(p.closing)
	p.listener.Close()
	p.serveWG.Wait()
}

// serveWatchdog takes connections of the programs on the machine. They end with their programs.
func (p *powerSwitch) serveWatchdog() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		p.serveWG.Go(func() { p.serveConnection(c) })
	}
}

// maxRequestBytes bounds a request to the watchdog.
const maxRequestBytes = 128

// serveConnection answers the watchdog requests of one connection, one per line.
func (p *powerSwitch) serveConnection(c net.Conn) {
	done := make(chan struct{})
	defer close(done)
	p.serveWG.Go(func() {
		select {
		case <-p.closing:
		case <-done:
		}
		c.Close()
	})
	lines := bufio.NewScanner(c)
	lines.Buffer(make([]byte, maxRequestBytes), maxRequestBytes)
	for lines.Scan() {
		answer := "ok"
		if state, err := p.handleRequest(strings.Fields(lines.Text())); err != nil {
			answer = "error " + err.Error()
		} else if state != "" {
			answer += " " + state
		}
		if _, err := c.Write([]byte(answer + "\n")); err != nil {
			return
		}
	}
}

// handleRequest carries out a request.
func (p *powerSwitch) handleRequest(words []string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed || !p.isOn:
		return "", errors.New("the machine is off")
	case len(words) == 2 && words[0] == "arm":
		ns, err := strconv.ParseInt(words[1], 10, 64)
		if err != nil || ns <= 0 {
			return "", fmt.Errorf("%q is no time in ns", words[1])
		}
		p.watchdogArmed, p.watchdogTimeout = true, time.Duration(ns)
		p.renewWatchdog()
	case len(words) == 1 && words[0] == "pet":
		p.renewWatchdog()
	case len(words) == 1 && words[0] == "disarm":
		p.watchdogArmed = false
		p.watchdogTimer.Stop()
	case len(words) == 1 && words[0] == "state":
		if p.watchdogArmed {
			return "armed", nil
		}
	default:
		return "", fmt.Errorf("unknown request %q", words)
	}
	return "", nil
}

func (p *powerSwitch) renewWatchdog() {
	if p.watchdogArmed {
		p.watchdogDue = time.Now().Add(p.watchdogTimeout)
		p.watchdogTimer.Reset(p.watchdogTimeout)
	}
}

// onWatchdogExpired resets the machine if the watchdog's deadline has passed. The timer calls it; a renewal
// that raced with the timer has moved the deadline.
func (p *powerSwitch) onWatchdogExpired() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || !p.watchdogArmed || !p.isOn || time.Now().Before(p.watchdogDue) {
		return
	}
	p.switchOff()
	p.serveWG.Go(func() {
		p.cutPower(scenarios.CauseWatchdog)
		m := p.machine
		if m.run.result.Scenario.Watchdog == scenarios.WatchdogPowerOff {
			return
		}
		select {
		case <-p.closing:
		case <-time.After(m.Timescale.Of(rebootTime)):
			m.faultMu.Lock()
			defer m.faultMu.Unlock()
			if err := p.boot(); err != nil {
				m.run.addProblem("booting %s after its reset: %v", m.Name, err)
			}
		}
	})
}

// switchOff marks the machine as switched off; the caller holds the lock.
func (p *powerSwitch) switchOff() {
	p.isOn, p.watchdogArmed = false, false
	p.watchdogTimer.Stop()
}

// cutPower ends everything on the machine, and records the machine as off once all processes are gone.
func (p *powerSwitch) cutPower(cause scenarios.PowerCause) {
	p.switchMu.Lock()
	defer p.switchMu.Unlock()
	m := p.machine
	if err := errors.Join(m.killProgram(), m.node.Resume()); err != nil {
		m.run.addProblem("switching off %s: %v", m.Name, err)
		return
	}
	p.recordPower(false, cause)
	m.run.addNote("%s was switched off at %v by a %s", m.Name, m.run.now().Round(time.Millisecond), cause)
}

func (p *powerSwitch) recordPower(on bool, cause scenarios.PowerCause) {
	p.mu.Lock()
	boot := p.bootCount
	p.mu.Unlock()
	p.machine.run.addRecord(int(p.machine.ID), "machine", scenarios.Power{On: on, Boot: boot, Cause: cause})
}

// boot boots a machine that is off, unless a power cut is still active. The caller holds
// machine.faults.
func (p *powerSwitch) boot() error {
	m := p.machine
	p.mu.Lock()
	if p.closed || p.isOn || p.activeCuts > 0 {
		p.mu.Unlock()
		return nil
	}
	p.bootCount++
	boot := p.bootCount
	p.mu.Unlock()
	files, err := m.run.driver.(PowerDriver).BootFiles(m.Machine, boot)
	if err != nil {
		return err
	}
	if err := m.writeFiles(files); err != nil {
		return err
	}
	// The power cut has ended all paused processes; the control group must not freeze the new ones.
	clear(m.activePauses)
	m.startAfterPause = false
	if err := m.node.Resume(); err != nil {
		return err
	}
	p.mu.Lock()
	p.isOn = true
	p.mu.Unlock()
	p.recordPower(true, "")
	if m.activeKills[""] > 0 {
		return nil // its program is started when that fault ends
	}
	return m.startProgram()
}

// beginCut begins a power cut. The caller holds machine.faults.
func (p *powerSwitch) beginCut() error {
	p.mu.Lock()
	p.activeCuts++
	was := p.isOn
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
func (p *powerSwitch) endCut() error {
	p.mu.Lock()
	p.activeCuts--
	p.mu.Unlock()
	return p.boot()
}

// writeFiles writes files into the machine's directory.
func (m *machine) writeFiles(files []scenarios.File) error {
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
