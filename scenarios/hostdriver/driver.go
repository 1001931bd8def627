// Package hostdriver drives programs on real nodes that host their processes with engine/host: it
// writes the machine file, speaks the HTTP API over unix sockets and reads the record file.
//
// A subject whose program is such a one needs no driver of its own. Package hostdriver knows the
// program only by its path, and nothing of what its processes do.
package hostdriver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// Driver drives a program. It implements scenarios.Driver and what real nodes ask for beyond it:
// faults of single processes, of clocks, and the counts of probes.
type Driver struct {
	// Path is the program, absolute; Args come before the machine file. Without a path the
	// Program of that name is looked for, see [Find].
	Path    string
	Program string
	Args    []string
	// Port is the base port of link 0, DefaultPort unless given.
	Port uint16
	// Extra are further files for a machine, nil for none.
	Extra func(m scenarios.Machine) ([]scenarios.File, error)
	// Powered gives every machine a power switch and a watchdog, which power cuts and resets need. A power
	// cut on real nodes takes nothing from a disk, so do not set it for a system that is tested for that.
	Powered bool
	// Debug asks the program for debug lines.
	Debug bool

	findOnce    sync.Once
	programPath string
	findErr     error
}

var _ scenarios.Driver = (*Driver)(nil)

// DefaultPort is the port that Corosync uses.
const DefaultPort = 5405

// Names of files in a machine's directory.
const (
	MachineFile    = "machine.json"
	apiSocket      = "api.sock"
	controlSocket  = "control.sock"
	watchdogSocket = "watchdog.sock"
	recordFile     = "records.jsonl"
	programFiles   = "programs/*.records" // see programs.RecordFiles
)

// machineFile is what the program reads; see host.MachineFile.
type machineFile struct {
	Machine       env.MachineID   `json:"machine"`
	Name          string          `json:"name"`
	Links         []linkAddresses `json:"links"`
	APISocket     string          `json:"api_socket"`
	ControlSocket string          `json:"control_socket"`
	RecordFile    string          `json:"record_file"`
	BootID        string          `json:"boot_id,omitempty"`
	Watchdog      string          `json:"watchdog,omitempty"`
	Timescale     string          `json:"timescale"`
	Debug         bool            `json:"debug,omitempty"`
}

type linkAddresses struct {
	Addrs []netip.Addr `json:"addrs"`
	Port  uint16       `json:"port"`
}

// Files implements scenarios.Driver.
func (d *Driver) Files(m scenarios.Machine) ([]scenarios.File, error) {
	machine, err := d.machineFile(m, 1)
	if err != nil {
		return nil, err
	}
	files := []scenarios.File{machine}
	if d.Extra == nil {
		return files, nil
	}
	extra, err := d.Extra(m)
	return append(files, extra...), err
}

// PowerSwitch reports whether machines have a power switch, and returns the name of the socket in their
// directory on which the harness is their watchdog.
func (d *Driver) PowerSwitch() (watchdog string, on bool) { return watchdogSocket, d.Powered }

// BootFiles are the files that a machine's program must find changed when the machine is switched
// on again; boot counts from 1.
func (d *Driver) BootFiles(m scenarios.Machine, boot uint64) ([]scenarios.File, error) {
	machine, err := d.machineFile(m, boot)
	return []scenarios.File{machine}, err
}

func (d *Driver) machineFile(m scenarios.Machine, boot uint64) (scenarios.File, error) {
	port := d.Port
	if port == 0 {
		port = DefaultPort
	}
	f := machineFile{Machine: m.ID, Name: m.Name,
		Links: []linkAddresses{{Addrs: m.Addrs, Port: port}}, APISocket: apiSocket,
		ControlSocket: controlSocket,
		RecordFile:    recordFile, Timescale: m.Timescale.String(), Debug: d.Debug}
	if d.Powered {
		f.BootID, f.Watchdog = fmt.Sprintf("boot-%d", boot), watchdogSocket
	}
	data, err := json.MarshalIndent(f, "", "\t")
	if err != nil {
		return scenarios.File{}, fmt.Errorf("writing the machine file of %s: %w", m.Name, err)
	}
	return scenarios.File{Name: MachineFile, Data: append(data, '\n')}, nil
}

