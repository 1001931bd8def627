package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/cmd/mutants/internal/measure"
	"github.com/holdfast-sim/holdfast/scenarios/explore"
)

func TestFlagsAndExitCodes(t *testing.T) {
	missed := fmt.Errorf("after an hour: %w", errMissed)
	for name, c := range map[string]struct {
		args   []string
		found  error
		code   int
		prints string
	}{
		"all found":       {nil, nil, exitFound, ""},
		"missed":          {nil, missed, exitMissed, "mutants: after an hour"},
		"failed":          {nil, errors.New("no disk"), exitInternal, "mutants: no disk"},
		"an unknown flag": {[]string{"--fast"}, nil, exitUsage, "unknown flag: --fast"},
		"an argument":     {[]string{"store"}, nil, exitUsage, "see: go run ./cmd/mutants --help"},
		"no workers":      {[]string{"--workers", "0"}, nil, exitUsage, "at least one bug at a time"},
		"help":            {[]string{"--help"}, nil, exitFound, "--limit duration"},
		"help, one dash":  {[]string{"-h"}, nil, exitFound, "--keep folder"},
		"a wrong duration": {[]string{"-limit", "long"}, nil, exitUsage,
			`invalid argument "long" for "--limit"`},
		"a flag's own text": {[]string{"--only"}, nil, exitUsage, "flag needs an argument: --only"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			code := execute(context.Background(), c.args, &out,
				actions{find: func(context.Context, *options) error { return c.found }})
			require.Equal(t, c.code, code, &out)
			require.Contains(t, out.String(), c.prints)
		})
	}
}

// TestCampaignFlags: the command campaign has flags of its own.
func TestCampaignFlags(t *testing.T) {
	for name, c := range map[string]struct {
		args   []string
		err    error
		code   int
		prints string
	}{
		"measured": {nil, nil, exitFound, ""},
		"unclean": {nil, fmt.Errorf("%w: x", measure.ErrUnclean), exitMissed,
			"in the unchanged program"},
		"another build":  {nil, measure.ErrOtherBuild, exitUsage, "--restart"},
		"failed":         {nil, errors.New("no disk"), exitInternal, "no disk"},
		"no processes":   {[]string{"--processes", "0"}, nil, exitUsage, "must be positive"},
		"no first seeds": {[]string{"--starts", ""}, nil, exitUsage, "--starts"},
		"an argument":    {[]string{"standard"}, nil, exitUsage, "see: go run ./cmd/mutants --help"},
		"help":           {[]string{"--help"}, nil, exitFound, "--canary time"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			code := execute(context.Background(), append([]string{"campaign"}, c.args...), &out,
				actions{measure: func(context.Context, *campaignFlags) error { return c.err }})
			require.Equal(t, c.code, code, &out)
			require.Contains(t, out.String(), c.prints)
		})
	}
	var seen campaignFlags
	execute(context.Background(), []string{"campaign", "--held-out", "--starts", "1,1001", "--limit=5m"},
		&bytes.Buffer{}, actions{measure: func(_ context.Context, f *campaignFlags) error {
			seen = *f
			return nil
		}})
	require.True(t, seen.heldOut)
	require.Equal(t, []uint{1, 1001}, seen.starts)
	require.Equal(t, 5*time.Minute, seen.Limit)
	require.Equal(t, time.Minute, seen.CanaryLimit)
}

// TestFlagsWithOneDash: the spelling of earlier versions.
func TestFlagsWithOneDash(t *testing.T) {
	var seen options
	code := execute(context.Background(), []string{"-only", "store", "-check", "-limit=5m", "--slow"},
		&bytes.Buffer{}, actions{find: func(_ context.Context, o *options) error { seen = *o; return nil }})
	require.Equal(t, exitFound, code)
	require.Equal(t, options{catalogue: defaultCatalogue, namePattern: "store", checksOnly: true,
		huntLimit:    5 * time.Minute,
		includesSlow: true, workers: 2, runsEach: 100, firstSeed: 1, strategies: explore.Names()}, seen)
}
