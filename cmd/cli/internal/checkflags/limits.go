// Package checkflags has the flags of the command "check" for history files: how to read them, the limits
// of a search, and the lists of formats and models.
//
// It never reads a history and never prints.
package checkflags

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/linearizability"
)

// Limits are the limits of a search, beyond which a verdict is unknown.
type Limits struct {
	time   time.Duration
	memory byteSize
	cmd    *cobra.Command
}

// AddTo adds the flags to a command.
func (l *Limits) AddTo(cmd *cobra.Command) {
	l.cmd, l.memory = cmd, linearizability.DefaultMemoryBytes
	flags := cmd.Flags()
	flags.DurationVar(&l.time, "time", linearizability.DefaultTimeout,
		"`limit` of the time that searches of a history file take together; beyond it\n"+
			"the verdict is unknown")
	flags.Var(&l.memory, "memory",
		"`limit` of the memory that searches of a history file hold together, such as\n"+
			"512MiB or 8GiB; beyond it the verdict is unknown, and a history that is too\n"+
			"long for it is not searched")
}

// errTime reports a limit that no search can keep.
var errTime = errors.New("--time must be more than 0")

// Options returns the limits that were set, for a history file.
func (l *Limits) Options() ([]linearizability.Option, error) {
	if l.time <= 0 {
		return nil, fmt.Errorf("%w, not %v", errTime, l.time)
	}
	var opts []linearizability.Option
	if l.cmd.Flags().Changed("time") {
		opts = append(opts, linearizability.WithTimeout(l.time))
	}
	if l.cmd.Flags().Changed("memory") {
		opts = append(opts, linearizability.WithMemoryLimit(int64(l.memory)))
	}
	return opts, nil
}

// Arguments repeats the limits that were set, for the command that shows a verdict again.
func (l *Limits) Arguments() []string {
	var args []string
	for _, name := range []string{"time", "memory"} {
		if l.cmd.Flags().Changed(name) {
			args = append(args, "--"+name, l.cmd.Flags().Lookup(name).Value.String())
		}
	}
	return args
}

// byteSize is a number of bytes, written with a unit of 1024.
type byteSize int64

var byteUnits = []struct {
	name  string
	shift int
}{{"GiB", 30}, {"MiB", 20}, {"KiB", 10}}

// errByteSize reports a text that is no number of bytes.
var errByteSize = errors.New("not a size: write for example 512MiB or 8GiB")

// Set implements pflag.Value.
func (b *byteSize) Set(text string) error {
	for _, unit := range byteUnits {
		number, ok := strings.CutSuffix(text, unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		if err != nil || n <= 0 || n > 1<<62>>unit.shift {
			return errByteSize
		}
		*b = byteSize(n << unit.shift)
		return nil
	}
	return errByteSize
}

// String implements pflag.Value.
func (b *byteSize) String() string {
	for _, unit := range byteUnits {
		if n := int64(*b); n>>unit.shift<<unit.shift == n && n > 0 {
			return strconv.FormatInt(n>>unit.shift, 10) + unit.name
		}
	}
	return strconv.FormatInt(int64(*b), 10)
}

// Type implements pflag.Value.
func (b *byteSize) Type() string { return "size" }

// Models lists every model of a history file with its functions.
func Models() string {
	var text strings.Builder
	text.WriteString("Models, and the functions that each of them knows, with the value of a call, " +
		"and → that of its answer:\n")
	for _, name := range linearizability.ModelNames() {
		d, err := linearizability.Describe(name)
		if err != nil {
			continue // every name of the list has a description
		}
		fmt.Fprintf(&text, "\n  %s: %s\n", name, d.Purpose)
		for _, f := range d.Functions {
			line := fmt.Sprintf("    %-12s  %s", f.Name, f.Shape())
			text.WriteString(strings.TrimRight(line, " ") + "\n")
		}
	}
	text.WriteString("\nAn operation of any other function makes the verdict unknown.")
	return text.String()
}