// Command implements scenarios.Driver.
func (d *Driver) Command(scenarios.Machine) (scenarios.Command, error) {
	d.findOnce.Do(func() {
		if d.programPath = d.Path; d.programPath == "" {
			d.programPath, d.findErr = Find(d.Program)
		}
	})
	if d.findErr != nil {
		return scenarios.Command{}, d.findErr
	}
	if !filepath.IsAbs(d.programPath) {
		return scenarios.Command{}, fmt.Errorf("the path of the program, %q, is not absolute", d.programPath)
	}
	return scenarios.Command{Path: d.programPath, Args: append(d.Args[:len(d.Args):len(d.Args)],
		MachineFile)}, nil
}

// healthAnswer is the part of the program's health that is looked at; see hostapi.Health.
type healthAnswer struct {
	RecordsLost uint64 `json:"records_lost"`
	Processes   []struct {
		Name   string         `json:"name"`
		State  string         `json:"state"`
		Ended  string         `json:"ended"`
		Probes map[string]int `json:"probes"`
	} `json:"processes"`
}

// Ready implements scenarios.Driver: every process must run.
func (d *Driver) Ready(ctx context.Context, m scenarios.Machine, _ scenarios.Conn) error {
	h, err := d.health(ctx, m)
	if err != nil {
		return err
	}
	for _, p := range h.Processes {
		if p.State != "running" {
			return fmt.Errorf("process %s of %s is %s %s", p.Name, m.Name, p.State, p.Ended)
		}
	}
	return nil
}

func (d *Driver) health(ctx context.Context, m scenarios.Machine) (*healthAnswer, error) {
	var h healthAnswer
	c := newClient(filepath.Join(m.Dir, apiSocket))
	defer c.CloseIdleConnections()
	data, err := callHost(ctx, c, http.MethodGet, "/v1/health", nil)
	if err == nil {
		err = json.Unmarshal(data, &h)
	}
	if err != nil {
		return nil, fmt.Errorf("asking %s for its health: %w", m.Name, err)
	}
	return &h, nil
}

// Probes counts how often the machine's processes reached rare paths, in the present incarnation of its
// program. The error reports when the program's records have gaps.
func (d *Driver) Probes(ctx context.Context, m scenarios.Machine) (map[string]int, error) {
	h, err := d.health(ctx, m)
	if err != nil {
		return nil, err
	}
	out := map[string]int{}
	for _, p := range h.Processes {
		for id, n := range p.Probes {
			out[id] += n
		}
	}
	if h.RecordsLost > 0 {
		return out, fmt.Errorf("%s could not write %d records", m.Name, h.RecordsLost)
	}
	return out, nil
}

// Records implements scenarios.Driver. A line that a kill cut off is left out.
func (d *Driver) Records(m scenarios.Machine, after int) ([]scenarios.StampedJSON, error) {
	data, err := os.ReadFile(filepath.Join(m.Dir, recordFile))
	if err != nil {
		return nil, fmt.Errorf("reading the records of %s: %w", m.Name, err)
	}
	out := stampedLines(data)
	programs, err := filepath.Glob(filepath.Join(m.Dir, programFiles))
	if err != nil {
		return nil, fmt.Errorf("finding the records of programs on %s: %w", m.Name, err)
	}
	for _, path := range programs {
		if data, err = os.ReadFile(path); err != nil {
			return nil, fmt.Errorf("reading the records of a program on %s: %w", m.Name, err)
		}
		out = append(out, stampedLines(data)...)
	}
	return out[min(after, len(out)):], nil
}

func stampedLines(data []byte) (out []scenarios.StampedJSON) {
	for line := range bytes.Lines(data) {
		var r scenarios.StampedJSON
		if json.Unmarshal(line, &r) == nil {
			out = append(out, r)
		}
	}
	return out
}

