// Package nodemain is what the commands that host processes have in common: reading the machine
// file, running until a signal, exit codes. It never knows which processes there are.
package nodemain

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/engine/host"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// Exit codes.
const (
	ExitOK       = 0
	ExitReboot   = 3 // the machine wants to boot anew
	ExitUsage    = 254
	ExitInternal = 255
)

// Machine is what a command is given to make its processes from.
type Machine struct {
	File *host.MachineFile
	// Dir is the machine's directory, absolute.
	Dir       string
	Timescale timescale.Ratio
}

// Machines is the number of machines on the first link.
func (m *Machine) Machines() int {
	if len(m.File.Links) == 0 {
		return 1
	}
	return len(m.File.Links[0].Addrs)
}

// FromSpecs turns the processes of a scenarios.Builder into those of a host.
func FromSpecs(specs []scenarios.ProcessSpec, ts timescale.Ratio) []host.Process {
	var out []host.Process
	for _, s := range specs {
		out = append(out, host.Process{Name: s.Name, New: s.New, Restart: ts.Of(s.Restart)})
	}
	return out
}

// Processes makes the processes of a machine. It may complete the machine file from configuration
// of its own. Whatever error it returns is one of configuration.
type Processes func(m Machine) ([]host.Process, error)

// Ending lets the processes of a host end in good order, before the host does. It returns when they
// have, or when its context ends.
type Ending func(ctx context.Context, h *host.Host)

// Main runs the command and returns its exit code.
func Main(name, what string, args []string, stderr io.Writer, processes Processes, endings ...Ending) int {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintf(stderr, "%s\n\nUsage: %s [flags] MACHINE-FILE\n\nMACHINE-FILE is a JSON file in the machine's directory.\n", what, name)
		flags.PrintDefaults()
	}
	check := flags.Bool("check", false, "check the configuration and exit")
	guard := flags.Bool("supervise", false, "be the machine: run the program, serve the watchdog socket that the machine file\n"+
		"names, and when the watchdog expires end everything that was started and begin anew")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return ExitOK
		}
		return ExitUsage
	}
	if flags.NArg() != 1 {
		flags.Usage()
		return ExitUsage
	}
	cfg, err := load(flags.Arg(0), processes)
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return ExitUsage
	}
	switch {
	case *check:
		return ExitOK
	case *guard:
		return superviseMain(name, cfg, flags.Arg(0), stderr)
	}
	cfg.Log = stderr
	return run(name, cfg, stderr, endings)
}

func load(path string, processes Processes) (host.Config, error) {
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return host.Config{}, err
	}
	file, err := host.ReadMachineFile(path)
	if err != nil {
		return host.Config{}, err
	}
	m := Machine{File: file, Dir: dir}
	if file.Timescale != "" {
		if m.Timescale, err = timescale.Parse(file.Timescale); err != nil {
			return host.Config{}, fmt.Errorf("%s: %w", path, err)
		}
	}
	list, err := processes(m)
	if err != nil {
		return host.Config{}, err
	}
	cfg := file.Config(dir)
	if id := os.Getenv(bootEnv); id != "" {
		cfg.BootID = id
	}
	cfg.Processes = list
	if file.Debug {
		cfg.LogLevel = slog.LevelDebug
	}
	return cfg, nil
}

func run(name string, cfg host.Config, stderr io.Writer, endings []Ending) int {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	h, err := host.New(cfg)
	if err == nil {
		go func() {
			defer stop()
			endOnSignal(h, stderr, name, endings)
		}()
		err = h.Run(ctx)
	}
	switch {
	case err == nil, errors.Is(err, host.ErrOff):
		return ExitOK
	case errors.Is(err, host.ErrReboot):
		return ExitReboot
	case errors.Is(err, host.ErrConfig):
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return ExitUsage
	}
	fmt.Fprintf(stderr, "%s: %v\n", name, err)
	return ExitInternal
}

// endOnSignal waits for a signal and lets the processes end in good order. A second signal ends the
// host as it is.
func endOnSignal(h *host.Host, stderr io.Writer, name string, endings []Ending) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	<-signals
	if len(endings) == 0 {
		return
	}
	ctx, now := context.WithCancel(context.Background())
	go func() {
		<-signals
		fmt.Fprintf(stderr, "%s: ending at once, as it was asked to twice\n", name)
		now()
	}()
	for _, end := range endings {
		end(ctx, h)
	}
}
