// Command holdfastd runs a node of the engine on a real machine. Its cluster's configuration is
// the corosync.conf in the machine's directory. It never repairs a configuration: what is wrong
// it names, with file, line and remedy, and ends.
package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"

	"github.com/holdfast-sim/holdfast/cmd/internal/nodemain"
	"github.com/holdfast-sim/holdfast/engine/corosync"
	"github.com/holdfast-sim/holdfast/engine/host"
	"github.com/holdfast-sim/holdfast/engine/host/hostapi"
	"github.com/holdfast-sim/holdfast/engine/host/hostwatchdog"
	"github.com/holdfast-sim/holdfast/engine/host/programs"
	"github.com/holdfast-sim/holdfast/engine/node"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/engine/wire"
	"github.com/holdfast-sim/holdfast/scenarios/pve"
)

const longHelp = `holdfastd runs a node of a cluster: membership, votes and the replicated store, and
with ha.json high availability. See docs/operate.md.

The machine's directory holds the machine file, corosync.conf, authkey and optionally ha.json. The i-th
node of the nodelist is machine i. SIGTERM ends the node in order, while its services continue to run; a
second one ends it at once. SIGPWR ends the services too, as a shutdown of the machine.

holdfastd api-token makes tokens for clients of the API over TCP, and holdfastd replace-member NODE gives a
node its vote back after its disk was replaced; each has its own --help.`

func main() {
	log.SetFlags(0)
	log.SetPrefix("holdfastd: ")
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case programs.KeeperArg:
			if err := programs.RunKeeper(os.Args[2:]); err != nil {
				log.Fatal(err)
			}
			return
		case tokenArg:
			os.Exit(runToken(os.Args[2:], os.Stdout, os.Stderr))
		case replaceArg:
			os.Exit(replaceMain(os.Args[2:], os.Stdout, os.Stderr))
		case nodemain.SuperviseArg:
			code, err := nodemain.RunMachine(os.Args[2:])
			if err != nil {
				log.Print(err)
			}
			os.Exit(code)
		}
	}
	os.Exit(nodemain.Main("holdfastd", longHelp, os.Args[1:], os.Stderr, processes,
		nodemain.EndWith(endInGoodOrder), nodemain.Configure(observe)))
}

// processes composes the node that a machine file and the files beside it describe.
func processes(m nodemain.Machine) ([]host.Process, error) {
	path := filepath.Join(m.Dir, pve.ConfFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the cluster's configuration: %w", err)
	}
	conf, warnings, err := corosync.Parse(path, data)
	if err != nil {
		return nil, err
	}
	for _, w := range warnings {
		log.Printf("warning: %v", w)
	}
	for _, l := range conf.Unsupported() {
		log.Printf("warning: %s: %v", path, l)
	}
	if err := findNode(m.File, conf); err != nil {
		return nil, err
	}
	key, err := readKey(filepath.Join(m.Dir, pve.KeyFile))
	if err != nil {
		return nil, err
	}
	options := node.Options{Cluster: conf, Machine: m.File.Machine, Key: key, Quiet: m.File.RecordFile == "",
		Timescale: m.Timescale, DiskDir: filepath.Join(m.Dir, "disk")}
	if options.HA, err = highAvailability(m); err != nil {
		return nil, err
	}
	composed, err := node.Compose(options)
	if err != nil {
		return nil, err
	}
	var out []host.Process
	for _, p := range composed {
		out = append(out, host.Process{Name: p.Name, New: p.New, Restart: m.Timescale.Of(p.Restart),
			API: hostapi.ProcessAPI{NoOperations: !p.Operations.Served, Reserved: p.Operations.Always,
				ReadOnly: p.Operations.ReadOnly}})
	}
	return out, nil
}

// highAvailability reads how the node takes part in high availability; nil when it does not.
func highAvailability(m nodemain.Machine) (*node.HA, error) {
	path := filepath.Join(m.Dir, pve.HAFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading how services run: %w", err)
	}
	var f pve.HAConfig
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	commands := &resource.Commands{Default: f.Command, Named: f.Commands}
	if len(f.Command) == 0 && len(f.Commands) == 0 {
		return nil, fmt.Errorf(
			"%s has no command: write under \"commands\" the programs that may run as services on "+
				"this node, each under a name, with its arguments", path)
	}
	if err := commands.Check(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if m.File.Watchdog == "" {
		return nil, fmt.Errorf("%s asks for high availability, but the machine file names no watchdog, so "+
			"nothing would end this node's services before others start them: write \"watchdog\": "+
			"\"/dev/watchdog\", run holdfastd --supervise, or remove %s. Where a service that runs twice "+
			"does no harm, \"watchdog\": %q does without", path, pve.HAFile, hostwatchdog.None)
	}
	return &node.HA{Commands: commands}, nil
}

// findNode finds the node in its cluster and, unless the machine file has others, takes the
// addresses of its links from the nodelist.
func findNode(file *host.MachineFile, conf *corosync.Config) error {
	if int(file.Machine) < 0 || int(file.Machine) >= len(conf.Nodes) {
		return fmt.Errorf("the machine file says machine %d, but %s has nodes for machines 0 to %d",
			file.Machine, conf.File, len(conf.Nodes)-1)
	}
	if file.Name == "" {
		file.Name = conf.Nodes[file.Machine].Name
	}
	for _, n := range conf.Nodes {
		file.Nodes = append(file.Nodes, cmp.Or(n.Name, fmt.Sprintf("node%d", n.ID)))
	}
	if len(file.Links) > 0 {
		for i, l := range file.Links {
			if len(l.Addrs) != len(conf.Nodes) {
				return fmt.Errorf(
					"link %d of the machine file has %d addresses, but %s has %d nodes: write one for each",
					i, len(l.Addrs), conf.File, len(conf.Nodes))
			}
		}
		return nil
	}
	found, err := linksOf(file, conf, systemLookup)
	for _, line := range found {
		log.Print(line)
	}
	return err
}

// readKey reads the cluster's secret and refuses one that others on this machine may read.
func readKey(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the cluster's key %s is missing: copy it from another node, or make it with "+
			"head -c 128 /dev/urandom > %s", path, path)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the cluster's key: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && os.PathSeparator == '/' {
		return nil, fmt.Errorf("the cluster's key %s may be read by others (mode %04o): run chmod 600 %s",
			path, mode, path)
	}
	key, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the cluster's key: %w", err)
	}
	if len(key) < wire.MinKeyBytes || len(key) > wire.MaxKeyBytes {
		return nil, fmt.Errorf("the cluster's key %s has %d bytes: it must have %d to %d", path, len(key),
			wire.MinKeyBytes, wire.MaxKeyBytes)
	}
	return key, nil
}