// postControl asks the program for a fault.
func (d *Driver) postControl(ctx context.Context, m scenarios.Machine, path string, body []byte) error {
	c := newClient(filepath.Join(m.Dir, controlSocket))
	defer c.CloseIdleConnections()
	if _, err := callHost(ctx, c, http.MethodPost, "/v1/control/"+path, body); err != nil {
		return fmt.Errorf("asking %s for %s: %w", m.Name, path, err)
	}
	return nil
}

// KillProcess ends one process of a machine's program; StartProcess starts it again.
func (d *Driver) KillProcess(ctx context.Context, m scenarios.Machine, process string) error {
	return d.postControl(ctx, m, "kill/"+process, nil)
}

// StartProcess starts a process that was killed.
func (d *Driver) StartProcess(ctx context.Context, m scenarios.Machine, process string) error {
	return d.postControl(ctx, m, "start/"+process, nil)
}

// PauseProcess stops one process of a machine's program; ResumeProcess lets it go on.
func (d *Driver) PauseProcess(ctx context.Context, m scenarios.Machine, process string) error {
	return d.postControl(ctx, m, "pause/"+process, nil)
}

// ResumeProcess lets a process that was paused go on.
func (d *Driver) ResumeProcess(ctx context.Context, m scenarios.Machine, process string) error {
	return d.postControl(ctx, m, "resume/"+process, nil)
}

// SetClock makes a machine's clocks wrong from now on: see host.SetClock.
func (d *Driver) SetClock(ctx context.Context, m scenarios.Machine, offset time.Duration,
	driftPPM int64) error {
	body, err := json.Marshal(map[string]int64{"offset_ns": int64(offset), "drift_ppm": driftPPM})
	if err != nil {
		return fmt.Errorf("encoding a clock setting: %w", err)
	}
	return d.postControl(ctx, m, "clock", body)
}

// Dial implements scenarios.Driver.
func (d *Driver) Dial(_ context.Context, m scenarios.Machine) (scenarios.Conn, error) {
	return &hostConn{client: newClient(filepath.Join(m.Dir, apiSocket))}, nil
}

// hostConn carries operations over HTTP.
type hostConn struct{ client *http.Client }

// Do implements scenarios.Conn.
func (c *hostConn) Do(ctx context.Context, process string, input []byte) ([]byte, error) {
	return callHost(ctx, c.client, http.MethodPost, "/v1/op/"+process, input)
}

// Close implements scenarios.Conn.
func (c *hostConn) Close() error {
	c.client.CloseIdleConnections()
	return nil
}

func newClient(socket string) *http.Client {
	dialer := &net.Dialer{}
	return &http.Client{Transport: &http.Transport{DisableCompression: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, "unix", socket)
			if err != nil {
				err = &refusedError{err}
			}
			return c, err
		}}}
}

// refusedError marks an error before anything was sent.
type refusedError struct{ err error }

func (e *refusedError) Error() string { return e.err.Error() }
func (e *refusedError) Unwrap() error { return e.err }

// maxAnswerBytes bounds an answer.
const maxAnswerBytes = 64 << 20

// callHost makes one request. The error distinguishes a request that certainly had no effect from all others.
func callHost(ctx context.Context, client *http.Client, method, path string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://machine"+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", workload.ErrRefused, err)
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, callError(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes+1))
	switch {
	case err != nil:
		return nil, callError(err)
	case len(data) > maxAnswerBytes:
		return nil, fmt.Errorf("%w: an answer of more than %d bytes", workload.ErrReset, maxAnswerBytes)
	case response.StatusCode >= 200 && response.StatusCode < 300:
		return data, nil
	case response.Header.Get("Holdfast-Outcome") == "refused":
		return nil, fmt.Errorf("%w: %s", workload.ErrRefused, bytes.TrimSpace(data))
	}
	return nil, fmt.Errorf("%w: %s: %s", workload.ErrReset, response.Status, bytes.TrimSpace(data))
}

func callError(err error) error {
	var refused *refusedError
	switch {
	case errors.As(err, &refused):
		return fmt.Errorf("%w: %w", workload.ErrRefused, err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: %w", workload.ErrTimeout, err)
	}
	return fmt.Errorf("%w: %w", workload.ErrReset, err)
}
