package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/cmd/mutants/internal/measure"
)

// unchangedName is the name of the search without a planted bug.
const unchangedName = "no-bug"

const campaignHelp = `Measures what a campaign finds of the planted bugs without any hint. Each bug is built
into the engine, and holdfast campaign runs without arguments until the first run with a violation, or until
the limit. The failing run is made small, as by holdfast shrink. The bugs' own hunts are not used; bugs that
only the HA manager's own scenario folders show are left out.

First the unchanged engine is searched for a shorter time; it must show no violation. Each run that shows a
violation with a bug is made with the unchanged engine, too: if that is wrong as well, the search goes on.

Each result is recorded in the journal. After an interruption the same command resumes; with a longer limit
it searches again for what was missed. A journal written by another build is rejected.

Exit codes: 0 measured, 1 the unchanged engine shows a violation, 254 wrong usage, 255 internal error. A bug
that is missed is a result.`

// campaignFlags are the flags of the command.
type campaignFlags struct {
	measure.Options
	catalogue, namePattern           string
	heldOut, writesJSON, writesTable bool
	starts                           []uint
}

// newCampaignCommand returns the command; measured is called with the flags.
func newCampaignCommand(measured func(context.Context, *campaignFlags) error) *cobra.Command {
	var o campaignFlags
	cmd := &cobra.Command{Use: "campaign",
		Short: "Measure what the default campaign finds of the planted bugs", Long: campaignHelp,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Workers < 1 || o.Processes < 1 || len(o.starts) == 0 || o.Limit <= 0 || o.CanaryLimit <= 0 {
				return errors.New("--workers, --processes, --limit and --canary must be " +
					"positive, and --starts needs a seed")
			}
			return measured(cmd.Context(), &o)
		}}
	f := cmd.Flags()
	f.StringVar(&o.catalogue, "catalogue", defaultCatalogue, "`folder` of planted bugs")
	f.StringVar(&o.namePattern, "only", "", "only bugs whose names match this `pattern`")
	f.BoolVar(&o.heldOut, "held-out", false, "only the bugs that are held out")
	f.DurationVar(&o.Limit, "limit", 20*time.Minute,
		"search for each bug with this much processor `time`, at most four times as long on a busy machine")
	f.DurationVar(&o.CanaryLimit, "canary", time.Minute,
		"search the unchanged engine with this much processor `time`")
	f.DurationVar(&o.Shrink, "shrink", time.Minute,
		"make each failing run small for this `time`; 0 for not at all")
	f.UintSliceVar(&o.starts, "starts", []uint{1}, "search once from each of these first `seeds`")
	f.IntVar(&o.Workers, "workers", 2, "`number` of bugs to search for at the same time")
	f.IntVar(&o.Processes, "processes", 1, "worker `processes` of each campaign")
	f.StringVar(&o.Journal, "journal", "runs/mutants-campaign.jsonl", "record the results in this `file`")
	f.BoolVar(&o.Restart, "restart", false, "discard the results in the journal")
	f.BoolVar(&o.writesJSON, "json", false, "print one line of JSON for each result")
	f.BoolVar(&o.writesTable, "table", false, "print all results of the journal as a table at the end")
	return cmd
}

// measureCampaign searches for the bugs.
func measureCampaign(ctx context.Context, o *campaignFlags) error {
	list, err := readCatalogue(o.catalogue, o.namePattern)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(m *mutant) bool {
		return o.heldOut && !m.HeldOut || !m.HeldOut && len(m.Hunts) == 0
	})
	dir, err := os.MkdirTemp("", "holdfast-mutants-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &builder{workDir: dir}
	target := func(name string, m *mutant) measure.Target {
		return measure.Target{Name: name, Build: func(ctx context.Context) (string, func(), error) {
			program, err := b.buildHarness(ctx, m)
			return program, func() { _ = os.Remove(program) }, err
		}}
	}
	var targets []measure.Target
	for _, m := range list {
		t := target(m.Name, m)
		t.HeldOut, t.Package = m.HeldOut, path.Dir(m.File)
		targets = append(targets, t)
	}
	for _, start := range o.starts {
		o.Starts = append(o.Starts, uint64(start))
	}
	o.Scratch, o.Progress, o.Found = dir, os.Stderr, o.print
	records, err := measure.Run(ctx, o.Options, target(unchangedName, nil), targets)
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted, and the same command resumes: %w", err)
	}
	if err != nil && !errors.Is(err, measure.ErrUnclean) {
		return err
	}
	return errors.Join(err, o.printAll(records))
}

// print prints a result.
func (o *campaignFlags) print(r *measure.Record) {
	if o.writesJSON {
		_ = json.NewEncoder(os.Stdout).Encode(r)
		return
	}
	if r.Bug == unchangedName && !r.Found {
		fmt.Printf("clean    the unchanged engine: %d runs, %.0f s cpu\n", r.Runs, r.CPUSeconds)
		return
	}
	fmt.Println(r.Text())
}

// printAll prints the table, or the sums.
func (o *campaignFlags) printAll(records []measure.Record) error {
	if o.writesTable {
		return measure.WriteTable(os.Stdout, records, unchangedName)
	}
	if !o.writesJSON {
		records = slices.DeleteFunc(records, func(r measure.Record) bool { return r.Bug == unchangedName })
		fmt.Println(measure.Summarize(records))
	}
	return nil
}
