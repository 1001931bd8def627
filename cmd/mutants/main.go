// Command mutants measures whether the harness finds bugs: it plants each bug of the catalogue
// into the engine, one at a time, and looks for a seed that shows it. The sources stay as they
// are: a planted bug is a search and replace that go build applies through an overlay.
//
// It never judges a run itself and knows nothing of what a bug does.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

// Exit codes, as everywhere in Holdfast.
const (
	exitMissed   = 1
	exitUsage    = 254
	exitInternal = 255
)

const help = `Usage: go run ./cmd/mutants [flags]

Plants every bug of the catalogue into the engine, one at a time, and looks for a seed that shows
it. Each bug is a file in scenarios/pve/mutants; its search text must match exactly once. The
same seeds are then run with the clean engine, which must find nothing.

Exit codes: 0 all found and the clean engine found nothing, 1 otherwise, 254 usage, 255 internal.

`

func main() {
	if len(os.Args) > 1 && os.Args[1] == huntCommand {
		os.Exit(huntMain(os.Args[2:]))
	}
	var o options
	flag.StringVar(&o.catalogue, "catalogue", "scenarios/pve/mutants", "the `folder` of planted bugs")
	flag.StringVar(&o.only, "only", "", "only bugs whose name matches this `pattern`")
	flag.DurationVar(&o.limit, "limit", 2*time.Minute, "how `long` to look for each bug, such as 5m")
	flag.BoolVar(&o.slow, "slow", false, "also look for the bugs that are listed as slow, for as long as the list says")
	flag.BoolVar(&o.check, "check", false, "only check that every search text matches exactly once and the result compiles")
	flag.IntVar(&o.workers, "workers", 2, "how `many` bugs to look for at the same time")
	flag.StringVar(&o.keep, "keep", "", "keep the harness with each bug in this `folder`, and print the command that shows what the bug does")
	flag.BoolVar(&o.netns, "netns", false, "plant the bugs that real nodes show, and only those (root; some minutes each)")
	flag.BoolVar(&o.table, "table", false, "print the rows of the table in the catalogue's README")
	flag.BoolVar(&o.json, "json", false, "print one line of JSON for each bug")
	flag.Usage = func() { fmt.Fprint(os.Stderr, help); flag.PrintDefaults() }
	flag.Parse()
	if flag.NArg() > 0 || o.workers < 1 {
		flag.Usage()
		os.Exit(exitUsage)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	find := run
	if o.netns {
		find = runNetns
	}
	if err := find(ctx, &o); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		stop()
		if errors.Is(err, errMissed) {
			os.Exit(exitMissed)
		}
		os.Exit(exitInternal)
	}
}
