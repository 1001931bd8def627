package cli

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios/shrink"
)

// maxShrunk is how many groups of failures a campaign makes small by itself.
const maxShrunk = 20

// smallFile is the name of the smaller scenario in the folder of the failed run.
const smallFile = "small.yaml"

// shrinkSink is the sink that makes the first run of each group of violations small, and stops the campaign
// where its flags ask for that. Meanwhile no run is begun.
type shrinkSink struct {
	*campaignRun
	ctx context.Context
}

// take implements sink.
func (s *shrinkSink) take(o *outcome) error {
	of := o.campaign()
	if !of.Failed() {
		return nil
	}
	key := of.Group()
	first := !s.failed[key]
	s.failed[key] = true
	if first && s.flags.shrink > 0 && len(s.failed) <= maxShrunk && of.Folder != "" &&
		of.Verdict == linearizability.Invalid {
		s.progress.Clear()
		if err := s.shrinkRun(of.Folder, key.Checker); err != nil {
			fmt.Fprintf(s.app.Stderr, "making it smaller: %v\n", err)
		}
	}
	if s.flags.stopAtFirst {
		s.stop()
	}
	return nil
}

// shrinkRun makes the run in a folder small and tells where the result is.
func (s *shrinkSink) shrinkRun(folder, checker string) error {
	c, err := shrinkCommand{s.app}.readFailure(folder, defaultSeed)
	if err != nil {
		return err
	}
	c.Property, c.Seeds, c.Limit = checker, shrink.DefaultSeeds, s.flags.shrink
	c.Out, c.Stdout = filepath.Join(folder, smallFile), s.app.Stderr
	defer shrinkCommand{s.app}.serve(c, s.workers, s.progress)()
	return c.Run(s.ctx)
}
