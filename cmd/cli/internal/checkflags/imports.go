package checkflags

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history/formats"
)

// Words of --initial that are not JSON.
const (
	anyState = "any"
	noState  = "nil"
)

// Imports are the flags that state how to read a history file of another tool.
type Imports struct{ initial, failed string }

// Formats lists the formats of history files that are read, and what a verdict states about reading.
func Formats() string {
	return "The content tells the format:\n\n  - " + strings.Join(formats.List(), "\n  - ") + `

The verdict states what was decided while reading: the format, the order of the events, what a failed
call means, keys, the initial state. A history of which the end is missing is never valid.`
}

// AddTo adds the flags.
func (f *Imports) AddTo(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.initial, "initial", "",
		"`state` before the first operation of a history file, as JSON in the words of\n"+
			"the model (of a register its value), or any (default: that of the file's\n"+
			"header, or of the model)")
	flags.StringVar(&f.failed, "failed", "",
		"`meaning` of a failed call in a history file: did-not-happen, or observed if the\n"+
			"state refused it (default: did-not-happen in Jepsen's formats, else observed)")
}

// Options returns what the flags change.
func (f *Imports) Options() ([]linearizability.Option, error) {
	var opts []linearizability.Option
	switch {
	case f.initial == anyState:
		opts = append(opts, linearizability.WithAnyInitial())
	case f.initial == noState:
		opts = append(opts, linearizability.WithInitial(json.RawMessage("null")))
	case f.initial != "" && !json.Valid([]byte(f.initial)):
		return nil, fmt.Errorf("--initial %s is neither JSON nor any; a word needs quotes: --initial '\"a\"'",
			f.initial)
	case f.initial != "":
		opts = append(opts, linearizability.WithInitial(json.RawMessage(f.initial)))
	}
	failed, err := formats.ParseFailureMeaning(f.failed)
	if err != nil {
		return nil, fmt.Errorf("reading --failed: %w", err)
	}
	if failed != formats.FailedByFormat {
		opts = append(opts, linearizability.WithFailed(failed))
	}
	return opts, nil
}

// Arguments repeats the flags that were given, for the command that shows a verdict again.
func (f *Imports) Arguments() []string {
	var args []string
	for _, flag := range [][2]string{{"--initial", f.initial}, {"--failed", f.failed}} {
		if flag[1] != "" {
			args = append(args, flag[0], flag[1])
		}
	}
	return args
}
