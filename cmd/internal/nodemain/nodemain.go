// Package nodemain is what the commands that host processes have in common: flags, reading the machine
// file, running until a signal, supervising a machine, exit codes. It never knows which processes there
// are.
package nodemain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/cmd/internal/oldflags"
	"github.com/holdfast-sim/holdfast/cmd/internal/version"
	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/engine/host"
	"github.com/holdfast-sim/holdfast/engine/initd"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// Exit codes.
const (
	ExitOK       = 0
	ExitReboot   = 3 // the machine must boot again
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

// Processes makes the processes of a machine. It may complete the machine file from its own
// configuration. Every error that it returns is an error of the configuration.
type Processes func(m Machine) ([]host.Process, error)

// Ending ends the processes of a host in order, before the host ends. It returns when they have ended,
// or when its context has.
type Ending func(ctx context.Context, h *host.Host)

// Option is what a command adds to Main.
type Option func(*program)

// EndWith ends the processes in order when a signal asks the command to end.
func EndWith(e Ending) Option { return func(p *program) { p.endings = append(p.endings, e) } }

// Configure completes the host's configuration.
func Configure(change func(*host.Config)) Option {
	return func(p *program) { p.configure = append(p.configure, change) }
}

// program is one call of a command.
type program struct {
	name      string
	stderr    io.Writer
	messages  io.Writer // stderr in the format of the log
	processes Processes
	endings   []Ending
	configure []func(*host.Config)

	check, supervise bool
	logFormat        string
}

// Formats of the log.
const (
	logText = "text"
	logJSON = "json"
)

// Main runs the command and returns its exit code.
func Main(name, about string, args []string, stderr io.Writer, processes Processes, options ...Option) int {
	p := &program{name: name, stderr: stderr, processes: processes}
	for _, o := range options {
		o(p)
	}
	code := ExitUsage // of cobra's own errors
	cmd := &cobra.Command{Use: name + " MACHINE-FILE",
		Long:         about + "\n\nMACHINE-FILE is a JSON file in the machine's directory.",
		SilenceUsage: true, SilenceErrors: true, Args: checkOneFile, Version: version.Text(),
		RunE: func(_ *cobra.Command, args []string) (err error) {
			code, err = p.start(args[0])
			return err
		}}
	cmd.Flags().BoolVar(&p.check, "check", false, "check the configuration and exit")
	cmd.Flags().StringVar(&p.logFormat, "log-format", logText,
		"write the log as `text`, in the form of the system log, or as json, one object a line")
	cmd.Flags().BoolVar(&p.supervise, "supervise", false,
		"be the machine: run the program, serve the watchdog socket that the machine file\n"+
			"names, and when the watchdog expires end everything that was started and start again")
	cmd.SetOut(stderr)
	cmd.SetErr(stderr)
	cmd.SetArgs(oldflags.Args(cmd, args))
	cmd.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		fmt.Fprintf(stderr, "%s\n\n%s", cmd.Long, cmd.UsageString())
		code = ExitOK
	})
	cmd.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	if err := cmd.Execute(); err != nil {
		fmt.Fprintf(stderr, "%s: %v\n\n%s", name, err, cmd.UsageString())
		return ExitUsage
	}
	if cmd.Flags().Changed("version") {
		return ExitOK
	}
	return code
}

// checkOneFile refuses anything but one argument.
func checkOneFile(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("it takes one machine file, not %d arguments", len(args))
	}
	return nil
}

// start reads the configuration and runs what the flags ask for. Its error is one of the command line.
func (p *program) start(file string) (int, error) {
	if p.logFormat != logText && p.logFormat != logJSON {
		return ExitUsage, fmt.Errorf("--log-format is %q: write %s or %s", p.logFormat, logText, logJSON)
	}
	p.messages = messages(p.stderr, p.name, p.logFormat)
	logAs(p.stderr, p.name, p.logFormat)
	cfg, err := load(file, p.processes)
	if err != nil {
		fmt.Fprintf(p.messages, "%s: %v\n", p.name, err)
		return ExitUsage, nil
	}
	switch {
	case p.check:
		return ExitOK, nil
	case p.supervise:
		return superviseMain(p.name, cfg, file, p.logFormat, p.stderr), nil
	}
	cfg.Log, cfg.LogJSON = p.stderr, p.logFormat == logJSON
	for _, change := range p.configure {
		change(&cfg)
	}
	return p.run(cfg), nil
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

func (p *program) run(cfg host.Config) int {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	h, err := host.New(cfg)
	if err == nil {
		signals := make(chan os.Signal, 2)
		// Before anything runs that might be interrupted.
		signal.Notify(signals, append(powerDownSignals, os.Interrupt, syscall.SIGTERM)...)
		defer signal.Stop(signals)
		go func() {
			defer stop()
			p.endOnSignal(ctx, h, signals)
		}()
		err = h.Run(ctx)
	}
	switch {
	case err == nil, errors.Is(err, host.ErrOff):
		return ExitOK
	case errors.Is(err, host.ErrReboot):
		return ExitReboot
	case errors.Is(err, host.ErrConfig):
		fmt.Fprintf(p.messages, "%s: %v\n", p.name, err)
		return ExitUsage
	}
	fmt.Fprintf(p.messages, "%s: %v\n", p.name, err)
	return ExitInternal
}

// endOnSignal waits for a signal and ends the processes in order. A second signal ends the host at
// once. The signal of a power supply shuts the machine down: its services end as well.
func (p *program) endOnSignal(ctx context.Context, h *host.Host, signals <-chan os.Signal) {
	first := <-signals
	ctx, now := context.WithCancel(ctx)
	defer now()
	go func() {
		select {
		case <-signals:
			fmt.Fprintf(p.messages, "%s: second signal: ending at once\n", p.name)
			now()
		case <-ctx.Done():
		}
	}()
	if slices.Contains(powerDownSignals, first) {
		request := initd.Request{Verb: initd.Shutdown}.Encode()
		if _, err := h.Invoke(ctx, initd.Process, request); err == nil {
			<-ctx.Done() // the host ends when the machine is down
			return
		}
	}
	for _, end := range p.endings {
		end(ctx, h)
	}
}
