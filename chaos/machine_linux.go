package chaos

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/holdfast-sim/holdfast/chaos/netnode"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios"
)

func machineID(i int) env.MachineID { return env.MachineID(i) }

// machine is a node with its program.
type machine struct {
	scenarios.Machine
	run           *run
	node          *netnode.Node
	command       scenarios.Command
	programOutput programOutput

	powerSwitch *powerSwitch // nil: it has no switch

	// faultMu guards what follows: the injector and the watchdog's reset change it.
	faultMu                   sync.Mutex
	activeKills, activePauses map[string]int // by process; "" is the whole program
	startAfterPause           bool           // it starts when its pause ends
	clockOffset               time.Duration
	clockDriftPPM             int64

	mu          sync.Mutex
	process     *netnode.Process
	endExpected bool // the present process is being ended on purpose
}

// prepareFiles writes the machine's files.
func (m *machine) prepareFiles(d scenarios.Driver) error {
	files, err := d.Files(m.Machine)
	if err != nil {
		return fmt.Errorf("making the files of %s: %w", m.Name, err)
	}
	if err := m.writeFiles(files); err != nil {
		return err
	}
	if m.command, err = d.Command(m.Machine); err != nil {
		return fmt.Errorf("making the command of %s: %w", m.Name, err)
	}
	if !filepath.IsAbs(m.command.Path) {
		return fmt.Errorf("the program of %s, %q, is not given by an absolute path", m.Name, m.command.Path)
	}
	return nil
}

// startProgram starts the machine's program. On a machine that is off it does nothing.
func (m *machine) startProgram() error {
	if p := m.powerSwitch; p != nil {
		p.switchMu.Lock()
		defer p.switchMu.Unlock()
		p.mu.Lock()
		off := !p.isOn
		p.mu.Unlock()
		if off {
			return nil
		}
	}
	read, write, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("starting %s: %w", m.Name, err)
	}
	defer write.Close()
	p, err := m.node.Spawn(m.command.Path, m.command.Args, append(os.Environ(), m.command.Env...), write)
	if err != nil {
		read.Close()
		return err
	}
	m.mu.Lock()
	m.process, m.endExpected = p, false
	m.mu.Unlock()
	m.programOutput.readersWG.Go(func() { m.programOutput.readUntilClosed(read) })
	go m.watchProgram(p)
	return nil
}

// watchProgram waits for a program's end and reports an unexpected one.
func (m *machine) watchProgram(p *netnode.Process) {
	<-p.Ended()
	m.mu.Lock()
	wanted := m.endExpected || m.process != p
	m.mu.Unlock()
	if wanted {
		return
	}
	report := m.run.addFinding
	if !m.run.allWereReady.Load() {
		report = m.run.addProblem // a program that was never ready proves nothing about the subject
	}
	report("the program of %s ended by itself (%s) at %v; it last wrote: %s", m.Name, p.Outcome(),
		m.run.now().Round(time.Millisecond), m.programOutput.lastText())
}

// killProgram ends the program and everything that it has started.
func (m *machine) killProgram() error {
	m.mu.Lock()
	m.endExpected = true
	p := m.process
	m.mu.Unlock()
	if err := m.node.Kill(); err != nil {
		return err
	}
	if p != nil && !p.WaitEnded(reapTimeout) {
		return fmt.Errorf("the program of %s was killed and is not gone after %v", m.Name, reapTimeout)
	}
	return nil
}

// reapTimeout limits the time from a process's kill until its end is reported.
const reapTimeout = 5 * time.Second

// endProgram ends the program for good.
func (m *machine) endProgram() error {
	if m.powerSwitch != nil {
		m.powerSwitch.close()
	}
	err := m.killProgram()
	if m.activePauses[""] > 0 { // the control group outlives its processes and must not stay frozen
		err = errors.Join(err, m.node.Resume())
	}
	return err
}

const (
	readyEvery   = 20 * time.Millisecond
	readyTimeout = 2 * time.Second
)

// awaitReady waits until the program serves. The error is the last reason why it did not.
func (m *machine) awaitReady(ctx context.Context) error {
	var conn scenarios.Conn
	defer func() {
		if conn != nil {
			conn.Close()
		}
	}()
	for {
		attempt, cancel := context.WithTimeout(ctx, readyTimeout)
		var err error
		if conn == nil {
			conn, err = m.run.driver.Dial(attempt, m.Machine)
		}
		if err == nil {
			err = m.run.driver.Ready(attempt, m.Machine, conn)
		}
		cancel()
		if err == nil {
			return nil
		}
		if conn != nil {
			conn.Close()
			conn = nil
		}
		select {
		case <-m.currentProcess().Ended():
			return errors.New("its program has ended")
		case <-ctx.Done():
			return err
		case <-time.After(readyEvery):
		}
	}
}

func (m *machine) currentProcess() *netnode.Process {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.process
}

// regularFiles hides sockets and the like from a copy.
type regularFiles struct{ fs.FS }

// ReadDir implements fs.ReadDirFS.
func (r regularFiles) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(r.FS, name)
	kept := entries[:0]
	for _, e := range entries {
		if e.IsDir() || e.Type().IsRegular() {
			kept = append(kept, e)
		}
	}
	return kept, err
}
