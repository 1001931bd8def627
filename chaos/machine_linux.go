package chaos

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
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
	run     *run
	node    *netnode.Node
	command scenarios.Command
	logs    sync.WaitGroup // readers of what the program writes

	power *power // nil: it has no switch

	// faults guards what follows: the injector and the watchdog's reset change it.
	faults        sync.Mutex
	kills, pauses map[string]int // by process; "" is the whole program
	startPending  bool           // it starts when its pause ends
	offset        time.Duration
	driftPPM      int64

	mu      sync.Mutex
	process *netnode.Process
	leaving bool // the present process is being ended on purpose
	tail    []string
}

// programLog is the file in a machine's directory with everything that its program wrote.
const programLog = "program.log"

// prepare writes the machine's files.
func (m *machine) prepare(d scenarios.Driver) error {
	files, err := d.Files(m.Machine)
	if err != nil {
		return fmt.Errorf("making the files of %s: %w", m.Name, err)
	}
	if err := m.write(files); err != nil {
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

// start starts the machine's program. On a machine that is off it does nothing.
func (m *machine) start() error {
	if p := m.power; p != nil {
		p.switching.Lock()
		defer p.switching.Unlock()
		p.mu.Lock()
		off := !p.on
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
	m.process, m.leaving = p, false
	m.mu.Unlock()
	m.logs.Go(func() { m.readLog(read) })
	go m.watch(p)
	return nil
}

// watch waits for a program's end and reports an unexpected one.
func (m *machine) watch(p *netnode.Process) {
	<-p.Ended()
	m.mu.Lock()
	wanted := m.leaving || m.process != p
	m.mu.Unlock()
	if wanted {
		return
	}
	report := m.run.finding
	if !m.run.served.Load() {
		report = m.run.problem // a program that was never ready proves nothing about the subject
	}
	report("the program of %s ended by itself (%s) at %v; it last wrote: %s", m.Name, p.Outcome(),
		m.run.now().Round(time.Millisecond), m.logTail())
}

// kill ends the program and everything that it has started.
func (m *machine) kill() error {
	m.mu.Lock()
	m.leaving = true
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

// end ends the program for good.
func (m *machine) end() error {
	if m.power != nil {
		m.power.close()
	}
	err := m.kill()
	if m.pauses[""] > 0 { // the control group outlives its processes and must not stay frozen
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
		case <-m.current().Ended():
			return errors.New("its program has ended")
		case <-ctx.Done():
			return err
		case <-time.After(readyEvery):
		}
	}
}

func (m *machine) current() *netnode.Process {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.process
}

// Limits on how much of the programs' output is kept.
const (
	maxLineBytes = 64 << 10
	maxLogLines  = 500_000
	tailLines    = 5
)

// readLog stores a program's output until every process that could write has ended.
func (m *machine) readLog(from *os.File) {
	defer from.Close()
	file, err := os.OpenFile(filepath.Join(m.Dir, programLog), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		m.run.problem("keeping what %s writes: %v", m.Name, err)
		file = nil
	}
	lines := bufio.NewReaderSize(from, maxLineBytes)
	for {
		line, err := lines.ReadSlice('\n')
		if len(line) > 0 {
			if file != nil {
				_, _ = file.Write(line) // a full disk must not block the program at its pipe
			}
			m.logged(strings.TrimRight(string(line), "\r\n"))
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			break
		}
	}
	if file != nil {
		file.Close()
	}
}

// syslogLine is a line as system logs have them: time, machine, process[pid]: text.
var syslogLine = regexp.MustCompile(
	`^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ ([^\s\[:]+)(?:\[\d+\])?: (.*)$`)

func (m *machine) logged(text string) {
	at := m.run.now()
	m.mu.Lock()
	m.tail = append(m.tail, text)
	if len(m.tail) > tailLines {
		m.tail = m.tail[1:]
	}
	m.mu.Unlock()
	if !m.run.options.KeepLogs {
		return
	}
	l := scenarios.LogLine{At: at, Machine: m.Name, Text: text}
	if parts := syslogLine.FindStringSubmatch(text); parts != nil {
		l.Process, l.Text = parts[1], parts[2]
	}
	l.Level = levelOf(l.Text)
	m.run.mu.Lock()
	defer m.run.mu.Unlock()
	if len(m.run.logs) < maxLogLines {
		m.run.logs = append(m.run.logs, l)
	}
}

func levelOf(text string) string {
	for _, level := range []string{"error", "warning", "debug"} {
		if strings.HasPrefix(text, level+": ") {
			return level
		}
	}
	return "info"
}

// logTail returns the last lines that the program wrote.
func (m *machine) logTail() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.tail) == 0 {
		return "nothing"
	}
	return strings.Join(m.tail, " | ")
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
