package host

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/host/hostapi"
	"github.com/holdfast-sim/holdfast/engine/host/hostwatchdog"
)

// MachineFile is the part of the configuration that differs between machines, as a JSON file in the
// machine's directory. Relative paths start at the file's directory.
type MachineFile struct {
	Machine env.MachineID `json:"machine"`
	Name    string        `json:"name"`
	Links   []LinkFile    `json:"links"`

	APISocket string `json:"api_socket,omitempty"`
	// APIAddr serves the API over TCP. APICert and APIKey are the machine's certificate and key ("api.crt",
	// "api.key"), APIClients lists the clients ("api-clients.json"), and APIClientCA is the authority of
	// their certificates, if they have any.
	APIAddr       string `json:"api_addr,omitempty"`
	APICert       string `json:"api_cert,omitempty"`
	APIKey        string `json:"api_key,omitempty"`
	APIClients    string `json:"api_clients,omitempty"`
	APIClientCA   string `json:"api_client_ca,omitempty"`
	ControlSocket string `json:"control_socket,omitempty"`
	RecordFile    string `json:"record_file,omitempty"`
	BootID        string `json:"boot_id,omitempty"`
	Watchdog      string `json:"watchdog,omitempty"`

	// Timescale multiplies the timers of the processes by a ratio such as "1/5".
	Timescale string `json:"timescale,omitempty"`
	// Debug writes debug lines to the log.
	Debug bool `json:"debug,omitempty"`

	// Nodes are the names of all machines. They are not in the file: its reader may know them.
	Nodes []string `json:"-"`
}

// LinkFile is one link: the addresses of all machines on it, by machine id, and the base port.
type LinkFile struct {
	Addrs []netip.Addr `json:"addrs"`
	Port  uint16       `json:"port"`
}

const maxMachineFileBytes = 1 << 20

// ReadMachineFile reads a machine file. It fails with ErrConfig and the line for unknown fields and for
// text after the object.
func ReadMachineFile(path string) (*MachineFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the machine file: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxMachineFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading the machine file: %w", err)
	}
	if len(data) > maxMachineFileBytes {
		return nil, fmt.Errorf("%w: %s has more than %d bytes", ErrConfig, path, maxMachineFileBytes)
	}
	var m MachineFile
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if start := bytes.TrimSpace(data); len(start) == 0 || start[0] != '{' {
		return nil, fmt.Errorf("%w: %s is no machine file: that is a JSON object, at least "+
			"{\"machine\": 0}, in the directory with the machine's other files; give its path",
			ErrConfig, path)
	}
	if err := decoder.Decode(&m); err != nil {
		return nil, fmt.Errorf("%w: %s:%d: %w", ErrConfig, path, lineOfError(data, decoder, err), err)
	}
	if decoder.More() {
		return nil, fmt.Errorf("%w: %s:%d: text after the end of the object", ErrConfig, path,
			lineOfError(data, decoder, nil))
	}
	return &m, nil
}

// lineOfError returns the line at which decoding stopped, from 1.
func lineOfError(data []byte, decoder *json.Decoder, err error) int {
	offset := decoder.InputOffset()
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset = kind.Offset
	case err != nil:
		if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
			offset = int64(max(bytes.Index(data, []byte(field)), 0))
		}
	}
	offset = min(offset, int64(len(data)))
	return 1 + bytes.Count(data[:offset], []byte{'\n'})
}

// Config returns the host configuration of the machine in the directory, without processes.
func (m *MachineFile) Config(dir string) Config {
	c := Config{Machine: m.Machine, Name: m.Name, Dir: dir, Remote: m.remote(dir), BootID: m.BootID,
		APISocket: resolveIn(dir, m.APISocket), ControlSocket: resolveIn(dir, m.ControlSocket),
		RecordFile: resolveIn(dir, m.RecordFile), Watchdog: m.Watchdog, Timescale: m.Timescale,
		Nodes: m.Nodes}
	if c.Watchdog != hostwatchdog.None {
		c.Watchdog = resolveIn(dir, c.Watchdog)
	}
	for _, l := range m.Links {
		c.Links = append(c.Links, LinkOf(l.Addrs, l.Port))
	}
	return c
}

// remote returns how the API is served over TCP, with the default names of the files.
func (m *MachineFile) remote(dir string) hostapi.Remote {
	if m.APIAddr == "" {
		return hostapi.Remote{}
	}
	file := func(name, otherwise string) string {
		if name == "" {
			name = otherwise
		}
		return resolveIn(dir, name)
	}
	return hostapi.Remote{Addr: m.APIAddr, CertFile: file(m.APICert, "api.crt"),
		KeyFile: file(m.APIKey, "api.key"), ClientsFile: file(m.APIClients, "api-clients.json"),
		ClientCAFile: resolveIn(dir, m.APIClientCA)}
}

func resolveIn(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}
